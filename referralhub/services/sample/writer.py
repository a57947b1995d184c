"""Writing sample members into the tables: many rows at a time, all in the caller's transaction."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import func, select, text, union_all
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import (
    NO_PASSWORD,
    AuditLine,
    Channel,
    OwnCode,
    Profile,
    Reason,
    ReasonCode,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    Role,
    User,
    VisitDaily,
)
from referralhub.services.accounts import passwords
from referralhub.services.ledger import recount
from referralhub.services.links.visits import FOLDED
from referralhub.services.program import rules
from referralhub.services.referrals.lifecycle import EXPIRES_DAYS
from referralhub.services.sample import ledger
from referralhub.services.sample.people import HOSTS, Newcomer
from referralhub.services.sample.progress import PERCENT, watched
from referralhub.services.shared import audit, codes, tables
from referralhub.services.shared.tables import Row

PHASES = 6  # of writing: five tables that are worth watching, and the recount


class Writer:
    """Newcomers with the ids that their rows have, so that rows can name each other before they are there."""

    def __init__(
        self, session: Session, newcomers: Sequence[Newcomer], password_hash: str, folded_before: date
    ) -> None:
        self.session, self.newcomers = session, newcomers
        self.password_hash, self.folded_before = password_hash, folded_before
        self.random = Random(len(newcomers))  # noqa: S311 - the same numbers every time
        self.program = rules.current()
        self.ledger = ledger.keep(newcomers, self.program)
        friends = [position for position, newcomer in enumerate(newcomers) if newcomer.referrer is not None]
        self.user_ids = _reserve(session, User, len(newcomers))
        self.profile_ids = _reserve(session, Profile, len(newcomers))
        self.referral_ids = dict(zip(friends, _reserve(session, Referral, len(friends)), strict=True))
        self.entry_ids = _reserve(session, RewardEntry, len(self.ledger.entries))
        taken = union_all(select(Profile.code), select(OwnCode.code))
        self.codes = codes.new_codes(len(newcomers), set(session.scalars(taken)))
        self.visits: Counter[tuple[int, date, Channel]] = Counter()

    def write(self, progress: Callable[[int], None]) -> None:
        """Write everything but what people decided, table by table."""
        everybody, friends = range(len(self.newcomers)), list(self.referral_ids)
        tables.forget_plans(self.session)
        self._fill(User, map(self._user, watched(everybody, progress)))
        self._fill(Profile, map(self._profile, watched(everybody, progress)))
        self._fill(Referral, map(self._referral, watched(friends, progress)))
        self._fill(ReferralEvent, (step for friend in watched(friends, progress) for step in self._trail(friend)))
        self._fill(RewardEntry, map(self._entry, watched(range(len(self.entry_ids)), progress)))
        self._fill(VisitDaily, (_visit(*key, number) for key, number in self.visits.items() if number))

    def write_decisions(self) -> None:
        """Write the audit lines of what people decided, in the order of time; the last thing in a transaction."""
        lines = []
        decided = [(each.decided_at, position) for position, each in enumerate(self.newcomers) if each.decided_at]
        for at, position in sorted(decided):
            newcomer = self.newcomers[position]
            before = ReferralState.HELD if newcomer.state is ReferralState.REJECTED else ReferralState.CONFIRMED
            lines.append(
                AuditLine(
                    role=Role.OPERATOR, action=f"referral.{newcomer.state.value}", subject="referral",
                    subject_id=self.referral_ids[position], before={"state": before.value},
                    after={"state": newcomer.state.value}, reason=newcomer.reason, created=at,
                )
            )  # fmt: skip
        audit.append(self.session, lines)

    def _user(self, position: int) -> Row:
        member = self.newcomers[position]
        address = member.address or f"{member.username}@{self.random.choice(HOSTS)}"
        last_seen = member.joined + timedelta(days=self.random.expovariate(1 / 20))
        return {
            "id": self.user_ids[position],
            "username": member.username,
            "display_name": "",
            "email": address,
            "password_hash": self.password_hash,
            "is_admin": member.is_admin,
            "is_active": True,
            "verified_at": member.verified_at,
            "muted": [],
            "last_seen_at": min(last_seen, self.newcomers[-1].joined),  # nobody was seen in the future
            "created": member.joined,
        }

    def _profile(self, position: int) -> Row:
        member = self.newcomers[position]
        return {
            "id": self.profile_ids[position],
            "user_id": self.user_ids[position],
            "code": self.codes[position],
            "referred_by_id": None if member.referrer is None else self.profile_ids[member.referrer],
            "referral_count": 0,
            "greeting": member.greeting,
            "listed": True,
            "created": member.joined,
            "updated": member.joined,
        }

    def _referral(self, position: int) -> Row:
        """Make a referral's row, and count the visits that led to it."""
        member = self.newcomers[position]
        referrer = member.referrer or 0  # a friend has one
        referrer_id, earliest = self.profile_ids[referrer], self.newcomers[referrer].joined
        visited_at = max(earliest, member.joined - timedelta(hours=self.random.expovariate(1 / 6)))
        day = FOLDED if visited_at.date() < self.folded_before else visited_at.date()
        visitors = self.random.randint(1, 4) if member.visitors is None else member.visitors
        self.visits[referrer_id, day, member.channel] += visitors
        return {
            "id": self.referral_ids[position],
            "referrer_id": referrer_id,
            "friend_id": self.profile_ids[position],
            "program_id": self.program.id,
            "state": member.state,
            "channel": member.channel,
            "score": member.assessment and member.assessment["score"],
            "visited_at": visited_at,
            "created": member.joined,
            "decided_at": member.decided_at or _expired_at(member) or member.verified_at,
        }

    def _trail(self, position: int) -> Iterator[Row]:
        """Tell how a referral came to its state."""
        member, state, given = self.newcomers[position], ReferralState, self.ledger.given.get(position)
        judged = {"assessment": member.assessment} if member.assessment else {}
        kept_back = member.state in {state.HELD, state.REJECTED}

        def step(
            before: ReferralState | None, after: ReferralState, reason: Reason, at: datetime | None, **evidence: Any
        ) -> Row:
            row = {"referral_id": self.referral_ids[position], "from_state": before, "to_state": after}
            return row | {
                "reason_code": reason.code,
                "reason_values": reason.values,
                "evidence": evidence,
                "created": at,
            }

        verified = Reason(ReasonCode.ADDRESS_VERIFIED)
        yield step(None, state.PENDING, Reason(ReasonCode.SIGNED_UP), member.joined)
        if member.state is state.EXPIRED:
            reason = Reason(ReasonCode.NOT_VERIFIED_IN_TIME, {"days": EXPIRES_DAYS})
            yield step(state.PENDING, state.EXPIRED, reason, _expired_at(member))
        elif kept_back:
            yield step(state.PENDING, state.HELD, verified, member.verified_at, **judged)
        elif given is not None:
            yield step(state.PENDING, state.CONFIRMED, verified, member.verified_at, given=given, **judged)
        if member.decided_at:
            before = state.HELD if kept_back else state.CONFIRMED
            yield step(before, member.state, Reason.stated(member.reason), member.decided_at)

    def _entry(self, position: int) -> Row:
        entry = self.ledger.entries[position]
        reversal = entry.reverses is not None
        return {
            "id": self.entry_ids[position],
            "profile_id": self.profile_ids[entry.member],
            "referral_id": None if reversal else self.referral_ids[entry.friend],
            "reverses_id": None if entry.reverses is None else self.entry_ids[entry.reverses],
            "kind": entry.kind,
            "amount": entry.amount,
            "unit": self.program.ledger_unit,
            "balance": entry.balance,
            "number": entry.number,
            "mark": entry.mark,
            "note": entry.note,
            "available_at": entry.available_at,
            "created": entry.at,
        }

    def _fill(self, model: type[Any], rows: Iterator[Row]) -> None:
        tables.fill(self.session, model.__table__, rows)


def _visit(profile_id: int, day: date, channel: Channel, number: int) -> Row:
    key = {"profile_id": profile_id, "day": day, "channel": channel}
    return key | {"visits": number, "visitors": number, "bots": 0}


def _expired_at(member: Newcomer) -> datetime | None:
    return member.joined + timedelta(days=EXPIRES_DAYS) if member.state is ReferralState.EXPIRED else None


def _reserve(session: Session, model: type[Any], number: int) -> Sequence[int]:
    """Take so many ids, rising, that nobody else will get."""
    if session.connection().dialect.name == "postgresql":
        draw = func.nextval(func.pg_get_serial_sequence(f'"{model.__tablename__}"', "id"))
        return session.scalar(select(func.array_agg(draw)).select_from(func.generate_series(1, number))) or []
    first = (session.scalar(select(func.max(model.id))) or 0) + 1  # the transaction has SQLite's write lock
    return range(first, first + number)


def load(
    newcomers: Sequence[Newcomer],
    password: str | None,
    progress: Callable[[int], None],
    folded_before: date | None = None,
) -> bool:
    """Write the members with their referrals, ledger and visits, all or nothing.

    Nobody can sign in without a `password`. `progress` is told how many more hundredths of the PHASES are done. Visits
    of before the day `folded_before` are written as the worker leaves them: added up.
    Returns False, and writes nothing, when the first of them is here already.
    """
    if reading().scalar(select(User.id).where(User.username == newcomers[0].username)):
        return False
    password_hash = passwords.hash_password(password) if password else NO_PASSWORD
    with transaction() as session:
        writer = Writer(session, newcomers, password_hash, folded_before or date.min)
        writer.write(progress)
        if session.connection().dialect.name == "postgresql":
            session.execute(text("ANALYZE"))  # else it plans for tables as empty as they were a moment ago
        recount.refresh_caches(session, newcomers[-1].joined)
        progress(PERCENT)
        writer.write_decisions()
    return True
