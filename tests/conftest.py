"""Fixtures. A test that touches the application runs on SQLite and on PostgreSQL, each on a database of its own.

One that asks the databases for nothing that another test does not ask both of them is marked `one_database`, alone or
with its class or module, and runs on SQLite: tests of headers, addresses, mail servers, settings, a Redis that is
away. What writes, locks, sorts, counts, compares or migrates runs on both, and so does every page and every command
at least once: `test_access.py` opens the pages. In a module with the mark a test runs on both all the same with
`@pytest.mark.parametrize("database", DATABASES, indirect=True)`.
"""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import event

from referralhub import create_app
from referralhub.config import Settings
from referralhub.extensions import db, huey, limiter
from referralhub.migrations import upgrade
from referralhub.models import MessageKind
from referralhub.services.accounts import passwords, signup
from referralhub.services.brand.in_force import InForce
from referralhub.services.mailing import outbox
from tests import servers
from tests.factories import member
from tests.pages import Visitor
from tests.people import Clock, Person, PostOffice, Records, path_of

DATABASES = ("sqlite", "postgresql")
SECRET_KEY = "a secret for tests alone: 0123456789abcdef"
_numbers = count()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give each test to the next free process, but the browser tests of one database to the same one.

    They share a running ReferralHub. (The plugin's own `loadgroup` is without effect on pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if not nodeid.startswith("tests/browser/"):
                return nodeid
            return next(name for name in DATABASES if name in nodeid)

    return Together(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that is marked so on SQLite alone, unless it names its databases itself."""
    test = metafunc.definition
    named = any(mark.args[0] == "database" for mark in test.iter_markers("parametrize"))
    if test.get_closest_marker("one_database") and "database" in metafunc.fixturenames and not named:
        test.add_marker(pytest.mark.parametrize("database", ["sqlite"], indirect=True))


@pytest.fixture(scope="session", autouse=True)
def _only_our_own_servers() -> Iterator[None]:
    """No test reaches beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test wants to talk to {address}")
        connect(self, address)

    socket.socket.connect = guarded
    yield
    socket.socket.connect = connect


@pytest.fixture(scope="session", autouse=True)
def _passwords_in_a_hurry() -> None:
    """Thousands of passwords are hashed here."""
    passwords._cost = passwords.Cost(passes=1, memory=8)


@pytest.fixture
def strong_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash as in production."""
    monkeypatch.setattr(passwords, "_cost", passwords.OWASP)


@pytest.fixture(scope="session")
def valkey() -> Iterator[servers.Valkey]:
    with servers.short_folder() as folder, servers.Valkey(folder) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.PostgreSQL]:
    with servers.short_folder() as folder, servers.PostgreSQL(folder) as server:
        server.execute("CREATE DATABASE migrated")
        _migrate(server.url("migrated"), folder)
        server.execute("CREATE DATABASE tests TEMPLATE migrated")
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables and nothing in them but the program."""
    folder = tmp_path_factory.mktemp("sqlite")
    _migrate(sqlite_url(folder / "migrated.sqlite3"), folder)
    return folder / "migrated.sqlite3"


def _migrate(url: str, folder: Path) -> None:
    app = create_app(make_settings(url, f"unix://{folder}/nothing.sock", folder))
    with app.app_context():
        upgrade()
        db.engine.dispose()


def sqlite_url(file: Path) -> str:
    return f"sqlite:///file:{file}?mode=rw&uri=true"


def make_settings(database_url: str, redis_url: str, instance: Path, **changes: object) -> Settings:
    usual = {
        "referralhub_env": "development",
        "secret_key": SECRET_KEY,
        "base_url": "http://localhost",
        "mail_url": "file:",
        "signup_limit": "20 per minute; 200 per hour",
        "web_threads": 100,  # for races; more than a web process has
    }
    return Settings(
        instance_path=instance, database_url=database_url, redis_url=redis_url, **(usual | changes)  # type: ignore[arg-type]  # the settings check it
    )  # fmt: skip


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Which database this run of the test is about."""
    return str(request.param)


@pytest.fixture(scope="session")
def instance_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("instance")


@pytest.fixture
def instance(instance_folder: Path) -> Path:
    """Where the application keeps its files: empty, and always the same folder, as a kept application knows it."""
    shutil.rmtree(instance_folder)
    instance_folder.mkdir()
    return instance_folder


@pytest.fixture
def database_url(database: str, instance: Path, request: pytest.FixtureRequest) -> str:
    """A migrated database with nobody in it: SQLite's is a copy, PostgreSQL's is emptied."""
    if database == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_file"), instance / "referralhub.sqlite3")
        return sqlite_url(instance / "referralhub.sqlite3")
    server: servers.PostgreSQL = request.getfixturevalue("postgresql")
    server.execute(_EMPTY, "tests")
    return server.url("tests")


# Deleting a few rows is many times as fast as TRUNCATE or a copy of the database. The first setting silences the
# triggers that keep the ledger from being deleted; nobody but a superuser may do that.
_TABLES = [table.name for table in db.metadata.sorted_tables if table.name not in {"program", "brand"}]
_EMPTY = "\n".join(
    [
        "SET session_replication_role = replica; SET lock_timeout = '5s';",
        *(f'DELETE FROM "{table}";' for table in _TABLES),
        "DELETE FROM program WHERE version > 1;",
        "DELETE FROM brand WHERE version > 1;",
        "SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences",
        "WHERE sequencename NOT IN ('program_id_seq', 'brand_id_seq');",
    ]
)


@contextmanager
def extra_database(kind: str, folder: Path, request: pytest.FixtureRequest, migrated: bool) -> Iterator[str]:
    """Make one more database and give its URL: empty, or migrated and without members."""
    if kind == "sqlite":
        file = folder / f"extra_{next(_numbers)}.sqlite3"
        if migrated:
            shutil.copyfile(request.getfixturevalue("migrated_file"), file)
        yield sqlite_url(file)
        return
    server: servers.PostgreSQL = request.getfixturevalue("postgresql")
    name = f"extra_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {'migrated' if migrated else 'template0'}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Each test has an application of its own; they need not compile the templates each time."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def make_app(
    database_url: str,
    valkey: servers.Valkey,
    instance: Path,
    clock: Clock,
    compiled_templates: FileSystemBytecodeCache,
) -> Iterator[Callable[..., Flask]]:
    """Build an application, with settings of the test's choice.

    The limiter and the queue are bound to the application that was built or lent last.
    """
    valkey.client.flushdb()
    limiter._storage_dead = False  # one object for the whole process: it may remember another test's outage
    apps: list[Flask] = []

    def make(redis_url: str = valkey.url, database_url: str = database_url, **changes: object) -> Flask:
        app = create_app(make_settings(database_url, redis_url, instance, **changes))
        app.config["CLOCK"] = clock
        app.jinja_env.bytecode_cache = compiled_templates
        with app.app_context():
            if db.engine.dialect.name == "sqlite":  # nothing here outlives the test, so nothing needs to reach the disk
                event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        apps.append(app)
        return app

    yield make
    for app in apps:
        _let_go(app)


def _let_go(app: Flask) -> None:
    """Close what an application has open."""
    if tally := app.extensions.get("tally"):
        tally.leave()
    with app.app_context():
        db.engine.dispose()
    app.extensions["redis"].close()


@dataclass
class KeptApp:
    """An application that one test after the other is lent, and how it was before the first of them."""

    app: Flask
    config: dict[str, object]
    extensions: list[tuple[object, dict[str, object]]]  # one object for the whole process, bound to one application

    def lend(self, clock: Clock) -> Flask:
        for extension, attributes in self.extensions:
            vars(extension).update(attributes)
        passwords.leave_room(self.app.config["SETTINGS"].web_threads)
        self.app.config["CLOCK"] = clock
        self.app.extensions["brand"] = InForce(clock)  # another test may have put another one in force
        return self.app

    @property
    def is_as_it_was(self) -> bool:
        return self.app.config | {"CLOCK": None} == self.config


@pytest.fixture(scope="session")
def kept_apps() -> Iterator[dict[object, KeptApp]]:
    apps: dict[object, KeptApp] = {}
    yield apps
    for kept in apps.values():
        _let_go(kept.app)


@pytest.fixture
def lend_app(
    make_app: Callable[..., Flask], database: str, database_url: str, clock: Clock, kept_apps: dict[object, KeptApp]
) -> Iterator[Callable[..., Flask]]:
    """Give an application with these settings, the same one for every test.

    To build one takes as long as ten requests, and each compiles its templates and its SQL anew. A test that changes
    an application, or is about how one starts, asks `make_app` for one of its own.
    """
    lent: list[Flask] = []

    def lend(**changes: object) -> Flask:
        key = (database_url, *sorted(changes.items()))
        if key in kept_apps and not kept_apps[key].is_as_it_was:
            _let_go(kept_apps.pop(key).app)
        if key not in kept_apps:
            app = make_app(**changes)
            bound = [(extension, vars(extension).copy()) for extension in (limiter, huey)]
            kept_apps[key] = KeptApp(app, app.config | {"CLOCK": None}, bound)
        lent.append(kept_apps[key].lend(clock))
        return lent[-1]

    yield lend
    if database == "sqlite":  # the next test has another file; on PostgreSQL a connection that stays is a warm one
        for app in lent:
            _let_go(app)


@pytest.fixture
def app(lend_app: Callable[..., Flask]) -> Flask:
    return lend_app()


@pytest.fixture
def unlimited_app(lend_app: Callable[..., Flask]) -> Flask:
    """An application for tests that send more forms than a person would."""
    return lend_app(ratelimit_enabled=False)


@pytest.fixture
def post_office(app: Flask) -> PostOffice:
    return PostOffice(app)


@pytest.fixture
def records(app: Flask) -> Records:
    return Records(app)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody whom nobody knows."""
    return Visitor(app)


@pytest.fixture
def admin(app: Flask, post_office: PostOffice, clock: Clock) -> Person:
    """Who runs the program, signed in."""
    person = Person(app, post_office, "grace")
    with app.app_context():
        signup.create_admin(person.username, person.email, person.password, clock())
    person.sign_in()
    return person


@pytest.fixture
def alice(app: Flask, post_office: PostOffice) -> Person:
    return Person(app, post_office, "alice")


@pytest.fixture
def link(alice: Person) -> str:
    """Alice's link, as a path."""
    alice.sign_up()
    return path_of(alice.link)


@pytest.fixture
def bob(app: Flask, post_office: PostOffice) -> Person:
    return Person(app, post_office, "bob")


@pytest.fixture
def charlie(app: Flask, post_office: PostOffice) -> Person:
    return Person(app, post_office, "charlie")


@dataclass
class Statements:
    """What was sent to the database; SQLite's BEGIN is not among it."""

    sent: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sent)

    def __str__(self) -> str:
        return "\n".join(self.sent)


@pytest.fixture
def count_queries(app: Flask) -> Callable[[], object]:
    """Count the statements of a block: `with count_queries() as statements: …; assert len(statements) == 1`.

    The brand is none of a page's own: a process asks for it after five seconds, or when everybody's figures are new.
    `test_kept_brand.py` holds that it is no more often.
    """

    @contextmanager
    def counting(of_brand: bool = False) -> Iterator[Statements]:
        statements = Statements()

        def note(_connection, _cursor, statement, *_) -> None:
            if of_brand or "FROM brand" not in statement:
                statements.sent.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return counting


@pytest.fixture
def queue(app: Flask, clock: Clock) -> Callable[..., None]:
    """Queue messages to a member: `queue("one", "two", kind=…, …)`."""
    member(app, "alice", clock())

    def put(
        *keys: str, kind: MessageKind = MessageKind.VERIFY_ADDRESS, address: str | None = None, **payload: object
    ) -> None:
        with app.app_context():
            for key in keys:
                outbox.queue(db.session(), kind, 1, key, payload, clock(), address=address)
            db.session.commit()

    return put
