"""The running program that the machine drives: its database, its Valkey, its clock, and ways for it to break."""

import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from flask import Flask
from redis import TimeoutError
from sqlalchemy import JSON, Table, event

from referralhub.extensions import db
from referralhub.models import Badge
from referralhub.models.base import UtcDateTime
from referralhub.services.accounts import credentials, passwords, sign_ins, tokens
from referralhub.services.conversions import posting
from referralhub.services.fulfilment import due
from referralhub.services.integration import event_customers, members, signups
from referralhub.services.ledger import badges, entries, leaderboard
from referralhub.services.mailing import outbox
from referralhub.services.perks import claims
from referralhub.services.recourse import belated
from referralhub.services.referrals import invitation_progress, transitions
from referralhub.services.shared import codes, figure_changes
from referralhub.services.shared.figure_changes import TRUSTED
from tests.people import Clock
from tests.properties.model import BADGES

# A Friday three hours before the end of a month that ends a week too; with a fraction, as real moments have.
START = datetime(2026, 2, 27, 21, 14, 33, 250_000, tzinfo=UTC)

# All but what Redis has yet to hear of figures and places: a look at them settles it.
UNHEARD = {"figure_change", "leaderboard_change"}
TABLES = [table for table in db.metadata.sorted_tables if table.name not in UNHEARD]
Tables = dict[str, list[Any]]  # a named tuple for each row

_Row = {table.name: namedtuple(table.name, [column.name for column in table.columns]) for table in TABLES}  # type: ignore[misc]  # names known at run time

# Where a request can be interrupted besides at a statement or a commit.
INNER = (
    (entries, "post"),
    (entries, "credit"),
    (entries, "take_back"),
    (transitions, "record"),
    (transitions, "count"),
    (badges, "adjust"),
    (leaderboard, "changed"),
    (outbox, "queue"),
    (outbox, "drop"),
    (claims, "_take_from_stock"),
    (credentials, "ask_to_verify"),
    (tokens, "use"),
    (tokens, "forget"),
    (sign_ins, "end_all"),
    (belated, "attach"),
    (posting, "reconcile"),
    (due, "refresh"),
    (event_customers, "attach"),
    (signups, "begin"),
    (invitation_progress, "erase"),
    (invitation_progress, "note_confirmed"),
)


class Crashed(BaseException):
    """What the machine throws into the middle of a request: like the end of a process, nothing may catch it."""


def _everything(dialect: str) -> str:
    """Write one query for the whole database: sixteen would take most of the machine's time."""
    parts = []
    for table in TABLES:
        order = ", ".join(f'"{column.name}"' for column in table.primary_key)
        if dialect == "sqlite":
            values = ", ".join(
                f'json("{c.name}")' if isinstance(c.type, JSON) else f'"{c.name}"' for c in table.columns
            )
            rows = f'SELECT * FROM "{table.name}" ORDER BY {order}'
            parts.append(f"(SELECT json_group_array(json_array({values})) FROM ({rows}))")
        else:
            values = ", ".join(f'"{column.name}"' for column in table.columns)
            parts.append(f'(SELECT json_agg(json_build_array({values}) ORDER BY {order})::text FROM "{table.name}")')
    return f"SELECT {', '.join(parts)}"


def _rows(table: Table, found: list[list[Any]]) -> list[Any]:
    moments = [position for position, column in enumerate(table.columns) if isinstance(column.type, UtcDateTime)]
    for values in found:
        for position in moments:
            if values[position]:
                moment = datetime.fromisoformat(values[position])
                values[position] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return [_Row[table.name](*values) for values in found]


class World:
    """One application on one database; `empty` makes that database as it was after migrating."""

    def __init__(self, app: Flask, clock: Clock, empty: Callable[[], None]) -> None:
        self.app = app
        self.clock = clock
        self.empty = empty
        self.changes: list[Callable[[World], None]] = []  # to the schema, after each emptying: deliberate faults
        self.redis = app.extensions["redis"]
        with app.app_context():
            self.engine = db.engine
        self._everything = _everything(self.engine.dialect.name)
        self._countdown: tuple[str, int] | None = None
        self.mishap = ""  # of the next request: Redis is "frozen", or the process is "killed" after the commit

    def begin(self) -> None:
        """Start anew: no members, no Redis keys, the first moment."""
        self.empty()
        for change in self.changes:
            change(self)
        self.redis.flushdb()
        self.clock.now = START
        self.mishap = ""
        self._drawn = self._made = 0

    def draw_code(self) -> str:
        self._drawn += 1
        return f"code{self._drawn:04}"

    def make_name(self, length: int = 0) -> str:
        """Give what is drawn by chance for a product's customers: by it, an example would be another each time."""
        self._made += 1
        return f"made{self._made:04}"

    @property
    def coming_code(self) -> str:
        """The code of whoever joins next."""
        return f"code{self._drawn + 1:04}"

    def read(self) -> Tables:
        """Give every row of every table."""
        with self.engine.connect() as connection:
            found = connection.exec_driver_sql(self._everything).one()
        return {table.name: _rows(table, json.loads(text or "[]")) for table, text in zip(TABLES, found, strict=True)}

    @contextmanager
    def running(self) -> Iterator["World"]:
        """Let badges and hashing be as the machine needs them, for the length of a run."""
        marks = {badge: mark for mark, badge in BADGES.items()}
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(Badge, "mark", property(lambda badge: marks[badge.value])))
            stack.enter_context(mock.patch.object(passwords, "hash_password", lambda password: f"hash of {password}"))
            stack.enter_context(mock.patch.object(codes, "new_code", self.make_name))
            stack.enter_context(mock.patch.object(members, "secrets", mock.Mock(token_hex=self.make_name)))
            stack.enter_context(mock.patch.object(figure_changes, "_tell", self._telling(figure_changes._tell)))
            # Instead of a second that passes.
            stack.enter_context(mock.patch.object(figure_changes, "sleep", lambda _: self.redis.delete(TRUSTED)))
            event.listen(self.engine, "before_cursor_execute", self._at_statement)
            stack.callback(event.remove, self.engine, "before_cursor_execute", self._at_statement)
            event.listen(db.session, "before_commit", self._at_commit)
            stack.callback(event.remove, db.session, "before_commit", self._at_commit)
            yield self

    def _telling(self, tell: Callable[..., None]) -> Callable[..., None]:
        def tell_unless(redis: Any, script: str, profile_ids: Any, token: str) -> None:
            if self.mishap == "frozen":
                raise TimeoutError("frozen")
            if not (self.mishap == "killed" and script == figure_changes.END):
                tell(redis, script, profile_ids, token)

        return tell_unless

    @contextmanager
    def breaking(self, where: str, after: int) -> Iterator[None]:
        """Interrupt what runs inside at its n-th statement, commit, or call of an inner function."""
        self._countdown = (where, after)
        with ExitStack() as stack:
            if where == "call":
                for module, name in INNER:
                    stack.enter_context(mock.patch.object(module, name, self._interruptible(getattr(module, name))))
            try:
                yield
            finally:
                self._countdown = None

    def _interruptible(self, function: Callable[..., object]) -> Callable[..., object]:
        def interruptible(*args: object, **values: object) -> object:
            self._count("call")
            result = function(*args, **values)
            self._count("call")
            return result

        return interruptible

    def _at_statement(self, *_: object) -> None:
        self._count("statement")

    def _at_commit(self, *_: object) -> None:
        self._count("commit")

    def _count(self, where: str) -> None:
        if self._countdown is None or self._countdown[0] != where:
            return
        left = self._countdown[1] - 1
        self._countdown = (where, left) if left else None
        if not left:
            raise Crashed
