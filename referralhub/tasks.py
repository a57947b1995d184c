"""What the worker runs. Each task calls one service."""

import logging
import threading
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Any

from flask import Flask, current_app
from flask.globals import app_ctx
from huey import crontab
from redis import RedisError
from sqlalchemy import event

from referralhub import mail_content, webhook_content, webhook_transport
from referralhub.clock import local_now, now
from referralhub.extensions import db, huey
from referralhub.mail_transport import transport
from referralhub.observing import context
from referralhub.observing.logs import brief
from referralhub.services.accounts import credentials, sign_ins, tokens
from referralhub.services.fraud import signals
from referralhub.services.fulfilment import due
from referralhub.services.integration import answers, replays
from referralhub.services.ledger import leaderboard
from referralhub.services.links import visits
from referralhub.services.mailing import digest, outbox
from referralhub.services.mailing.delivery import Delivery
from referralhub.services.operations import heartbeat
from referralhub.services.recourse import missing
from referralhub.services.referrals import invitation_progress, lifecycle, review
from referralhub.services.shared import once
from referralhub.services.shared.audit import SYSTEM
from referralhub.services.webhooks import emitting, states
from referralhub.services.webhooks import log as webhook_log
from referralhub.services.webhooks.delivery import Delivery as WebhookDelivery

log = logging.getLogger(__name__)

MONDAY, DIGESTS_FROM = 0, 7  # where the program is


@huey.task()
def deliver_mail() -> None:
    """Send what has just been queued."""
    _deliver()


@huey.task()
def update_leaderboard() -> None:
    """Tell Redis whose place has just changed."""
    leaderboard.catch_up(current_app.extensions["redis"], now())


@huey.periodic_task(crontab())
def sweep_outbox() -> None:
    """Every minute: send what is to be tried again, and what a crash or a dead Redis left behind."""
    _deliver()


@huey.task()
def deliver_webhooks() -> None:
    """Tell what has just happened, or what is to be tried again now."""
    _deliver_webhooks()


@huey.periodic_task(crontab())
def sweep_webhooks() -> None:
    """Every minute: the same for what a crash or a dead Redis left behind."""
    _deliver_webhooks()


@huey.periodic_task(crontab())
def sweep_leaderboard() -> None:
    """Every minute: the same for changes of place; it also begins a new month's or week's set."""
    leaderboard.catch_up(current_app.extensions["redis"], now())


@huey.periodic_task(crontab())
def give_sign_of_life() -> None:
    """Every minute: let `flask doctor` see that jobs are done."""
    heartbeat.beat(current_app.extensions["redis"], now())


@huey.periodic_task(crontab())
def book_visits() -> None:
    """Every minute: write into the database what was counted in Redis."""
    visits.book_all(current_app.extensions["redis"], now())


@huey.periodic_task(crontab())
def make_rewards_due() -> None:
    """Every minute: let what came out of its hold be handed over."""
    due.refresh_ended_holds(now())


@huey.periodic_task(crontab(minute="17"))
def expire_referrals() -> None:
    """Every hour: end referrals whose friend never confirmed the address."""
    lifecycle.expire_due(now())


@huey.periodic_task(crontab(minute="37"))
def replay_signups() -> None:
    """Every hour: use signups whose code is known by now."""
    replays.replay(SYSTEM, now(), codes_only=True)


@huey.periodic_task(crontab(minute="7"))
def look_after_claims() -> None:
    """Every hour: end claims that nobody answered, and ask friends whose address is confirmed only now."""
    missing.expire_due(now())
    missing.ask_friends(now())


@huey.periodic_task(crontab(minute="47"))
def look_after_reviews() -> None:
    """Every hour: remind admins of cases that wait, and confirm those that nobody decided in time."""
    review.remind(now())
    required = current_app.config["SETTINGS"].require_email_verification
    review.release_due(now(), verification_required=required)


@huey.periodic_task(crontab(minute="27"))
def send_digests() -> None:
    """On Mondays, from seven on: queue the weekly digest; hourly, so that a worker that was away catches up."""
    at = local_now()
    if at.weekday() == MONDAY and at.hour >= DIGESTS_FROM:
        digest.queue_due(at)


@huey.periodic_task(crontab(minute="37", hour="3"))
def tidy() -> None:
    """Every night: delete tokens and sign-ins that ended long ago."""
    tokens.tidy(now())
    once.tidy(now())
    answers.tidy(now())
    signals.tidy(now())
    visits.fold(local_now())
    sign_ins.tidy(now(), current_app.permanent_session_lifetime)
    webhook_log.tidy(now())


class _OneAtATime:
    """Runs something in one thread at a time: a job that finds it running only asks it for another round."""

    def __init__(self) -> None:
        self.lane, self.wanted = threading.Lock(), threading.Event()
        self.comes_again = 0.0  # the moment, by `monotonic`, for which another run is scheduled

    def run(self, work: Callable[[], None]) -> None:
        """Do it, or have it done."""
        self.wanted.set()
        while self.wanted.is_set() and self.lane.acquire(blocking=False):
            try:
                self.wanted.clear()
                work()
            finally:
                self.lane.release()


SOON = 60  # seconds within which the sweep comes


def _deliver() -> None:
    _lane(app_ctx.app, "mail").run(_send_mail)


def _send_mail() -> None:
    credentials.answer_resets(now())
    missing.ask_friends(now(), new_only=True)
    _delivery(app_ctx.app).run()


def _deliver_webhooks() -> None:
    _lane(app_ctx.app, "webhooks").run(_send_webhooks)


def _send_webhooks() -> None:
    """Send what is due, and come again for who takes time and for what is to be tried again before the next sweep."""
    delivery = _webhook_delivery(app_ctx.app)
    delivery.run()
    again = delivery.next_run()
    if again is not None and again < SOON:
        _come_again(max(1, round(again)))


def _come_again(seconds: int) -> None:
    """Schedule a run, unless one is there that comes first: each of many jobs finds the same reason."""
    lane, at = _lane(app_ctx.app, "webhooks"), monotonic()
    if not at < lane.comes_again <= at + seconds:
        lane.comes_again = at + seconds
        deliver_webhooks.schedule(delay=seconds)


@cache
def _lane(app: Flask, what: str) -> _OneAtATime:
    """Return an application's own, for `what` it delivers."""
    return _OneAtATime()


@cache
def _delivery(app: Flask) -> Delivery:
    return Delivery(
        mail_content.write,
        transport(app.config["SETTINGS"]),
        now,
        invitation_progress.note_posted,
        invitation_progress.note_bounced,
        invitation_progress.note_unwanted,
    )


@cache
def _webhook_delivery(app: Flask) -> WebhookDelivery:
    settings = app.config["SETTINGS"]
    return WebhookDelivery(webhook_transport.transport(settings), now, settings.secret_key)


states.use(webhook_content.WORDS)

JOBS = {outbox.WAITING: deliver_mail, emitting.WAITING: deliver_webhooks, leaderboard.CHANGED: update_leaderboard}


@event.listens_for(db.session, "after_begin")
def name_cause(session: Any, *_: Any) -> None:
    """Let mail that is queued know which request it comes from."""
    session.info[outbox.REQUEST] = context.request_id()


@event.listens_for(db.session, "after_commit")
def wake_worker(session: Any) -> None:
    """Start the jobs that a commit calls for; should that fail, the sweep does them."""
    for flag, job in JOBS.items():
        if session.info.pop(flag, False):
            try:
                job()
            except RedisError as error:
                log.warning("The worker was not woken: %s", brief(error))


@event.listens_for(db.session, "after_rollback")
def nothing_to_do(session: Any) -> None:
    """Forget what a failed transaction would have caused."""
    for flag in JOBS:
        session.info.pop(flag, None)
