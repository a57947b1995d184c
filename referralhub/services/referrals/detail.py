"""One referral in detail, as an admin reads it."""

from dataclasses import dataclass

from sqlalchemy import select, union
from sqlalchemy.orm import joinedload

from referralhub.database import reading
from referralhub.models import Appeal, Conversion, Event, Profile, Referral, ReferralEvent, RewardEntry, User
from referralhub.services.conversions import lines
from referralhub.services.conversions.lines import ConversionLine
from referralhub.services.fraud import explanations
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.shared.errors import NotFound


@dataclass(frozen=True)
class Step:
    """One change of state; `who` is the admin who made it, none for the system or an operator."""

    event: ReferralEvent
    who: str | None


@dataclass(frozen=True)
class ReferralDetail:
    """A referral with its trail, the verdict on it, and the entries that it caused in the ledger.

    `appeal` is what the referrer wrote against its rejection, if they did.
    """

    referral: Referral
    steps: list[Step]
    explanation: Explanation | None
    entries: list[RewardEntry]
    appeal: str | None
    conversions: list[ConversionLine]


def of_referral(referral_id: int) -> ReferralDetail:
    """Read it. Six queries. Raises NotFound."""
    people = (
        joinedload(Referral.referrer).joinedload(Profile.user),
        joinedload(Referral.friend).joinedload(Profile.user),
    )
    query = select(Referral, Appeal.words).outerjoin(Appeal, Appeal.referral_id == Referral.id).options(*people)
    row = reading().execute(query.where(Referral.id == referral_id)).one_or_none()
    if row is None:
        raise NotFound("no_such_referral")
    referral, appeal = row
    trail = reading().execute(
        select(ReferralEvent, User.username)
        .outerjoin(User, User.id == ReferralEvent.actor_id)
        .where(ReferralEvent.referral_id == referral_id)
        .order_by(ReferralEvent.id)
    )
    own = select(RewardEntry.id).where(RewardEntry.referral_id == referral_id)
    taken_back = select(RewardEntry.id).where(RewardEntry.reverses_id.in_(own))
    entries = reading().scalars(
        select(RewardEntry)
        .where(RewardEntry.id.in_(union(own, taken_back)))  # with an "or" the whole ledger would be read
        .options(
            joinedload(RewardEntry.profile).joinedload(Profile.user),
            joinedload(RewardEntry.conversion).joinedload(Conversion.event).load_only(Event.own_id),
        )
        .order_by(RewardEntry.id)
    )
    steps = [Step(event, who) for event, who in trail]
    return ReferralDetail(
        referral, steps, explanations.explanation(referral_id), list(entries), appeal, lines.of_referral(referral_id)
    )
