"""The background worker."""

import logging

import click
from flask import current_app
from flask.cli import with_appcontext

from referralhub.extensions import huey


@click.command("worker")
@click.option("--threads", default=2, show_default=True, help="How many jobs run at the same time.")
@with_appcontext
def worker(threads: int) -> None:
    """Run background jobs until stopped: mail as it is queued, and a sweep every minute."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    huey.wait_for_jobs(current_app.config["SETTINGS"].redis_url)
    huey.create_consumer(workers=threads).run()
