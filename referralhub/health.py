"""For load balancers: is the process up, and can it do its work?"""

from flask import Blueprint, current_app
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from referralhub import migration_files
from referralhub.database import is_unmigrated
from referralhub.extensions import db, limiter
from referralhub.services.operations.redis_trial import Fault, fault_of, try_out

PENDING = "migrations_pending"

bp = Blueprint("health", __name__)
limiter.exempt(bp)


@bp.get("/healthz")
def alive() -> dict[str, str]:
    """Answer as long as the process runs."""
    return {"status": "ok"}


@bp.get("/readyz")
def ready() -> tuple[dict[str, str], int]:
    """Say of each service whether pages can work with it; 503 when one is of no use."""
    services = {"database": "ok", "redis": "ok"}
    try:
        services["database"] = _state(set(db.session.scalars(text("SELECT version_num FROM alembic_version"))))
    except SQLAlchemyError as error:
        services["database"] = PENDING if is_unmigrated(error) else "unreachable"
    try:
        try_out(current_app.extensions["redis"])
    except RedisError as error:
        fault = fault_of(error)
        services["redis"] = "unreachable" if fault is Fault.AWAY else fault.value
    return services, 200 if set(services.values()) == {"ok"} else 503


def _state(at: set[str]) -> str:
    """Judge by the revisions that a database is at; one that is newer than we serves old and new alike."""
    return PENDING if at <= migration_files.known() - migration_files.newest() else "ok"
