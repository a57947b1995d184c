"""A small program that has run for two months, to look around in. The same members at every call."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.database import reading
from referralhub.models import Channel, Perk, Profile, Redemption, ReferralState, User
from referralhub.services.perks import catalogue, claims
from referralhub.services.program import rules
from referralhub.services.sample import fraud_cases, writer
from referralhub.services.sample.people import Newcomer, Population, lines
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import DomainError

(GREETING,) = lines("sample-greetings.txt")
PERKS = dict(line.split("\t") for line in lines("sample-perks.txt"))
EARLY, MUG, MONTH = PERKS
COUPONS = ["HOUSE-7QK2-M4", "HOUSE-J9XD-2P", "HOUSE-V3RT-8N", "HOUSE-C6WL-5H", "HOUSE-B8FZ-9Y"]


def members(now: datetime) -> list[Newcomer]:
    """Make a small program that has run for two months, with one member worth looking at, and two cases to review."""
    population = Population(seed=7, separator="_")
    start = now - timedelta(days=60)
    population.add(Newcomer(DEMO_ADMIN, start, is_admin=True), weight=0)
    population.grow(5, 0, start, start + timedelta(days=3))
    mira = population.add(Newcomer(DEMO_MEMBER, start + timedelta(days=4), greeting=GREETING), weight=8)
    population.grow(14, 30, start + timedelta(days=4), now - timedelta(days=3))
    keen = keenest(population.members, but=mira)
    twin = f"{population.members[keen].username}2"
    for name, hours, referrer, state in (
        ("tom", 50, mira, ReferralState.PENDING),
        ("jule", 30, mira, ReferralState.HELD),
        ("bo", 21, mira, ReferralState.PENDING),
        (twin, 9, keen, ReferralState.HELD),
        ("lina", 2, mira, ReferralState.PENDING),
    ):
        population.add(Newcomer(name, now - timedelta(hours=hours), referrer, Channel.WHATSAPP, state))
    _doubt(population.members)
    return population.members


def keenest(newcomers: list[Newcomer], but: int) -> int:
    """Find the member who brought most friends, apart from one."""
    brought = Counter(each.referrer for each in newcomers if each.referrer not in {None, but})
    return max(brought, key=lambda position: (brought[position], -(position or 0))) or 0


def _doubt(newcomers: list[Newcomer]) -> None:
    """Let the rules look at those who are held: a friend at the same desk, and somebody's own second account."""
    for member in newcomers:
        if member.state is ReferralState.HELD and member.referrer is not None:
            referrer = newcomers[member.referrer]
            for each in (member, referrer):
                each.address = f"{each.username}@example.com"
            strange = fraud_cases.same_desk if referrer.username == DEMO_MEMBER else fraud_cases.same_mailbox
            fraud_cases.judge(member, strange(fraud_cases.ordinary(member, referrer)))


def load(now: datetime, progress: Callable[[int], None]) -> bool:
    """Write the demo's members, who can sign in, and switch on what there is to try. Returns False when it was done."""
    newcomers = members(now)
    loaded = writer.load(newcomers, DEMO_PASSWORD, progress)
    if loaded:
        _offer_perks(now - timedelta(days=44))
        _claim(newcomers, now)
        rules.change({"email_invitations": True}, now)
    return loaded


def _offer_perks(at: datetime) -> None:
    """Put three into the catalogue: one to be reached, and, where friends are worth something, two to be bought."""
    program = rules.current()
    price = program.referrer_amount
    terms: dict[str, dict[str, Any]] = {EARLY: {"unlocked_at": 5}}
    if price:
        terms |= {MUG: {"price": 6 * price, "stock": 12}, MONTH: {"price": 4 * price, "coupons": COUPONS}}
    for name, how in terms.items():
        with suppress(DomainError):  # the operator has one of this name
            catalogue.add(name, PERKS[name], at, unit=program.ledger_unit, **how)


def _claim(newcomers: list[Newcomer], now: datetime) -> None:
    """Let Mira have what she reached, and wait for what she bought; somebody else got a code at once."""
    mira = next(position for position, each in enumerate(newcomers) if each.username == DEMO_MEMBER)
    keen = newcomers[keenest(newcomers, but=mira)].username
    for username, perk, hours in ((DEMO_MEMBER, EARLY, 40), (keen, MONTH, 26), (DEMO_MEMBER, MUG, 20)):
        _redeem(username, perk, now - timedelta(hours=hours))
    handed_over = select(Redemption.id).join(Perk, Perk.id == Redemption.perk_id).where(Perk.name == EARLY)
    for claim_id in reading().scalars(handed_over).all():
        claims.fulfil(claim_id, OPERATOR, now - timedelta(hours=30))


def _redeem(username: str, perk: str, at: datetime) -> None:
    member = select(Profile.id).join(User, User.id == Profile.user_id).where(User.username == username)
    profile_id, perk_id = reading().scalar(member), reading().scalar(select(Perk.id).where(Perk.name == perk))
    if profile_id and perk_id:
        with suppress(DomainError):  # a perk of the operator's own, on terms that this member does not meet
            claims.redeem(profile_id, perk_id, "demo", at)
