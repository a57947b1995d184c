"""From a visit to a confirmed friend, by the channel of the link."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select

from referralhub.database import reading
from referralhub.models import Channel, Profile, Referral, ReferralState, User, VisitDaily
from referralhub.services.growth.ranges import DateRange
from referralhub.services.links.visits import DAYS_KEPT, FOLDED
from referralhub.services.shared.calendar import midnight


@dataclass(frozen=True)
class Stages:
    """How many people came how far; of those who signed up in the range, whatever became of them since.

    The `late` ones are of days for which every visit is known by its day, so that the two can be compared.
    """

    visitors: int
    signups: int
    verified: int
    confirmed: int
    late_visitors: int
    late_signups: int

    @property
    def signups_per_visitor(self) -> float | None:
        """The part of visitors who signed up; None where no visit was counted, as for codes that were typed in."""
        return self.late_signups / self.late_visitors if self.late_visitors else None

    @property
    def share_verified(self) -> float | None:
        """The part of signups whose address was confirmed, 0 to 1."""
        return self.verified / self.signups if self.signups else None

    @property
    def share_confirmed(self) -> float | None:
        """The part of signups whose referral counts, 0 to 1."""
        return self.confirmed / self.signups if self.signups else None


@dataclass(frozen=True)
class Funnel:
    """The stages of each channel with visits or signups, those with most signups first, and of all together.

    `visits_from` is the first day of the range for which visits are known by their day; none when all are.
    """

    channels: dict[Channel, Stages]
    total: Stages
    visits_from: date | None


def read(days: DateRange, now: datetime) -> Funnel:
    """Count the stages for a range, up to `now` in its time zone. Two queries.

    Visits of more than 90 days ago are kept as one sum (`visits.fold`) and belong to no range.
    """
    kept_from = max(days.first, now.date() - DAYS_KEPT)
    visits = {row.channel: row for row in reading().execute(_visits(days, kept_from))}
    signups = {row.channel: row for row in reading().execute(_signups(days, kept_from))}
    channels = {}
    for channel in sorted({*visits, *signups}, key=lambda each: (-(signups[each].n if each in signups else 0), each)):
        visit, signup = visits.get(channel), signups.get(channel)
        channels[channel] = Stages(
            visitors=visit.n if visit else 0,
            signups=signup.n if signup else 0,
            verified=signup.verified if signup else 0,
            confirmed=signup.confirmed if signup else 0,
            late_visitors=visit.late if visit else 0,
            late_signups=signup.late if signup else 0,
        )
    return Funnel(channels, _sum(channels.values()), kept_from if kept_from > days.first else None)


def _visits(days: DateRange, kept_from: date) -> Select[*tuple[Any, ...]]:
    visitors = func.sum(VisitDaily.visitors)
    late = func.coalesce(visitors.filter(VisitDaily.day >= kept_from), 0)
    return (
        select(VisitDaily.channel, visitors.label("n"), late.label("late"))
        .where(VisitDaily.day.between(days.first, days.last), VisitDaily.day > FOLDED)
        .group_by(VisitDaily.channel)
    )


def _signups(days: DateRange, kept_from: date) -> Select[*tuple[Any, ...]]:
    # Few have not confirmed their address: naming those is quicker than looking at the account of everybody.
    unverified = select(Profile.id).join(User, User.id == Profile.user_id).where(User.verified_at.is_(None)).subquery()
    return (
        select(
            Referral.channel,
            func.count().label("n"),
            (func.count() - func.count(unverified.c.id)).label("verified"),
            func.count().filter(Referral.state == ReferralState.CONFIRMED).label("confirmed"),
            func.count().filter(Referral.created >= midnight(kept_from, days.zone)).label("late"),
        )
        .outerjoin(unverified, unverified.c.id == Referral.friend_id)
        .where(Referral.created >= days.since, Referral.created < days.until)
        .group_by(Referral.channel)
    )


def _sum(stages: Iterable[Stages]) -> Stages:
    names = Stages.__dataclass_fields__
    columns = dict.fromkeys(names, 0)
    for each in stages:
        for name in names:
            columns[name] += getattr(each, name)
    return Stages(**columns)
