"""What kinds of mail are called, where one can choose among them, and what became of a message."""

import re

from referralhub.models import MessageKind
from referralhub.services.mailing.outbox import MailState
from referralhub.words.language import N_

_LINKED = re.compile(r"(?<=\w)[.:@](?=[\w/])")  # what makes mail programs take a name for an address
NAMES = {
    MessageKind.FRIEND_JOINED: N_("A friend joined by my link"),
    MessageKind.REFERRAL_CONFIRMED: N_("A referral was confirmed and I was credited"),
    MessageKind.REFERRAL_HELD: N_("A referral is being looked at"),
    MessageKind.REFERRAL_REVERSED: N_("A credit was taken back"),
    MessageKind.BADGE_EARNED: N_("I earned a badge"),
    MessageKind.TIER_REACHED: N_("I reached a new tier"),
    MessageKind.WEEKLY_DIGEST: N_("A summary of the week, on Mondays"),
    MessageKind.INVITATION: N_("Invitations to this address"),
}
STATES = {
    MailState.WAITING: N_("waiting"),
    MailState.DELIVERED: N_("delivered"),
    MailState.GIVEN_UP: N_("given up"),
    MailState.NOT_WANTED: N_("not wanted"),
}


def unlinked(name: str) -> str:
    """Return a name in which no mail program finds an address to link: with an invisible joiner behind each dot."""
    return _LINKED.sub("\\g<0>\u2060", name)
