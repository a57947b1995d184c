"""The job queue: Huey on Redis, with every job run inside the application's context."""

from datetime import datetime
from typing import Any

from flask import Flask
from huey import RedisHuey
from huey.api import Task
from redis import Redis

from referralhub.redis_client import connect


class AppHuey(RedisHuey):
    """A Huey that takes its Redis from the application, so that it can be made before there is one."""

    app: Flask

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

    def execute(self, task: Task, timestamp: datetime | None = None) -> Any:
        """Run one job in an application context of its own."""
        with self.app.app_context():
            return super().execute(task, timestamp)
