"""A small program that has run for two months, to look around in. The same members at every call."""

from collections.abc import Callable
from datetime import datetime, timedelta

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.models import Channel, ReferralState
from referralhub.services.program import rules
from referralhub.services.sample import writer
from referralhub.services.sample.people import Newcomer, Population


def members(now: datetime) -> list[Newcomer]:
    """Make a small program that has run for two months, with one member worth looking at."""
    population = Population(seed=7, separator="_")
    start = now - timedelta(days=60)
    population.add(Newcomer(DEMO_ADMIN, start, is_admin=True), weight=0)
    population.grow(5, 0, start, start + timedelta(days=3))
    mira = population.add(Newcomer(DEMO_MEMBER, start + timedelta(days=4)), weight=8)
    population.grow(14, 30, start + timedelta(days=4), now - timedelta(days=3))
    for name, hours in (("tom", 50), ("bo", 21), ("lina", 2)):
        population.add(Newcomer(name, now - timedelta(hours=hours), mira, Channel.WHATSAPP, ReferralState.PENDING))
    return population.members


def load(now: datetime, progress: Callable[[int], None]) -> bool:
    """Write the demo's members, who can sign in, and switch on what there is to try. Returns False when it was done."""
    loaded = writer.load(members(now), DEMO_PASSWORD, progress)
    if loaded:
        rules.change({"email_invitations": True}, now)
    return loaded
