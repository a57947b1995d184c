"""What kinds of mail are called, where one can choose among them, and what became of a message."""

import re

from referralhub.models import MessageKind
from referralhub.services.mailing.outbox import MailState

_LINKED = re.compile(r"(?<=\w)[.:@](?=[\w/])")  # what makes mail programs take a name for an address
NAMES = {
    MessageKind.FRIEND_JOINED: "A friend joined by my link",
    MessageKind.REFERRAL_CONFIRMED: "A referral was confirmed and I was credited",
    MessageKind.REFERRAL_HELD: "A referral is being looked at",
    MessageKind.REFERRAL_REVERSED: "A credit was taken back",
    MessageKind.BADGE_EARNED: "I earned a badge",
    MessageKind.TIER_REACHED: "I reached a new tier",
    MessageKind.WEEKLY_DIGEST: "A summary of the week, on Mondays",
    MessageKind.INVITATION: "Invitations to this address",
}
STATES = {
    MailState.WAITING: "waiting",
    MailState.DELIVERED: "delivered",
    MailState.GIVEN_UP: "given up",
    MailState.NOT_WANTED: "not wanted",
}


def unlinked(name: str) -> str:
    """Return a name in which no mail program finds an address to link: with an invisible joiner behind each dot."""
    return _LINKED.sub("\\g<0>\u2060", name)
