"""What the values of enums are called where lists and pages name them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from referralhub.models import (
    Channel,
    ClaimState,
    Fulfilment,
    InvitationState,
    MessageKind,
    ReferralState,
    RewardKind,
    RewardState,
    Role,
    Touch,
    Unit,
)
from referralhub.words import fulfilment, missing, referrals
from referralhub.words.language import N_, translated

NAMES: dict[type[StrEnum], Mapping[Any, str]] = {
    Role: {Role.ADMIN: N_("admin"), Role.OPERATOR: N_("operator"), Role.API: N_("api"), Role.SYSTEM: N_("system")},
    ReferralState: referrals.STATES,
    ClaimState: missing.STATES,
    Channel: {
        Channel.LINK: N_("link"),
        Channel.CODE: N_("code"),
        Channel.EMAIL: N_("email"),
        Channel.X: N_("x"),
        Channel.FACEBOOK: N_("facebook"),
        Channel.WHATSAPP: N_("whatsapp"),
        Channel.LINKEDIN: N_("linkedin"),
        Channel.TELEGRAM: N_("telegram"),
        Channel.REDDIT: N_("reddit"),
        Channel.SMS: N_("sms"),
        Channel.SHARE: N_("share"),
        Channel.QR: N_("qr"),
    },
    RewardKind: {
        RewardKind.REFERRER: N_("referrer"),
        RewardKind.FRIEND: N_("friend"),
        RewardKind.MILESTONE: N_("milestone"),
        RewardKind.REDEMPTION: N_("redemption"),
        RewardKind.ADJUSTMENT: N_("adjustment"),
        RewardKind.REVERSAL: N_("reversal"),
        RewardKind.REFUND: N_("refund"),
        RewardKind.PAYOUT: N_("payout"),
    },
    RewardState: fulfilment.STATES,
    InvitationState: {
        InvitationState.QUEUED: N_("queued"),
        InvitationState.SENT: N_("sent"),
        InvitationState.BOUNCED: N_("bounced"),
        InvitationState.VISITED: N_("visited"),
        InvitationState.NOT_SENT: N_("not sent"),
        InvitationState.JOINED: N_("joined"),
        InvitationState.JOINED_OTHERWISE: N_("joined otherwise"),
    },
    MessageKind: {
        MessageKind.VERIFY_ADDRESS: N_("verify address"),
        MessageKind.CHANGE_ADDRESS: N_("change address"),
        MessageKind.ADDRESS_CHANGED: N_("address changed"),
        MessageKind.RESET_PASSWORD: N_("reset password"),
        MessageKind.PASSWORD_CHANGED: N_("password changed"),
        MessageKind.SIGN_IN_CHANGED: N_("sign in changed"),
        MessageKind.FRIEND_JOINED: N_("friend joined"),
        MessageKind.REFERRAL_CONFIRMED: N_("referral confirmed"),
        MessageKind.REFERRAL_HELD: N_("referral held"),
        MessageKind.REFERRAL_REVERSED: N_("referral reversed"),
        MessageKind.BADGE_EARNED: N_("badge earned"),
        MessageKind.TIER_REACHED: N_("tier reached"),
        MessageKind.WEEKLY_DIGEST: N_("weekly digest"),
        MessageKind.INVITATION: N_("invitation"),
        MessageKind.INVITATION_REMINDER: N_("invitation reminder"),
        MessageKind.REVIEW_REMINDER: N_("review reminder"),
        MessageKind.CLAIM_QUESTION: N_("claim question"),
        MessageKind.CLAIM_DECIDED: N_("claim decided"),
        MessageKind.WEBHOOK_SWITCHED_OFF: N_("webhook switched off"),
    },
    Fulfilment: {Fulfilment.BY_HAND: N_("by hand"), Fulfilment.COUPON: N_("coupon")},
    Touch: {Touch.FIRST: N_("first"), Touch.LAST: N_("last")},
    Unit: {Unit.POINTS: N_("points"), Unit.MEGABYTES: N_("megabytes"), Unit.MONEY: N_("money")},
}


def called(value: StrEnum) -> str:
    """Return what a value of an enum is called: "joined otherwise"."""
    return translated(NAMES[type(value)][value])
