"""The wiring: settings, extensions, blueprints and commands become one Flask application."""

from collections.abc import Sequence
from functools import cached_property

from flask import Flask, g, has_app_context
from werkzeug.routing import BaseConverter, IntegerConverter, Map, ValidationError

from referralhub import (
    admin,
    cli,
    clock,
    commits,
    compression,
    database,
    debug_toolbar,
    early_answers,
    errors,
    health,
    kept_answers,
    languages,
    mailbox,
    metrics,
    migrations,
    response_headers,
    styleguide,
    tasks,
    templating,
    test_database,
    test_program,
    uploads,
    urls,
)
from referralhub.account import bp as account
from referralhub.api import bp as api
from referralhub.auth import bp as auth
from referralhub.auth.views import load_user
from referralhub.branding.views import bp as brand
from referralhub.cli.doctor import doctor
from referralhub.config import Problem, Settings
from referralhub.dashboard import bp as dashboard
from referralhub.extensions import csrf, db, huey, limiter, login_manager
from referralhub.landing import directions
from referralhub.landing import fast_path as landing_fast_path
from referralhub.landing.views import bp as landing
from referralhub.observing import counters, exporters, requests
from referralhub.redis_client import connect
from referralhub.services.accounts import passwords
from referralhub.services.brand.in_force import InForce
from referralhub.services.program import rules
from referralhub.services.shared import codes
from referralhub.sessions import former_cookie
from referralhub.sessions.interface import Sessions
from referralhub.static_files import StaticFiles

__all__ = ["commits", "tasks", "wire", "wire_doctor"]  # commits and tasks register themselves


class CodeConverter(BaseConverter):
    """A referral code in a path, in any case; anything of another shape is not found, nor is a page by another way."""

    regex = codes.SHAPE

    def to_python(self, value: str) -> str:
        """Return the code. Raises ValidationError for a word that is a page's address, as one that only takes forms."""
        if value in self._pages:
            raise ValidationError
        return value

    @cached_property
    def _pages(self) -> set[str]:
        return {rule.rule.strip("/") for rule in self.map.iter_rules()}


class HexConverter(BaseConverter):
    """A number in hexadecimal in a path, of so many digits: a digest, or a colour."""

    def __init__(self, url_map: Map, length: int) -> None:
        super().__init__(url_map)
        self.regex = f"[0-9a-f]{{{length}}}"


class RowConverter(IntegerConverter):
    """The number of a row in a path; no database is asked for one that it could not hold."""

    def __init__(self, url_map: Map, bits: int = 31) -> None:
        super().__init__(url_map, max=2**bits - 1)


def wire(config: Settings | None = None, beside: Flask | None = None) -> Flask:
    """Put the application together. Raises ConfigurationError when the environment lacks something.

    A test program is put together `beside` the real one: what a process has one of is that one's, and so are the layers
    around it that know the path, count and log.
    """
    settings = config or Settings.from_environment()
    app = _begin(settings)
    app.url_map.strict_slashes = False
    app.url_map.converters.update(code=CodeConverter, hex=HexConverter, row=RowConverter)

    redis = app.extensions["redis"]
    limits = (beside or app).extensions["redis"]  # the limiter is one object, which is bound to the last application
    app.config.update(
        RATELIMIT_STORAGE_URI="only-redis://", RATELIMIT_STORAGE_OPTIONS={"connection_pool": limits.connection_pool}
    )
    app.session_interface = Sessions(app, redis)
    uploads.init_app(app)
    csrf.init_app(app)
    limiter.init_app(app)
    login_manager.init_app(app, add_context_processor=False)
    login_manager.user_loader(load_user)

    if beside is None:
        huey.init_app(app)
        passwords.leave_room(settings.web_threads)

    with app.app_context():
        counters.init_app(app, settings, db.engine)
    compression.init_app(app)  # first, so that it has the last word on what is sent
    if settings.debug_toolbar:
        debug_toolbar.init_app(app)
    languages.init_app(app)
    templating.init_app(app)
    errors.init_app(app)
    for blueprint in (landing, directions.bp, brand, auth, account, dashboard, api, health.bp, metrics.bp):
        app.register_blueprint(blueprint)
    if settings.development:
        app.register_blueprint(mailbox.bp)
        app.register_blueprint(styleguide.bp)
    admin.init_app(app)
    cli.init_app(app)
    migrations.init_app(app)
    if not settings.debug_toolbar:  # which tells of an answer how it was made
        kept_answers.init_app(app)
    response_headers.note_departures(app)
    requests.note_routes(app)
    if beside is None:
        test_program.init_app(app, wire)
        urls.believe_proxies(app, settings)
    early_answers.init_app(app, landing_fast_path.FastPath(app), StaticFiles(app))
    if beside is None:
        former_cookie.init_app(app)
    urls.init_app(app, settings)
    if beside is None:
        exporters.init_app(app, settings)
        requests.init_app(app, settings)
    return app


def wire_doctor(settings: Settings, problems: Sequence[Problem]) -> Flask:
    """Put together what is left of an application that would refuse to start: the command that says why."""
    app = _begin(settings)
    languages.init_app(app)
    app.config["PROBLEMS"] = problems
    app.cli.add_command(doctor)
    return app


def _begin(settings: Settings) -> Flask:
    """Make an application that has its settings, its database and its Redis; nothing is connected yet."""
    app = Flask("referralhub", instance_path=str(settings.instance_path))
    app.config.update(
        settings.flask_config(),
        SETTINGS=settings,
        CLOCK=clock.system_clock,
        ZONE=rules.timezone,
        SQLALCHEMY_ENGINE_OPTIONS=database.engine_options(
            settings.database_url, settings.web_threads, kept=1 if settings.test_program else 5
        ),
    )
    if settings.debug_toolbar:
        app.config.update(debug_toolbar.CONFIG)
    prefix = app.config["REDIS_PREFIX"] = test_program.REDIS_PREFIX if settings.test_program else ""
    app.extensions["redis"] = connect(settings.redis_url, prefix=prefix)
    app.extensions["brand"] = InForce(clock.now)
    db.init_app(app)
    app.before_request(_note_hurry)
    with app.app_context():
        database.prepare(db.engine, lambda: has_app_context() and "in_a_hurry" in g)
        if settings.test_program:
            test_database.stay_inside(db.engine)
    return app


def _note_hurry() -> None:
    g.in_a_hurry = True  # until the very end, when the session is closed and there is no request any more
