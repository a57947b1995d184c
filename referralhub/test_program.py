"""The test program: what test keys write to, with its own members, events and ledger.

It is this application a second time, in the same process: with a database, Redis keys, cookies and a secret of its own,
so that nothing of it can reach the real program, whose code knows of no difference. It is loaded when it is first asked
for. It answers below `/_test/`, where no code and no page of ours can be, and calls of the API that come with its keys.
"""

import hashlib
import hmac
import re
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Flask, current_app, g
from redis import RedisError
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from referralhub import migrations, test_database
from referralhub.config import Settings
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import ONLY_PRODUCT, ApiKey, Scope
from referralhub.observing import context
from referralhub.public_address import TEST_PROGRAM
from referralhub.services.integration import keys
from referralhub.services.program import rules
from referralhub.services.shared import audit
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import Conflict, NotFound, in_short

MOUNT = f"/{TEST_PROGRAM}"  # below BASE_URL
API = "/api/"
KEY = re.compile(rf"bearer\s+{keys.TEST_PREFIX}", re.IGNORECASE | re.ASCII)
REDIS_PREFIX = "referralhub-test:"
FOLDER = "test-program"  # in the instance folder: what would be sent as mail


def settings_of(real: Settings) -> Settings:
    """Return the settings of the test program beside a real one.

    Its mail goes to files, nobody is signed in by a provider, and it is in no figure. What proxies say is believed, or
    not, before it is asked.
    """
    return replace(
        real,
        test_program=True,
        instance_path=real.instance_path / FOLDER,
        secret_key=hmac.new(real.secret_key.encode(), b"test program", hashlib.sha256).hexdigest(),
        database_url=test_database.address(real.database_url),
        base_url=real.base_url + MOUNT,
        mail_url="file:",
        trusted_proxies=0,
        oidc_discovery_url="",
        metrics_token="",
        otel_exporter_otlp_endpoint="",
        sentry_dsn="",
        debug_toolbar=False,
    )


class TestProgram:
    """The test program beside a real one, whether there is any yet or not."""

    __test__ = False  # pytest takes its name for a test's

    def __init__(self, real: Flask, wire: Callable[[Settings, Flask], Flask]) -> None:
        self.real, self._wire = real, wire
        self._app: Flask | None = None
        self._lock, self._making = threading.Lock(), threading.Lock()

    @property
    def app(self) -> Flask:
        """The application that it is; it need not be there for that."""
        with self._lock:
            if self._app is None:
                self._app = self._wire(settings_of(self.real.config["SETTINGS"]), self.real)
                self._app.config["CLOCK"] = lambda: self.real.config["CLOCK"]()  # noqa: PLW0108 - it may get another
            return self._app

    def is_there(self) -> bool:
        """Whether somebody has made it. At most one query."""
        with self.real.app_context():
            g.in_a_hurry = True
            return test_database.is_there(db.engine)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let it be the application at work. Raises NotFound where there is none."""
        if not self.is_there():
            raise NotFound("no_test_program")
        with self.app.app_context():
            yield

    def make(self, now: datetime) -> None:
        """Make it, unless it is there, with the rules of the real program. Two who do so at once make the same one.

        Raises Conflict where the database does not allow it.
        """
        with self._making:  # Alembic is for one thread of a process
            if not self.is_there():
                self._make(now)

    def _make(self, now: datetime) -> None:
        with self.real.app_context():
            in_force = rules.rules_of(rules.current())
            try:
                fresh = test_database.make_room(db.engine)
            except ProgrammingError as error:
                raise Conflict("test_program_refused", why=in_short(error)) from error
        if fresh:
            with suppress(RedisError):  # what an earlier one left is of members with the same numbers
                self._forget()
        with self.app.app_context():
            try:
                migrations.upgrade()
            except SystemExit:  # the library has said why
                raise Conflict("test_program_refused", why="the migrations failed") from None
            rules.put_in_force(in_force, now)

    def delete(self, actor: Actor, now: datetime) -> bool:
        """Delete everything in it, its keys and its mail. Returns whether Redis was told; if not, keys stay there.

        Raises NotFound where there is none.
        """
        if not self.is_there():
            raise NotFound("no_test_program")
        with transaction() as session:
            test_database.delete(session.connection())
            audit.record(session, actor, "test_program.delete", "test_program", None, {}, {}, now)
        shutil.rmtree(settings_of(self.real.config["SETTINGS"]).instance_path, ignore_errors=True)
        try:
            self._forget()
        except RedisError:
            return False
        return True

    def _forget(self) -> None:
        redis = self.real.extensions["redis"]
        for key in redis.scan_iter(match=f"{REDIS_PREFIX}*", count=1000):
            redis.unlink(key)


class Handover:
    """WSGI middleware: hands to the test program what is below its path or comes with one of its keys."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], program: TestProgram) -> None:
        self.inner, self.program = inner, program

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Hand it over, or go on. Where there is no test program, the real one knows neither the page nor the key."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(MOUNT):
            below = path.removeprefix(MOUNT) or "/"
        elif "HTTP_AUTHORIZATION" in environ and path.startswith(API) and KEY.match(environ["HTTP_AUTHORIZATION"]):
            below = path
        else:
            return self.inner(environ, start_response)
        if not below.startswith("/") or not self._is_there():
            return self.inner(environ, start_response)
        context.note(test=True)
        environ["SCRIPT_NAME"] += MOUNT
        environ["PATH_INFO"] = below
        return self.program.app(environ, start_response)

    def _is_there(self) -> bool:
        try:
            return self.program.is_there()
        except SQLAlchemyError:  # the real program says that the database is away
            return False


def init_app(app: Flask, wire: Callable[[Settings, Flask], Flask]) -> None:
    """Let an application have a test program. `wire` makes one of settings, beside the real one."""
    program = app.extensions["test_program"] = TestProgram(app, wire)
    app.wsgi_app = Handover(app.wsgi_app, program)  # type: ignore[method-assign]  # how Flask takes middleware


def beside() -> TestProgram | None:
    """Return the test program of the application at work; None where that is one itself."""
    found: TestProgram | None = current_app.extensions.get("test_program")
    return found


def delete(actor: Actor, now: datetime) -> bool:
    """Delete the test program beside the application at work, as `TestProgram.delete` does. Raises NotFound."""
    program = beside()
    if program is None:
        raise NotFound("no_test_program")
    return program.delete(actor, now)


def create_key(
    name: str,
    scopes: Collection[Scope],
    actor: Actor,
    now: datetime,
    *,
    product: str = ONLY_PRODUCT,
    expires_at: datetime | None = None,
    for_tests: bool = False,
) -> tuple[ApiKey, str]:
    """Make a key, for the test program if it is `for_tests`, which the first one makes; return it with its secret.

    Raises what `keys.create` and `TestProgram.make` raise.
    """
    program = beside()
    if program is None or not for_tests:
        return keys.create(name, scopes, actor, now, product=product, expires_at=expires_at, for_tests=program is None)
    program.make(now)
    with program.at_work():  # where nobody has the account of an admin who does this
        key, secret = keys.create(name, scopes, OPERATOR, now, product=product, expires_at=expires_at, for_tests=True)
    with transaction() as session:
        about = {"name": key.name, "scopes": key.scopes}
        audit.record(session, actor, "test_key.create", "test_key", key.id, {}, about, now)
    return key, secret


def revoke_key(key_id: int, actor: Actor, now: datetime, *, for_tests: bool = False) -> None:
    """Let a key, or a test key, be worth nothing from now on. Raises NotFound, or AlreadyDone."""
    program = beside()
    if program is None or not for_tests:
        keys.revoke(key_id, actor, now)
        return
    with program.at_work():
        keys.revoke(key_id, OPERATOR, now)
    with transaction() as session:
        audit.record(session, actor, "test_key.revoke", "test_key", key_id, {}, {}, now)


def keys_beside() -> list[ApiKey]:
    """List the test keys of the test program beside the application at work, the newest first."""
    program = beside()
    if program is None or not program.is_there():
        return []
    with program.at_work():
        return keys.every()
