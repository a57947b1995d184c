"""Mails and shared messages for who writes their words: what each is for, and what could be filled in."""

from collections.abc import Callable

from flask_babel import gettext as _

from referralhub.words.amounts import format_amount
from referralhub.words.language import N_
from referralhub.words.letters import values_of

GROUPS = {
    N_("What members share"): {
        "share": N_("Message with a member's link"),
        "share_with_reward": N_("Message with a member's link, while friends get something"),
    },
    N_("Invitations by mail"): {
        "invitation": N_("Invitation"),
        "invitation_with_reward": N_("Invitation, while friends get something"),
        "invitation_reminder": N_("Reminder of an invitation"),
        "invitation_reminder_with_reward": N_("Reminder of an invitation, while friends get something"),
    },
    N_("News for members"): {
        "friend_joined": N_("A friend joined"),
        "friend_joined_by_event": N_("A friend joined, and has yet to do what earns"),
        "referral_confirmed": N_("A referral was confirmed, with a reward"),
        "referral_confirmed_without_reward": N_("A referral was confirmed, without a reward"),
        "referral_held": N_("A referral is being reviewed"),
        "referral_reversed": N_("A credit was taken away"),
        "badge_earned": N_("A badge was earned"),
        "badge_earned_with_tier": N_("A badge was earned and a tier reached"),
        "tier_reached": N_("A tier was reached"),
        "weekly_digest": N_("Summary of the week"),
    },
    N_("Missing referrals"): {
        "claim_question": N_("Ask the friend whether it is so"),
        "claim_confirmed": N_("A missing referral was found"),
        "claim_rejected": N_("A missing referral was not found"),
    },
    N_("Accounts"): {
        "verify_address": N_("Confirm the address of a new account"),
        "address_taken": N_("The address has an account already"),
        "change_address": N_("Confirm another address"),
        "address_changed": N_("The address was changed"),
        "reset_password": N_("Set another password"),
        "password_changed": N_("The password was changed"),
        "sign_in_changed": N_("The way of signing in was changed"),
    },
    N_("For those who run the program"): {
        "review_reminder": N_("Referrals wait for a decision"),
        "webhook_failing": N_("A webhook was switched off, since nothing arrived"),
        "webhook_gone": N_("A webhook was switched off, since it said so"),
    },
}
TITLES = {name: title for texts in GROUPS.values() for name, title in texts.items()}


def sample_values(brand: str, unit: str, page: Callable[[str], str]) -> dict[str, str]:
    """Return something for every placeholder that a letter can have; `page` gives the address of one of ours."""
    payload = {
        "total": 3, "amount": 1000, "unit": unit, "badge": "10", "joined": 2, "visits": 14, "confirmed": 1,
        "waiting": 4, "change": "two_factor_on",
    }  # fmt: skip
    people = {"name": "Robin", "friend": "Kim", "inviter": "Robin", "words": _("You will like it.")}
    home = page("dashboard.home")
    urls = dict.fromkeys(("url", "dashboard_url"), home) | {
        "review_url": page("admin_review.index"), "webhooks_url": page("admin_webhooks.index")
    }  # fmt: skip
    others = {
        "brand": brand,
        "reward": format_amount(1000, unit),
        "tier": "Silver",
        "reason": _("a mistake"),
        "promise": _("You get %(amount)s.", amount=format_amount(1000, unit)),
        "site": "shop.example.com",
    }
    return values_of(payload) | people | others | urls
