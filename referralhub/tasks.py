"""What the worker runs. Each task calls one service."""

import logging
from typing import Any

from huey import crontab
from redis import RedisError
from sqlalchemy import event

from referralhub import mail
from referralhub.clock import now
from referralhub.extensions import db, huey
from referralhub.services import outbox, referrals

log = logging.getLogger(__name__)


@huey.task()
def deliver_mail() -> None:
    """Send what has just been queued."""
    outbox.deliver_due(mail.send, now)


@huey.periodic_task(crontab())
def sweep_outbox() -> None:
    """Every minute: send what is to be tried again, and what a crash or a dead Redis left behind."""
    outbox.deliver_due(mail.send, now)


@huey.periodic_task(crontab(minute="17"))
def expire_referrals() -> None:
    """Every hour: end referrals whose friend never confirmed the address."""
    referrals.expire_due(now())


@event.listens_for(db.session, "after_commit")
def wake_worker(session: Any) -> None:
    """Wake the worker after a commit that queued mail; should that fail, the sweep finds it."""
    if session.info.pop(outbox.WAITING, False):
        try:
            deliver_mail()
        except RedisError as error:
            log.warning("The worker was not woken: %s", error)


@event.listens_for(db.session, "after_rollback")
def nothing_queued(session: Any) -> None:
    """Forget what a failed transaction would have sent."""
    session.info.pop(outbox.WAITING, None)
