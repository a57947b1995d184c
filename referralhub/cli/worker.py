"""The background worker."""

import logging
from contextlib import suppress

import click
from flask import current_app
from flask.cli import with_appcontext
from redis import RedisError

from referralhub.clock import now
from referralhub.extensions import huey
from referralhub.services.operations import heartbeat


@click.command("worker")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="How many jobs run at the same time."
)
@with_appcontext
def worker(threads: int) -> None:
    """Run background jobs until stopped: mail as it is queued, and a sweep every minute.

    Prints what it does on standard error. SIGTERM or Ctrl-C end it; mail that was in hand then is sent by the next one.
    While Redis is away it waits.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    huey.wait_for_jobs(current_app.config["SETTINGS"].redis_url)
    with suppress(RedisError):  # the first of many, so that nobody waits a minute to see that it runs
        heartbeat.beat(current_app.extensions["redis"], now())
    huey.create_consumer(workers=threads).run()
