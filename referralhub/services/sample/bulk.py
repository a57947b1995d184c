"""A population of any size that joined over a year: what the panel looks like in a program that works."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from referralhub.models import Channel, ReferralState
from referralhub.services.links import visits
from referralhub.services.referrals.lifecycle import EXPIRES_DAYS
from referralhub.services.sample import fraud_cases, writer
from referralhub.services.sample.people import HOSTS, UNCONFIRMED, Newcomer, Population, lines
from referralhub.services.sample.progress import watched

MONTHS, LONG = 12, timedelta(days=365) / 12
GROWTH = 1.12  # signups of a month for each of the month before
SHARE_AT_FIRST, SHARE_AT_LAST = 0.35, 0.7  # of signups that are referred
NEWEST = 8  # the newest eighth of the population brings a good part of the friends
# How popular a channel is; how many follow such a link for one who signs up; which part never confirms the address.
CHANNELS = {
    Channel.LINK: (26, 3, 0.08),
    Channel.WHATSAPP: (22, 2, 0.03),
    Channel.EMAIL: (14, 2, 0.04),
    Channel.X: (9, 8, 0.15),
    Channel.SHARE: (8, 3, 0.07),
    Channel.TELEGRAM: (6, 4, 0.09),
    Channel.LINKEDIN: (5, 5, 0.06),
    Channel.FACEBOOK: (4, 6, 0.12),
    Channel.QR: (4, 2, 0.05),
    Channel.CODE: (2, 0, 0.02),  # typed in, without a visit
}
HELD, REJECTED, REVERSED = 0.01, 0.004, 0.003  # of all referrals
PHASES = writer.PHASES + 1  # of loading: judging comes before writing
WAITING = timedelta(days=28)  # after thirty the worker releases what is held
REASONS = {
    ReferralState.REJECTED: lines("sample-rejections.txt"),
    ReferralState.REVERSED: lines("sample-reversals.txt"),
}


class GrowingPopulation(Population):
    """Who has brought many brings many more, newcomers are the keenest, and there is every channel."""

    def add(self, member: Newcomer, weight: int = 1) -> int:
        """Let one member join; a friend makes the referrer as likely to bring others as two who joined."""
        if member.referrer is not None:
            self._urn.append(member.referrer)
        return super().add(member, weight)

    def draw_referrer(self) -> int:
        """Choose one of the newest, or anybody."""
        newest = len(self._urn) // NEWEST if self.random.random() < 0.4 else 0
        return self._urn[-self.random.randint(1, newest)] if newest else super().draw_referrer()

    def draw_channel(self) -> Channel:
        """Choose the popular ones more often."""
        return self.random.choices(list(CHANNELS), [popular for popular, _, _ in CHANNELS.values()])[0]


def load(number: int, now: datetime, progress: Callable[[int], None]) -> bool:
    """Write so many members, who cannot sign in. Returns False, and writes nothing, when such members are here."""
    return writer.load(large(number, now, progress), None, progress, folded_before(now))


def large(number: int, now: datetime, progress: Callable[[int], None] = lambda _: None) -> list[Newcomer]:
    """Make so many members, who joined in the twelve months before."""
    population = GrowingPopulation(seed=12, separator="-")  # the first name is the same in any number
    weights = [GROWTH**month for month in range(MONTHS)]
    marks = [round(number * sum(weights[:month]) / sum(weights)) for month in range(MONTHS + 1)]
    for month, (before, after) in enumerate(pairwise(marks)):
        share = SHARE_AT_FIRST + (SHARE_AT_LAST - SHARE_AT_FIRST) * month / (MONTHS - 1)
        referred = int((after - before) * share)
        start = now - LONG * (MONTHS - month)
        population.grow(after - before - referred, referred, start, start + LONG)
    members = population.members
    for member in members:
        _settle(population, member, now)
    _doubt(population, members, now)
    for member in watched(members, progress):
        _judge(members, member)
    return members


def folded_before(now: datetime) -> date:
    """Name the first day of which visits are still kept by the day."""
    return now.date() - visits.DAYS_KEPT


def _settle(population: Population, member: Newcomer, now: datetime) -> None:
    """Say what became of a newcomer whom nobody doubts."""
    _, looks, never = CHANNELS[member.channel]
    member.address = f"{member.username}@{population.random.choice(HOSTS)}"
    member.visitors = population.random.randint(1, 2 * looks - 1) if looks else 0
    late = member.verified_at is None or member.verified_at > now
    if late or population.random.random() < never:
        in_time = now - member.joined < timedelta(days=EXPIRES_DAYS)
        member.state = ReferralState.PENDING if in_time else ReferralState.EXPIRED


def _doubt(population: Population, members: Sequence[Newcomer], now: datetime) -> None:
    """Let a few referrals be held, rejected or reversed."""
    random = population.random
    referred = sum(member.referrer is not None for member in members)
    for state, share, days in (
        (ReferralState.HELD, HELD, 0),
        (ReferralState.REJECTED, REJECTED, 6),
        (ReferralState.REVERSED, REVERSED, 20),
    ):
        latest, earliest = now - timedelta(days=days), now - WAITING if state is ReferralState.HELD else None
        possible = [position for position, each in enumerate(members) if _can_be_doubted(each, earliest, latest)]
        chosen = random.sample(possible, min(len(possible) // 3, max(1, round(referred * share))))
        for position in sorted(chosen):
            member = members[position]
            if state is not ReferralState.REVERSED and member.referrer is not None:
                facts = fraud_cases.ordinary(member, members[member.referrer])
                fraud_cases.judge(member, fraud_cases.draw(random, facts))
            if state is not ReferralState.HELD and member.verified_at is not None:
                decided = member.verified_at + timedelta(days=random.uniform(0.2, days - 1))
                member.decided_at, member.reason = decided.replace(microsecond=0), random.choice(REASONS[state])
            member.state = state


def _can_be_doubted(member: Newcomer, earliest: datetime | None, latest: datetime) -> bool:
    return (
        member.referrer is not None
        and member.state is ReferralState.CONFIRMED
        and member.verified_at is not None
        and member.verified_at <= latest
        and (earliest is None or member.verified_at >= earliest)
    )


def _judge(members: Sequence[Newcomer], member: Newcomer) -> None:
    """Let the rules look at a referral about which nothing is strange."""
    if member.referrer is not None and not member.assessment and member.state not in UNCONFIRMED:
        fraud_cases.judge(member, fraud_cases.ordinary(member, members[member.referrer]))
