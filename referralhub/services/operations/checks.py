"""What an installation is examined for, in the order in which it is reported."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import islice
from urllib.parse import urlsplit

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from redis import RedisError
from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.database import MIGRATIONS
from referralhub.extensions import db
from referralhub.models import User
from referralhub.services.accounts import passwords
from referralhub.services.ledger import recount
from referralhub.services.mailing import outbox
from referralhub.services.operations import heartbeat
from referralhub.services.operations.doctor import Check, Installation, Level, Remark
from referralhub.services.shared import audit
from referralhub.services.shared.errors import in_short

LARGEST_SKEW = 5.0  # seconds
SHOWN = 5  # drifts; `ledger verify` names them all
OVERDUE = timedelta(minutes=10)
SILENT = timedelta(minutes=3)
UPGRADE = "Run `flask --app wsgi db upgrade`."


def settings(found: Installation) -> Iterator[Remark]:
    """Settings for which the application refuses to start, a weak key among them."""
    for setting, wrong, remedy in found.problems:
        yield Remark(f"{setting} {wrong}.", f"{remedy[:1].upper()}{remedy[1:]}.")


def mode(found: Installation) -> Iterator[Remark]:
    """Whether strangers see what only developers should."""
    if found.settings.development:
        host = urlsplit(found.settings.base_url).hostname or ""
        if not _is_private(host):
            wrong = f"This is a development server, but its address {host} is public: anybody can read all mail."
            yield Remark(wrong, "Set REFERRALHUB_ENV=production.")
    elif found.debug:
        yield Remark("Debugging is on: errors show the program's insides.", "Unset FLASK_DEBUG.")


def database_setting(found: Installation) -> Iterator[Remark]:
    """Whether somebody chose the database."""
    if not found.settings.development and not found.settings.database_chosen:
        wrong = "DATABASE_URL is unset, so that everything is kept in a SQLite file in the instance folder."
        remedy = (
            "Set DATABASE_URL: to postgresql://…, or to sqlite:///… where one file on one machine is what you want."
        )
        yield Remark(wrong, remedy)


def cookies(found: Installation) -> Iterator[Remark]:
    """Whether session cookies travel encrypted only."""
    if not found.settings.development and urlsplit(found.settings.base_url).scheme != "https":
        wrong = "BASE_URL begins with http:, so that cookies are sent unencrypted and can be stolen."
        yield Remark(wrong, "Serve the site by https, and set BASE_URL to that address.")


def proxies(found: Installation) -> Iterator[Remark]:
    """Whether clients' addresses are theirs."""
    if found.settings.trusted_proxies == 0 and urlsplit(found.settings.base_url).scheme == "https":
        wrong = "TRUSTED_PROXIES is 0: if a proxy does the https, all visitors seem to come from its address."
        yield Remark(wrong, "Set TRUSTED_PROXIES to the number of proxies in front, usually 1.", Level.HINT)


def mail(found: Installation) -> Iterator[Remark]:
    """Whether mail can be handed over: everything is done but to send one."""
    if not found.settings.development and urlsplit(found.settings.mail_url).scheme == "file":
        remedy = "Set MAIL_URL to your mail server: smtp://user:password@host:587?tls=1"
        yield Remark("MAIL_URL is file:, so that no mail reaches anybody.", remedy)
    try:
        found.check_mail(found.settings)
    except (OSError, ValueError) as error:
        where = urlsplit(found.settings.mail_url).hostname or "its folder"
        remedy = (
            "Mend MAIL_URL or what it names. A port for STARTTLS, mostly 587, and ?tls=1 are meant; 465 is not spoken."
        )
        yield Remark(f"No mail can be handed over to {where}: {in_short(error)}", remedy)


def database(_: Installation) -> Iterator[Remark]:
    """Whether the database answers."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        remedy = "Start it, or mend DATABASE_URL."
        if db.engine.dialect.name == "sqlite":
            remedy = f"{UPGRADE} That makes the file of a new installation; else put back the one there was."
        yield Remark(f"The database does not answer: {in_short(error)}", remedy)


def database_clock(found: Installation) -> Iterator[Remark]:
    """Whether the database server's clock is ours; SQLite has none of its own."""
    if db.engine.dialect.name == "postgresql":
        before = found.clock()
        yield from _skew(
            "database server", before, db.session.execute(text("SELECT clock_timestamp()")).scalar_one(), found
        )


def migrations(_: Installation) -> Iterator[Remark]:
    """Whether the tables are those of this version."""
    scripts = ScriptDirectory(MIGRATIONS)
    with db.engine.connect() as connection:
        current = set(MigrationContext.configure(connection).get_current_heads())
    known = {script.revision for script in scripts.walk_revisions()}
    if current - known:
        wrong = f"The database is at {', '.join(sorted(current - known))}, which this version does not know."
        yield Remark(wrong, "A newer version was here: install that one again, or restore a backup from before it.")
    elif current != set(scripts.get_heads()):
        yield Remark("The database is not up to date: migrations are pending.", UPGRADE)


def redis(found: Installation) -> Iterator[Remark]:
    """Whether Redis answers."""
    try:
        found.redis.ping()
    except RedisError as error:
        remedy = (
            "Start it, or mend REDIS_URL. Where that is unset, `make run` or `python -m referralhub.launch` starts one."
        )
        yield Remark(f"Redis does not answer: {in_short(error)}", remedy)


def redis_clock(found: Installation) -> Iterator[Remark]:
    """Whether the clock of Redis's machine is ours."""
    before = found.clock()
    seconds, microseconds = found.redis.time()
    theirs = datetime.fromtimestamp(seconds, tz=before.tzinfo) + timedelta(microseconds=microseconds)
    yield from _skew("Redis server", before, theirs, found)


def worker(found: Installation) -> Iterator[Remark]:
    """Whether the worker gave a sign of life in the last minutes."""
    seen, now = heartbeat.last(found.redis), found.clock()
    if seen is None or now - seen > SILENT:
        since = f"since {seen:%Y-%m-%d %H:%M} UTC" if seen else "yet"
        wrong = f"The worker gave no sign of life {since}: no mail is sent, and figures fall behind."
        yield Remark(wrong, "Run `flask --app wsgi worker` beside the web server, as the Procfile does.")


def outgoing_mail(found: Installation) -> Iterator[Remark]:
    """Whether mail leaves in time."""
    backlog, now = outbox.backlog(found.clock()), found.clock()
    if backlog.oldest_due and now - backlog.oldest_due > OVERDUE:
        minutes = int((now - backlog.oldest_due).total_seconds() // 60)
        wrong = f"Mail should have been sent {minutes} minutes ago; {backlog.waiting} messages wait."
        yield Remark(wrong, "See that the worker runs, and what it logs.")
    if backlog.dead:
        wrong = f"{backlog.dead} messages could not be delivered."
        yield Remark(wrong, "`flask --app wsgi mail dead` says why, `mail resend` sends them again.", Level.HINT)


def accounts(found: Installation) -> Iterator[Remark]:
    """Whether anybody runs the program, and only those who should."""
    admin = User.is_admin & User.is_active
    if not db.session.scalar(select(exists().where(admin))):
        remedy = "Run `flask --app wsgi users create-admin`."
        yield Remark("There is no admin, so that nobody can look after held referrals.", remedy, Level.HINT)
    if found.settings.development:
        return
    samples = func.lower(User.username).in_([DEMO_MEMBER, DEMO_ADMIN]) & User.is_active
    for user in db.session.scalars(select(User).where(samples)):
        if passwords.matches(user.password_hash, DEMO_PASSWORD):
            wrong = f"{user.username} is an account of `seed demo`, whose password is printed for everyone."
            yield Remark(wrong, "Change its password on its account page, or delete it there.")


def ledger(found: Installation) -> Iterator[Remark]:
    """Whether everything follows from the ledger, as `ledger verify` sees it."""
    drifts: list[str] = []
    with suppress(RedisError):  # it is reported by itself; the rest was compared
        drifts.extend(islice(recount.drifts(found.redis, found.clock()), SHOWN + 1))
    if drifts:
        more = "; and more" if len(drifts) > SHOWN else ""
        remedy = "`flask --app wsgi ledger verify` lists all of it, and with --repair mends what is only a copy."
        yield Remark(f"What is kept differs from a recount: {'; '.join(drifts[:SHOWN])}{more}", remedy)


def audit_log(_: Installation) -> Iterator[Remark]:
    """Whether the chain of the audit log is whole."""
    broken_at = audit.verify().broken_at
    if broken_at is not None:
        remedy = "Somebody with access to the database did that. Compare with a backup to see what it said."
        yield Remark(f"Line {broken_at} of the audit log was changed, put in, or follows a line that is gone.", remedy)


def _skew(whose: str, before: datetime, theirs: datetime, found: Installation) -> Iterator[Remark]:
    """Compare with the moments just before and after the question, so that a slow answer is no skew."""
    early, late = (before - theirs).total_seconds(), (theirs - found.clock()).total_seconds()
    if max(early, late) > LARGEST_SKEW:
        wrong = f"The {whose}'s clock differs from this machine's by {max(early, late):.0f} seconds."
        yield Remark(wrong, "Let all machines keep time by NTP, such as systemd-timesyncd or chrony.")


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
    Check("database", database, ("DATABASE_URL",)),
    Check("database_clock", database_clock, ("database",)),
    Check("migrations", migrations, ("database",)),
    Check("redis", redis, ("REDIS_URL",)),
    Check("redis_clock", redis_clock, ("redis",)),
    Check("worker", worker, ("redis",)),
    Check("outgoing_mail", outgoing_mail, ("migrations",)),
    Check("accounts", accounts, ("migrations",)),
    Check("ledger", ledger, ("migrations",), patience=300),
    Check("audit_log", audit_log, ("migrations",), patience=300),
)
