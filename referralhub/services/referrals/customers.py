"""Existing customers, whom nobody has to bring: reading the operator's list, and knowing them when they sign up."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import Customer, Profile, Referral, User
from referralhub.services.mailing.addresses import address_hash, canonical, normal
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.calendar import zone_in_force
from referralhub.services.shared.csv import csv_rows
from referralhub.services.shared.errors import BadAddress, BadFile

COLUMNS = ("email", "customer_since")
BATCH = 5000  # customers in one transaction, so that others can write meanwhile


@dataclass(frozen=True)
class Known:
    """A line that says who is a customer, and since which day."""

    number: int  # of the line; the one that names the columns is 1
    address_hash: str
    since: date


@dataclass(frozen=True)
class Wrong:
    """A line that cannot be used, and the code of what is wrong with it."""

    number: int
    code: str


@dataclass(frozen=True)
class Loaded:
    """What became of the lines: new customers, those known as such from an earlier day on, and what was known."""

    new: int = 0
    earlier: int = 0
    unchanged: int = 0

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(self.new + other.new, self.earlier + other.earlier, self.unchanged + other.unchanged)


def read(file: Iterable[str], today: date) -> Iterator[Known | Wrong]:
    """Read a list in CSV, with commas or semicolons, one line at a time; other columns are passed over.

    Raises BadFile unless its first line names the columns.
    """
    for number, cells in csv_rows(file, COLUMNS):
        yield Wrong(number, "line_unreadable") if cells is None else _line(number, cells, today)


def refuse(wrong: int) -> None:
    """Raise BadFile for a list with so many lines that are wrong: nothing of it is to be loaded."""
    if wrong:
        raise BadFile("customers_with_mistakes", wrong=wrong)


def load(
    lines: Iterable[Known | Wrong],
    actor: Actor,
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Loaded:
    """Remember customers, each from the earliest day that any list has; what is wrong is passed over.

    With `dry_run` nothing is written. `progress` hears how many lines were done, again and again. Each batch is a
    transaction with its line in the audit log, so that what was stopped can be begun anew.
    """
    known = (line for line in lines if isinstance(line, Known))
    loaded = Loaded()
    while batch := list(islice(known, BATCH)):
        loaded += _compare(reading(), batch)[0] if dry_run else _store(batch, actor, now)
        progress(len(batch))
    return loaded


def count() -> int:
    """Count the customers who are known. One query."""
    return reading().scalar(select(func.count()).select_from(Customer)) or 0


def friend_was_one(session: Session, referral: Referral) -> bool:
    """Return whether the friend was a customer on an earlier day than that of the signup; part of a transaction.

    The day is that of the program's time zone, as those of the list are.
    """
    address, zone = session.execute(
        select(User.email, zone_in_force())
        .join(Profile, Profile.user_id == User.id)
        .where(Profile.id == referral.friend_id)
    ).one()
    since = session.scalar(select(Customer.since).where(Customer.address_hash == address_hash(canonical(address))))
    return since is not None and since < referral.created.astimezone(ZoneInfo(zone)).date()


def _line(number: int, cells: list[str], today: date) -> Known | Wrong:
    address, day = cells
    try:
        since = date.fromisoformat(day[:10])
        if since > today:
            return Wrong(number, "day_to_come")
        return Known(number, address_hash(canonical(normal(address))), since)
    except BadAddress as error:
        return Wrong(number, error.code)
    except ValueError:
        return Wrong(number, "day_malformed")


def _compare(session: Session, batch: list[Known]) -> tuple[Loaded, list[dict[str, Any]]]:
    """Return what is new in a batch, counted and as rows."""
    wanted: dict[str, date] = {}
    for line in batch:
        wanted[line.address_hash] = min(line.since, wanted.get(line.address_hash, line.since))
    rows = session.execute(
        select(Customer.address_hash, Customer.since).where(Customer.address_hash.in_(sorted(wanted)))
    )
    there: dict[str, date] = {row.address_hash: row.since for row in rows}
    better = [
        {"address_hash": each, "since": wanted[each]}
        for each in sorted(wanted)  # in one order, as two who load at once lock them
        if each not in there or wanted[each] < there[each]
    ]
    new = sum(row["address_hash"] not in there for row in better)
    return Loaded(new, len(better) - new, len(batch) - len(better)), better


def _store(batch: list[Known], actor: Actor, now: datetime) -> Loaded:
    with transaction() as session:
        loaded, rows = _compare(session, batch)
        if rows:
            statement = insert(Customer)
            earlier = statement.excluded.since < Customer.since
            statement = statement.on_conflict_do_update(
                index_elements=["address_hash"], set_={"since": statement.excluded.since}, where=earlier
            )
            session.execute(statement, rows)
            done = {"new": loaded.new, "earlier": loaded.earlier}
            audit.record(session, actor, "customers.import", "customers", None, {}, done, now)
    return loaded
