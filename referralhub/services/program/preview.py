"""What a change of the rules would mean, before it is made, and which there have been."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from referralhub.database import reading
from referralhub.models import (
    AuditLine,
    Perk,
    Profile,
    Program,
    Referral,
    ReferralState,
    RewardEntry,
    User,
    ledger_unit,
)
from referralhub.services.program import rules
from referralhub.services.shared.errors import StaleRules

SHOWN = 30  # versions of the history


@dataclass(frozen=True)
class Preview:
    """What would come in force, and for whom it matters.

    `pending` and `held` referrals keep the version that they began under; `other_tier` members would be in another
    tier. Where the unit changes, `holders` members have something in the old one, and `perks` take it.
    """

    before: Program
    after: dict[str, Any]
    pending: int
    held: int
    other_tier: int
    holders: int
    perks: int


@dataclass(frozen=True)
class Version:
    """One version of the rules, the one before it, and the line of the audit log that tells who made it."""

    program: Program
    before: Program | None
    line: AuditLine | None


def preview_of(values: dict[str, Any], made_from: int) -> Preview | None:
    """Return what putting these values in force would mean; nothing where they are in force already.

    Writes nothing; a fixed number of queries. Raises BadSetting, or StaleRules like `rules.put_in_force`.
    """
    before = rules.current()
    changed = rules.changes(before, values)
    if not changed:
        return None
    if made_from != before.version:
        raise StaleRules(before.version)
    pending, held = _undecided()
    after = rules.rules_of(before) | changed
    unit = before.ledger_unit
    other_unit = ledger_unit(after["unit"], after["currency"]) != unit
    return Preview(
        before,
        after,
        pending,
        held,
        _in_another_tier(before.tiers, changed["tiers"]) if "tiers" in changed else 0,
        _holders(unit) if other_unit else 0,
        _perks_in(unit) if other_unit else 0,
    )


def history(limit: int = SHOWN) -> list[Version]:
    """List the versions of the rules, the newest first. Two queries."""
    versions = list(reading().scalars(select(Program).order_by(Program.version.desc()).limit(limit + 1)))
    about = (AuditLine.subject == "program", AuditLine.subject_id.in_([program.id for program in versions]))
    lines = reading().scalars(select(AuditLine).where(*about).options(joinedload(AuditLine.actor)))
    by_id = {line.subject_id: line for line in lines}
    pairs = zip(versions, [*versions[1:], None], strict=True)
    return [Version(program, before, by_id.get(program.id)) for program, before in pairs][:limit]


def _undecided() -> tuple[int, int]:
    states = (ReferralState.PENDING, ReferralState.HELD)
    row = reading().execute(select(*(func.count().filter(Referral.state == state) for state in states))).one()
    return row[0], row[1]


def _in_another_tier(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> int:
    """Count the members with an account by the number of their friends; there are few different numbers."""
    counts = reading().execute(
        select(Profile.referral_count, func.count())
        .join(User, User.id == Profile.user_id)
        .where(User.is_active)
        .group_by(Profile.referral_count)
    )
    return sum(
        members
        for referrals, members in counts
        if rules.standing(old, referrals).tier != rules.standing(new, referrals).tier
    )


def _holders(unit: str) -> int:
    with_some = (
        select(RewardEntry.profile_id)
        .where(RewardEntry.unit == unit)
        .group_by(RewardEntry.profile_id)
        .having(func.sum(RewardEntry.amount) > 0)
    )
    return reading().scalar(select(func.count()).select_from(with_some.subquery())) or 0


def _perks_in(unit: str) -> int:
    priced = (Perk.is_active, Perk.price.is_not(None), Perk.unit == unit)
    return reading().scalar(select(func.count()).select_from(Perk).where(*priced)) or 0
