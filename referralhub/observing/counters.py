"""What all processes together have done, counted for `/metrics`.

A process counts in its own memory, and hands the counts to Redis every five seconds. There they are added up, so that
every process tells the same, no count goes back when a process is started anew, and nothing needs a file.
"""

import os
import secrets
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask
from redis import Redis, RedisError
from sqlalchemy import Engine, event

from referralhub.config import Settings

COUNTS, POOLS = "metrics:counts", "metrics:pools"
EVERY = 5  # seconds
SENT_FOR = 24 * 3600  # seconds for which the name of a batch is known, to whoever sends it again
FRESH, OLD = (
    timedelta(minutes=1),
    timedelta(days=1),
)  # until what a process told of its pool counts no more, and is deleted
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds, of the histogram
COUNT = (Path(__file__).parent / "count.lua").read_text(encoding="utf-8")

Field = tuple[str, ...]


class Pool(msgspec.Struct, array_like=True):
    """How many connections to the database a process had in use at most, lately."""

    program: str  # "web" or "worker"
    in_use: int
    at: datetime


class Tally:
    """Counts what one process does, and reads what all have done. A field is a name and its labels."""

    def __init__(self, app: Flask) -> None:
        self.app, self.program = app, "web"
        self.redis: Redis = app.extensions["redis"]
        self._script = self.redis.register_script(COUNT)
        self._counts: dict[Field, int] = defaultdict(int)
        self._batch: tuple[str, dict[Field, int]] | None = None  # what Redis has not confirmed yet
        self._in_use = 0
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._timer: threading.Timer | None = None
        self._process = secrets.token_hex(8)

    def request(self, facts: Mapping[str, Any], status: int, seconds: float) -> None:
        """Count a request that was answered so, by what is known of it."""
        route = facts["route"]
        bound = str(bisect_left(BOUNDS, seconds))
        with self._lock:
            self._counts["requests", facts["method"], route, str(status)] += 1
            self._counts["request_seconds", route, bound] += 1
            self._counts["request_microseconds", route] += round(seconds * 1e6)
            if "shortcut" in facts:
                self._counts["answers", facts["shortcut"], "made" if facts["made"] else "given"] += 1
        self._send_soon()

    def job(self, name: str, result: str, seconds: float) -> None:
        """Count a job that has ended."""
        with self._lock:
            self._counts["jobs", name, result] += 1
            self._counts["job_microseconds", name] += round(seconds * 1e6)
        self._send_soon()

    def watch(self, engine: Engine) -> None:
        """Note how many connections of this pool are in use."""

        @event.listens_for(engine, "checkout")
        def note(*_: object) -> None:
            self._in_use = max(self._in_use, engine.pool.checkedout())  # type: ignore[attr-defined]  # a queue's

    def send(self) -> None:
        """Hand over what was counted. Raises RedisError; then nothing is lost, and nothing will count twice."""
        process = f"{self._process}:{os.getpid()}"
        with self._sending:
            while self._batch or self._counts:
                if not self._batch:
                    with self._lock:
                        self._batch, self._counts = (secrets.token_hex(8), self._counts), defaultdict(int)
                name, counts = self._batch
                values = [part for field, number in counts.items() for part in (msgspec.json.encode(field), number)]
                self._script([COUNTS, f"metrics:batch:{process}"], [name, SENT_FOR, *values])
                self._batch = None
            pool, self._in_use = Pool(self.program, self._in_use, self._now()), 0
            self.redis.hset(POOLS, process, msgspec.json.encode(pool))

    def read(self) -> Mapping[Field, int]:
        """Return what all processes have counted, by field. Raises RedisError."""
        found = self.redis.hgetall(COUNTS)
        return {msgspec.json.decode(field, type=Field): int(number) for field, number in found.items()}

    def in_use(self) -> Mapping[str, list[int]]:
        """Return how many connections each process that has done something lately had in use at most, by program.

        Raises RedisError.
        """
        found: dict[str, list[int]] = {"web": [], "worker": []}
        for process, packed in self.redis.hgetall(POOLS).items():
            pool = msgspec.json.decode(packed, type=Pool)
            age = self._now() - pool.at
            if age <= FRESH:
                found[pool.program].append(pool.in_use)
            elif age > OLD:
                self.redis.hdel(POOLS, process)
        return found

    def leave(self) -> None:
        """Hand over what is left, if that is possible."""
        if self._timer:
            self._timer.cancel()
        with suppress(RedisError):
            self.send()

    def _now(self) -> datetime:
        now: datetime = self.app.config["CLOCK"]()
        return now

    def _send_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(EVERY, self._round)
            self._timer.daemon = True
            self._timer.start()

    def _round(self) -> None:
        self._timer = None
        try:
            self.send()
        except RedisError:
            self._send_soon()


def init_app(app: Flask, settings: Settings, engine: Engine) -> None:
    """Count, where somebody may read it."""
    if settings.metrics_token:
        tally = app.extensions["tally"] = Tally(app)
        tally.watch(engine)
        Finalize(None, tally.leave, exitpriority=0)  # at the end also of Granian's processes, which `atexit` is not
