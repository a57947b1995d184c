"""The background worker."""

import logging

import click
from flask import current_app
from flask.cli import with_appcontext
from redis import RedisError

from referralhub.clock import now
from referralhub.extensions import huey
from referralhub.processes import give_way
from referralhub.redis_client import NotSupported
from referralhub.services.operations import heartbeat
from referralhub.services.operations.redis_trial import remark_of, try_out
from referralhub.words.operations import remark

log = logging.getLogger(__name__)


@click.command("worker")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="How many jobs run at the same time."
)
@with_appcontext
def worker(threads: int) -> None:
    """Run background jobs until stopped: mail as it is queued, and a sweep every minute.

    Prints what it does on standard error. SIGTERM or Ctrl-C end it; mail that was in hand then is sent by the next one.
    While Redis is of no use it says why and waits; one that can never do is refused, with exit code 1.
    """
    if tally := current_app.extensions.get("tally"):
        tally.program = "worker"
    huey.wait_for_jobs(current_app.config["SETTINGS"].redis_url)
    redis = current_app.extensions["redis"]
    try:
        try_out(redis)
        heartbeat.beat(redis, now())  # so that nobody waits a minute to see that it runs
    except NotSupported as error:
        raise click.ClickException(str(error)) from None
    except RedisError as error:
        log.warning("%s %s", *remark(remark_of(error)))
    give_way()  # mail can wait for a moment, a page cannot
    log.info("The worker has begun")
    huey.create_consumer(workers=threads).run()
