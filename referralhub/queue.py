"""The job queue: Huey on Redis, with every job run inside the application's context."""

import logging
from copy import copy
from datetime import datetime
from time import perf_counter
from typing import Any

from flask import Flask, current_app, has_app_context
from huey import RedisHuey
from huey.api import PeriodicTask, Task
from huey.signals import SIGNAL_ERROR
from redis import Redis
from sqlalchemy.exc import SQLAlchemyError

from referralhub.observing import context, exporters
from referralhub.redis_client import connect

log = logging.getLogger(__name__)


SEPARATOR = "."  # between a job's own id and the number of the request that caused it
FOR_TESTS = "test:"  # what the id of a job begins with that is to be done in the test program


class AppHuey(RedisHuey):
    """A Huey that takes its Redis from the application, so that it can be made before there is one."""

    app: Flask

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.signal(SIGNAL_ERROR)(_note_failure)

    def init_app(self, app: Flask) -> None:
        """Bind to an application that queues jobs, quickly or not at all; nothing is sent to Redis yet."""
        self.app = app
        self._use(app.extensions["redis"])

    def wait_for_jobs(self, redis_url: str) -> None:
        """Bind as the worker, whose reads wait for a job for a second at a time."""
        self._use(connect(redis_url, timeout=5))

    def _use(self, redis: Redis) -> None:
        self.storage_kwargs = {"connection_pool": redis.connection_pool}
        self.storage = self.create_storage()

    def enqueue(self, task: Task) -> Any:
        """Queue a job. The number of the request that causes it goes along in its id, which any worker can read.

        So does which program it is of. What is done by the clock is done in the test program, too, where there is one.
        """
        if (number := context.request_id()) and SEPARATOR not in task.id:
            task.id = f"{task.id}{SEPARATOR}{number}"
        for_tests = has_app_context() and current_app.config["SETTINGS"].test_program
        if for_tests and not task.id.startswith(FOR_TESTS):
            task.id = f"{FOR_TESTS}{task.id}"
        result = super().enqueue(task)
        if isinstance(task, PeriodicTask) and self._tests_are_there():
            also = copy(task)
            also.id = f"{FOR_TESTS}{task.id}"
            super().enqueue(also)
        return result

    def execute(self, task: Task, timestamp: datetime | None = None) -> Any:
        """Run one job in an application context of its own. One of a test program that has gone is not run."""
        begun, by_request, app = perf_counter(), task.id.partition(SEPARATOR)[2], self.app
        if for_tests := task.id.startswith(FOR_TESTS):
            if not self._tests_are_there():
                return None
            app = self.app.extensions["test_program"].app
        with app.app_context(), context.about(**{"request_id": by_request} if by_request else {}) as facts:
            facts.update({"job": task.name} | ({"test": True} if for_tests else {}))
            try:
                with exporters.span(app) as span:
                    if span:
                        span.update_name(task.name)
                        span.set_attribute("referralhub.request_id", by_request)
                    return super().execute(task, timestamp)
            finally:
                result = facts.setdefault("result", "done")
                seconds = perf_counter() - begun
                facts["ms"] = round(seconds * 1000, 3)
                if tally := app.extensions.get("tally"):
                    tally.job(task.name, result, seconds)
                by_the_clock = isinstance(task, PeriodicTask) and result == "done"
                log.log(logging.DEBUG if by_the_clock else logging.INFO, "Job %s %s", task.name, result)

    def _tests_are_there(self) -> bool:
        try:
            return bool(self.app.extensions["test_program"].is_there())
        except SQLAlchemyError:  # whose absence the job of the real program tells
            return False


def _note_failure(signal: str, task: Task, error: Exception) -> None:
    context.note(result="failed")
