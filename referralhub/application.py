"""The wiring: settings, extensions, blueprints and commands become one Flask application."""

from flask import Flask
from werkzeug.routing import BaseConverter

from referralhub import admin, cli, clock, database, errors, health, mailbox, security, tasks, templating
from referralhub.account import bp as account
from referralhub.auth import bp as auth
from referralhub.auth.views import load_user
from referralhub.config import Settings
from referralhub.dashboard import bp as dashboard
from referralhub.extensions import csrf, db, huey, limiter, login_manager, migrate
from referralhub.landing import door
from referralhub.landing.views import bp as landing
from referralhub.redis_client import connect
from referralhub.services import passwords
from referralhub.sessions import Sessions

__all__ = ["tasks", "wire"]  # the tasks register themselves with the queue


class CodeConverter(BaseConverter):
    """A referral code in a path, in any case; anything of another shape is not found."""

    regex = "[A-Za-z0-9]{8,12}"


def wire(config: Settings | None = None) -> Flask:
    """Put the application together. Raises ConfigurationError when the environment lacks something."""
    settings = config or Settings.from_environment()
    app = Flask("referralhub", instance_path=str(settings.instance_path))
    app.config.update(
        settings.flask_config(),
        SETTINGS=settings,
        CLOCK=clock.system_clock,
        SQLALCHEMY_ENGINE_OPTIONS=database.engine_options(settings.database_url),
    )
    app.url_map.strict_slashes = False
    app.url_map.converters["code"] = CodeConverter

    redis = connect(settings.redis_url)
    app.extensions["redis"] = redis
    app.config.update(
        RATELIMIT_STORAGE_URI="redis://", RATELIMIT_STORAGE_OPTIONS={"connection_pool": redis.connection_pool}
    )
    app.session_interface = Sessions(app, redis)
    db.init_app(app)
    database.init_app(app)
    migrate.init_app(app, db, directory=database.MIGRATIONS, render_as_batch=True)
    csrf.init_app(app)
    limiter.init_app(app)
    huey.init_app(app, settings.redis_url)
    login_manager.init_app(app, add_context_processor=False)
    login_manager.user_loader(load_user)

    passwords.leave_room(settings.web_threads)

    security.init_app(app, settings)
    templating.init_app(app)
    errors.init_app(app)
    for blueprint in (landing, auth, account, dashboard, health.bp):
        app.register_blueprint(blueprint)
    if settings.development:
        app.register_blueprint(mailbox.bp)
    admin.init_app(app)
    cli.init_app(app)
    door.init_app(app)
    return app
