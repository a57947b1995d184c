"""Figures for a monitoring system: how much there is, and what waits for too long."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from referralhub.database import dialect, reading
from referralhub.models import (
    AuditLine,
    Conversion,
    Event,
    EventState,
    Referral,
    ReferralState,
    Reward,
    RewardEntry,
    RewardKind,
    RewardState,
    User,
    VisitDaily,
)
from referralhub.services.integration import connection
from referralhub.services.mailing import outbox
from referralhub.services.webhooks import log as webhook_log

NO_TIME = timedelta(0)
OTHER = "other"
SERVER = {  # how large the database is; connections that its server has, and may have at most
    "sqlite": text("SELECT page_count * page_size, 0, NULL FROM pragma_page_count, pragma_page_size"),
    "postgresql": text(
        "SELECT pg_database_size(current_database()), sum(numbackends), current_setting('max_connections')::int "
        "FROM pg_stat_database"
    ),
}


@dataclass(frozen=True)
class Figures:
    """All of them at one moment; an age is no time where nothing waits."""

    members: int  # whose account is open
    referrals: Mapping[ReferralState, int]
    oldest_held: timedelta
    visits: int
    visitors: int
    bots: int
    ledger_entries: Mapping[RewardKind, int]
    events: Mapping[tuple[str, EventState], int]  # by type: `OTHER` is all that products named themselves
    conversions: int
    rewards: Mapping[RewardState, int]
    mail_waiting: int
    mail_dead: int
    oldest_due_mail: timedelta
    webhooks_waiting: int
    webhooks_given_up: int
    oldest_due_webhook: timedelta
    webhooks_off: int  # endpoints
    last_audit_line: int
    database_bytes: int
    connections: int  # of the database's server, whoever has them
    connections_limit: int | None


def read(now: datetime) -> Figures:
    """Read the figures. Twelve queries, whatever there is."""
    members = reading().scalar(select(func.count()).select_from(User).where(User.is_active)) or 0
    states = {
        state: (number, since)
        for state, number, since in reading().execute(
            select(Referral.state, func.count(), func.min(func.coalesce(Referral.decided_at, Referral.created)))
            .group_by(Referral.state)
        )
    }  # fmt: skip
    held_since = states.get(ReferralState.HELD, (0, None))[1]
    visits, visitors, bots = (
        reading()
        .execute(select(func.sum(VisitDaily.visits), func.sum(VisitDaily.visitors), func.sum(VisitDaily.bots)))
        .one()
    )
    by_kind = select(RewardEntry.kind, func.count()).group_by(RewardEntry.kind)
    entries = {kind: number for kind, number in reading().execute(by_kind)}  # noqa: C416 - a Row is no pair for dict()
    by_state = select(Reward.state, func.count()).group_by(Reward.state)
    rewards = {state: number for state, number in reading().execute(by_state)}  # noqa: C416 - as above
    backlog, webhooks = outbox.backlog(now), webhook_log.backlog(now)
    size, connections, limit = reading().execute(SERVER[dialect()]).one()
    return Figures(
        members=members,
        referrals={state: states.get(state, (0, None))[0] for state in ReferralState},
        oldest_held=now - held_since if held_since else NO_TIME,
        visits=visits or 0,
        visitors=visitors or 0,
        bots=bots or 0,
        ledger_entries={kind: entries.get(kind, 0) for kind in RewardKind},
        events=_events(),
        conversions=reading().scalar(select(func.count()).select_from(Conversion)) or 0,
        rewards={state: rewards.get(state, 0) for state in RewardState},
        mail_waiting=backlog.waiting,
        mail_dead=backlog.dead,
        oldest_due_mail=now - backlog.oldest_due if backlog.oldest_due else NO_TIME,
        webhooks_waiting=webhooks.waiting,
        webhooks_given_up=webhooks.given_up,
        oldest_due_webhook=now - webhooks.oldest_due if webhooks.oldest_due else NO_TIME,
        webhooks_off=webhooks.off,
        last_audit_line=reading().scalar(select(func.max(AuditLine.id))) or 0,
        database_bytes=size,
        connections=connections,
        connections_limit=limit,
    )


def _events() -> dict[tuple[str, EventState], int]:
    """Count events by type and state. What products name themselves is one type, lest there are names without end."""
    counts = {(name, state): 0 for name in (*connection.USUAL, OTHER) for state in EventState}
    query = select(Event.type, Event.state, func.count()).group_by(Event.type, Event.state)
    for name, state, number in reading().execute(query):
        counts[name if name in connection.USUAL else OTHER, state] += number
    return counts
