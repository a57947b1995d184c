"""What an installation is examined for, in the order in which it is reported."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import chain, islice
from urllib.parse import urlsplit

from redis import RedisError, ResponseError
from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from referralhub import openid_settings
from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.database import MIGRATIONS, dialect, reading
from referralhub.models import Scope, User
from referralhub.services.accounts import passwords
from referralhub.services.conversions import earning
from referralhub.services.conversions import recount as conversions
from referralhub.services.conversions.earning import SIGNUP
from referralhub.services.integration import connection as product
from referralhub.services.integration import signups
from referralhub.services.ledger import recount
from referralhub.services.ledger.recount import Drift
from referralhub.services.mailing import outbox
from referralhub.services.operations import heartbeat
from referralhub.services.operations import proxies as proxy_count
from referralhub.services.operations.doctor import Check, Installation, Level, Remark
from referralhub.services.operations.redis_trial import remark_of, try_out
from referralhub.services.shared import audit, sealing
from referralhub.services.shared.errors import in_short
from referralhub.services.webhooks import log as webhook_log

LARGEST_SKEW = 5.0  # seconds
SHOWN = 5  # drifts; `ledger verify` names them all
OVERDUE = timedelta(minutes=10)
SILENT = timedelta(minutes=3)
MANY_CLICKS = 50  # in a week, of which some sign up
STUCK: dict[str, str] = {  # what is said of events that wait for this; of most customers there is no signup to wait for
    signups.Why.UNKNOWN_CODE: "events_without_member",
    earning.Why.UNKNOWN_PURCHASE: "refunds_without_purchase",
}


def settings(found: Installation) -> Iterator[Remark]:
    """Settings for which the application refuses to start, a weak key among them."""
    for problem in found.problems:
        yield Remark("setting", problem._asdict())


def mode(found: Installation) -> Iterator[Remark]:
    """Whether strangers see what only developers should."""
    if found.settings.development:
        host = urlsplit(found.settings.base_url).hostname or ""
        if not _is_private(host):
            yield Remark("development_in_public", {"host": host})
    elif found.debug:
        yield Remark("debugging")


def database_setting(found: Installation) -> Iterator[Remark]:
    """Whether somebody chose the database."""
    if not found.settings.development and not found.settings.database_chosen:
        yield Remark("database_not_chosen")


def cookies(found: Installation) -> Iterator[Remark]:
    """Whether session cookies travel encrypted only."""
    if not found.settings.development and urlsplit(found.settings.base_url).scheme != "https":
        yield Remark("cookies_unencrypted")


def proxies(found: Installation) -> Iterator[Remark]:
    """Whether clients' addresses are theirs."""
    if found.settings.trusted_proxies == 0 and urlsplit(found.settings.base_url).scheme == "https":
        yield Remark("no_trusted_proxies", level=Level.HINT)


def mail(found: Installation) -> Iterator[Remark]:
    """Whether mail can be handed over: everything is done but to send one."""
    if not found.settings.development and urlsplit(found.settings.mail_url).scheme == "file":
        yield Remark("mail_to_files")
    try:
        found.check_mail(found.settings)
    except (OSError, ValueError) as error:
        host = urlsplit(found.settings.mail_url).hostname
        if host:
            yield Remark("mail_server_refuses", {"host": host, "error": in_short(error)})
        else:
            yield Remark("mail_folder_refuses", {"error": in_short(error)})


def provider(found: Installation) -> Iterator[Remark]:
    """Whether the provider that admins sign in with says of itself what it must."""
    if found.settings.oidc_discovery_url:
        try:
            found.check_provider(found.settings)
        except Exception as error:  # of whatever library asks it
            yield Remark("provider_away", {"error": in_short(error)})


def database(_: Installation) -> Iterator[Remark]:
    """Whether the database answers."""
    try:
        reading().execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        code = "database_file_away" if dialect() == "sqlite" else "database_away"
        yield Remark(code, {"error": in_short(error)})


def database_clock(found: Installation) -> Iterator[Remark]:
    """Whether the database server's clock is ours; SQLite has none of its own."""
    if dialect() == "postgresql":
        before = found.clock()
        yield from _skew(
            "database_clock_differs", before, reading().execute(text("SELECT clock_timestamp()")).scalar_one(), found
        )


def migrations(_: Installation) -> Iterator[Remark]:
    """Whether the tables are those of this version."""
    from alembic.migration import MigrationContext  # noqa: PLC0415 - no web process needs Alembic
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    scripts = ScriptDirectory(MIGRATIONS)
    current = set(MigrationContext.configure(reading().connection()).get_current_heads())
    known = {script.revision for script in scripts.walk_revisions()}
    if current - known:
        yield Remark("database_is_newer", {"revisions": ", ".join(sorted(current - known))})
    elif current != set(scripts.get_heads()):
        yield Remark("migrations_pending")


def redis(found: Installation) -> Iterator[Remark]:
    """Whether Redis does what pages ask of it."""
    try:
        try_out(found.redis)
    except RedisError as error:
        yield remark_of(error)


def redis_memory(found: Installation) -> Iterator[Remark]:
    """Whether Redis throws away what it was given; a provider may not let us ask."""
    with suppress(ResponseError):
        memory = found.redis.info("memory")
        policy = memory.get("maxmemory_policy", "noeviction")
        if memory.get("maxmemory") and policy != "noeviction":
            yield Remark("redis_evicts", {"policy": policy}, Level.HINT)


def redis_clock(found: Installation) -> Iterator[Remark]:
    """Whether the clock of Redis's machine is ours."""
    before = found.clock()
    seconds, microseconds = found.redis.time()
    theirs = datetime.fromtimestamp(seconds, tz=before.tzinfo) + timedelta(microseconds=microseconds)
    yield from _skew("redis_clock_differs", before, theirs, found)


def proxies_there(found: Installation) -> Iterator[Remark]:
    """Whether requests come through as many proxies as are believed."""
    believed = found.settings.trusted_proxies
    fewest = proxy_count.fewest(found.redis, believed + 1)
    if not believed or fewest is None:
        return
    if fewest < believed:
        yield Remark("too_many_trusted_proxies", {"believed": believed, "found": fewest})
    elif fewest > believed:  # where hardly anybody came, it may be one who made an address up
        yield Remark("too_few_trusted_proxies", {"believed": believed}, Level.HINT)


def worker(found: Installation) -> Iterator[Remark]:
    """Whether the worker gave a sign of life in the last minutes."""
    seen, now = heartbeat.last(found.redis), found.clock()
    if seen is None or now - seen > SILENT:
        if seen:
            yield Remark("worker_silent", {"since": _minute(seen)})
        else:
            yield Remark("worker_never_seen")


def outgoing_mail(found: Installation) -> Iterator[Remark]:
    """Whether mail leaves in time."""
    backlog, now = outbox.backlog(found.clock()), found.clock()
    if backlog.oldest_due and now - backlog.oldest_due > OVERDUE:
        minutes = int((now - backlog.oldest_due).total_seconds() // 60)
        yield Remark("mail_overdue", {"minutes": minutes, "waiting": backlog.waiting})
    if backlog.dead:
        yield Remark("dead_letters", {"messages": backlog.dead}, Level.HINT)


def webhooks(found: Installation) -> Iterator[Remark]:
    """Whether what is told arrives in time."""
    backlog, now = webhook_log.backlog(found.clock()), found.clock()
    if backlog.oldest_due and now - backlog.oldest_due > OVERDUE:
        minutes = int((now - backlog.oldest_due).total_seconds() // 60)
        yield Remark("webhooks_overdue", {"minutes": minutes, "waiting": backlog.waiting})
    if backlog.failing:
        yield Remark("webhooks_failing", {"endpoints": backlog.failing}, Level.HINT)
    if backlog.off:
        yield Remark("webhooks_off", {"endpoints": backlog.off}, Level.HINT)
    if backlog.given_up:
        yield Remark("webhooks_given_up", {"messages": backlog.given_up}, Level.HINT)
    if found.settings.webhook_private_addresses and not found.settings.development:
        yield Remark("webhooks_to_private_addresses", level=Level.HINT)


def connection(found: Installation) -> Iterator[Remark]:
    """Whether the product that has a key still tells what happens, and whether that can be used."""
    now = found.clock()
    for waits in product.stuck(now):
        if waits.reason_code in STUCK:
            yield Remark(STUCK[waits.reason_code], {"events": waits.number, "since": _minute(waits.since)}, Level.HINT)
    state = product.read(now)
    if not any(Scope.EVENTS.value in key.scopes for key in state.keys):
        return
    for name, seen in product.silent(now, state.events).items():
        values = {"type": name, "since": _minute(seen.last), "events": seen.week}
        yield Remark("events_silent", values, Level.HINT)
    if state.program.destination and state.clicks.week >= MANY_CLICKS and not state.events[SIGNUP].week:
        yield Remark("clicks_without_signups", {"clicks": state.clicks.week}, Level.HINT)


def accounts(found: Installation) -> Iterator[Remark]:
    """Whether anybody runs the program, and only those who should."""
    admin = User.is_admin & User.is_active
    if not reading().scalar(select(exists().where(admin))):
        yield Remark("no_admin", level=Level.HINT)
    if found.settings.development:
        return
    samples = func.lower(User.username).in_([DEMO_MEMBER, DEMO_ADMIN]) & User.is_active
    for user in reading().scalars(select(User).where(samples)):
        if passwords.matches(user.password_hash, DEMO_PASSWORD):
            yield Remark("demo_account", {"username": user.username})


def two_factor(found: Installation) -> Iterator[Remark]:
    """Whether the codes of apps can be checked, and who of the admins has none though that is required."""
    sealed = reading().scalar(select(User.totp_secret).where(User.totp_secret.is_not(None)).limit(1))
    if sealed:
        try:
            sealing.unseal(sealed, found.settings.secret_key)
        except sealing.Unreadable:
            yield Remark("two_factor_unreadable")
    if found.settings.require_admin_two_factor:
        without = (User.is_admin, User.is_active, User.totp_secret.is_(None))
        if number := reading().scalar(select(func.count()).select_from(User).where(*without)):
            yield Remark("admins_without_two_factor", {"number": number}, Level.HINT)


def ledger(found: Installation) -> Iterator[Remark]:
    """Whether everything follows from the ledger, as `ledger verify` sees it."""
    drifts: list[Drift] = []
    with suppress(RedisError):  # it is reported by itself; the rest was compared
        every = chain(conversions.drifts(), recount.drifts(found.redis, found.clock()))
        drifts.extend(islice(every, SHOWN + 1))
    if drifts:
        yield Remark("drifts", {"first": drifts[:SHOWN], "more": len(drifts) > SHOWN})


def audit_log(_: Installation) -> Iterator[Remark]:
    """Whether the chain of the audit log is whole."""
    broken_at = audit.verify().broken_at
    if broken_at is not None:
        yield Remark("audit_log_broken", {"line": str(broken_at)})


def _skew(code: str, before: datetime, theirs: datetime, found: Installation) -> Iterator[Remark]:
    """Compare with the moments just before and after the question, so that a slow answer is no skew."""
    early, late = (before - theirs).total_seconds(), (theirs - found.clock()).total_seconds()
    if max(early, late) > LARGEST_SKEW:
        yield Remark(code, {"seconds": round(max(early, late))})


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".test"))


CHECKS = (
    Check("settings", settings),
    Check("mode", mode),
    Check("database_setting", database_setting, ("DATABASE_URL",)),
    Check("cookies", cookies, ("BASE_URL",)),
    Check("proxies", proxies, ("TRUSTED_PROXIES", "BASE_URL")),
    Check("mail", mail, ("MAIL_URL",)),
    Check("provider", provider, openid_settings.NAMES),
    Check("database", database, ("DATABASE_URL",)),
    Check("database_clock", database_clock, ("database",)),
    Check("migrations", migrations, ("database",)),
    Check("redis", redis, ("REDIS_URL",)),
    Check("redis_memory", redis_memory, ("redis",)),
    Check("redis_clock", redis_clock, ("redis",)),
    Check("proxies_there", proxies_there, ("redis", "TRUSTED_PROXIES")),
    Check("worker", worker, ("redis",)),
    Check("outgoing_mail", outgoing_mail, ("migrations",)),
    Check("webhooks", webhooks, ("migrations",)),
    Check("connection", connection, ("migrations",)),
    Check("accounts", accounts, ("migrations",)),
    Check("two_factor", two_factor, ("migrations", "SECRET_KEY")),
    Check("ledger", ledger, ("migrations",), patience=300),
    Check("audit_log", audit_log, ("migrations",), patience=300),
)
