"""What the worker runs. Each task calls one service."""

import logging
from typing import Any

from flask import current_app
from huey import crontab
from redis import RedisError
from sqlalchemy import event

from referralhub import mail
from referralhub.clock import now
from referralhub.extensions import db, huey
from referralhub.services import leaderboard, outbox, referrals

log = logging.getLogger(__name__)


@huey.task()
def deliver_mail() -> None:
    """Send what has just been queued."""
    outbox.deliver_due(mail.send, now)


@huey.task()
def update_leaderboard() -> None:
    """Tell Redis whose place has just changed."""
    leaderboard.catch_up(current_app.extensions["redis"], now())


@huey.periodic_task(crontab())
def sweep_outbox() -> None:
    """Every minute: send what is to be tried again, and what a crash or a dead Redis left behind."""
    outbox.deliver_due(mail.send, now)


@huey.periodic_task(crontab())
def sweep_leaderboard() -> None:
    """Every minute: the same for changes of place; it also begins a new month's or week's set."""
    leaderboard.catch_up(current_app.extensions["redis"], now())


@huey.periodic_task(crontab(minute="17"))
def expire_referrals() -> None:
    """Every hour: end referrals whose friend never confirmed the address."""
    referrals.expire_due(now())


JOBS = {outbox.WAITING: deliver_mail, leaderboard.CHANGED: update_leaderboard}


@event.listens_for(db.session, "after_commit")
def wake_worker(session: Any) -> None:
    """Start the jobs that a commit calls for; should that fail, the sweep does them."""
    for flag, job in JOBS.items():
        if session.info.pop(flag, False):
            try:
                job()
            except RedisError as error:
                log.warning("The worker was not woken: %s", error)


@event.listens_for(db.session, "after_rollback")
def nothing_to_do(session: Any) -> None:
    """Forget what a failed transaction would have caused."""
    for flag in JOBS:
        session.info.pop(flag, None)
