"""What kinds of mail are called, where one can choose among them, and what became of a message."""

from referralhub.models import MessageKind
from referralhub.services.mailing.outbox import MailState

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
