"""For load balancers: is the process up, and can it do its work?"""

from flask import Blueprint, current_app
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from referralhub.extensions import db, limiter

bp = Blueprint("health", __name__)
limiter.exempt(bp)


@bp.get("/healthz")
def alive() -> dict[str, str]:
    """Answer as long as the process runs."""
    return {"status": "ok"}


@bp.get("/readyz")
def ready() -> tuple[dict[str, str], int]:
    """Say of each service whether it answers; 503 when one does not."""
    services = {"database": "ok", "redis": "ok"}
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        services["database"] = "unreachable"
    try:
        current_app.extensions["redis"].ping()
    except RedisError:
        services["redis"] = "unreachable"
    return services, 200 if set(services.values()) == {"ok"} else 503
