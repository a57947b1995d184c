"""What each kind of mail is: news that a member can switch off, a link that proves something, an invitation.

Its words are a letter of `words/letters.py`; news has a name in `words/mail.py`, too.
"""

from dataclasses import dataclass

from referralhub.models import MessageKind, TokenPurpose


@dataclass(frozen=True)
class Kind:
    """One kind of mail. One that is neither news nor an invitation is always sent."""

    is_news: bool = False  # goes to confirmed addresses only, and to nobody who switched it off
    is_invitation: bool = False  # goes to an address that is nobody's yet
    is_claim: bool = False  # of a missing referral: goes to confirmed addresses only
    token: TokenPurpose | None = None  # of the link in it


NEWS = Kind(is_news=True)
INVITATION = Kind(is_invitation=True)
CLAIM = Kind(is_claim=True)

# News in the order in which the choices are shown.
KINDS = {
    MessageKind.VERIFY_ADDRESS: Kind(token=TokenPurpose.VERIFY_ADDRESS),
    MessageKind.CHANGE_ADDRESS: Kind(token=TokenPurpose.CHANGE_ADDRESS),
    MessageKind.ADDRESS_CHANGED: Kind(),
    MessageKind.RESET_PASSWORD: Kind(token=TokenPurpose.RESET_PASSWORD),
    MessageKind.PASSWORD_CHANGED: Kind(),
    MessageKind.SIGN_IN_CHANGED: Kind(),
    MessageKind.FRIEND_JOINED: NEWS,
    MessageKind.REFERRAL_CONFIRMED: NEWS,
    MessageKind.REFERRAL_HELD: NEWS,
    MessageKind.REFERRAL_REVERSED: NEWS,
    MessageKind.BADGE_EARNED: NEWS,
    MessageKind.TIER_REACHED: NEWS,
    MessageKind.WEEKLY_DIGEST: NEWS,
    MessageKind.INVITATION: INVITATION,
    MessageKind.INVITATION_REMINDER: INVITATION,
    MessageKind.REVIEW_REMINDER: Kind(),
    MessageKind.CLAIM_QUESTION: CLAIM,
    MessageKind.CLAIM_DECIDED: CLAIM,
    MessageKind.WEBHOOK_SWITCHED_OFF: Kind(),
}


def news() -> list[MessageKind]:
    """Return the kinds that a member can switch off."""
    return [kind for kind, what in KINDS.items() if what.is_news]
