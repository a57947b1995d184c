"""The extension objects, made once and bound to the application in `create_app`."""

from flask import current_app
from flask_limiter import Limiter
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from limits.storage import RedisStorage

from referralhub import database
from referralhub.models.base import Base
from referralhub.queue import AppHuey
from referralhub.security import FormProtection, client_address
from referralhub.services.brand import in_force
from referralhub.services.mailing import addresses


class LimitsInRedis(RedisStorage):
    """The limiter's storage, which does not load the client for Valkey that the embedded server brings along."""

    STORAGE_SCHEME = ["only-redis"]  # noqa: RUF012 - how `limits` has it
    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - as above

    def prefixed_key(self, key: str) -> str:
        """Return what Redis calls a limit: the storage is one object, whichever application is at work."""
        return f"{current_app.config['REDIS_PREFIX']}{super().prefixed_key(key)}"


db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})
database.use(db.session)
addresses.use_key(lambda: current_app.config["SECRET_KEY"])
in_force.use(lambda: current_app.extensions["brand"])
login_manager = LoginManager()
csrf = FormProtection()
limiter = Limiter(key_func=client_address)
huey = AppHuey("referralhub")
