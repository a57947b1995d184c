"""Figures for Prometheus, for those who have the token."""

import hmac
import math
import platform
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cache
from itertools import accumulate
from typing import TypeVar

from flask import Blueprint, Response, current_app, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from redis import RedisError

from referralhub.clock import now
from referralhub.config import PROJECT
from referralhub.errors import UNAVAILABLE
from referralhub.extensions import limiter
from referralhub.observing.counters import BOUNDS, Field, Tally
from referralhub.services.operations import heartbeat, metrics
from referralhub.services.operations.metrics import Figures

Kind = TypeVar("Kind", bound=StrEnum)
Family = CounterMetricFamily | GaugeMetricFamily

bp = Blueprint("metrics", __name__)
limiter.exempt(bp)


@bp.get("/metrics")
def scrape() -> Response:
    """Answer with the figures: 404 where no token is configured, 401 without it, 503 while the database is away."""
    token = current_app.config["SETTINGS"].metrics_token
    if not token:
        return _plain("There is nothing here.\n", 404)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        refusal = _plain("The token is missing or wrong.\n", 401)
        refusal.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refusal
    try:
        figures = metrics.read(now())
    except UNAVAILABLE:
        return _plain("The database does not answer.\n", 503)
    registry = CollectorRegistry(auto_describe=False)  # one for each answer: nothing is kept, nothing is global
    registry.register(_Collector(figures))
    registry.register(_Counted(current_app.extensions["tally"]))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Collector(Collector):
    """Says the figures in Prometheus's words."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: the registry has no other collector to clash with."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return every figure."""
        found = self.figures
        build = {"version": version(), "python": platform.python_version()}
        yield InfoMetricFamily("referralhub_build", "What is running.", value=build)
        yield _gauge("members", "Accounts that are open.", found.members)
        yield _by("referrals", "state", "Referrals by state.", found.referrals, GaugeMetricFamily)
        yield _gauge("held_oldest_age_seconds", "How long the oldest held referral waits.", found.oldest_held)
        yield _counter("visits", "Visits to members' links, as booked.", found.visits)
        yield _counter("visitors", "Visits of somebody new, as booked.", found.visitors)
        yield _counter("bots", "Visits of crawlers and previews, as booked.", found.bots)
        entries = "Ledger entries by kind."
        yield _by("ledger_entries", "kind", entries, found.ledger_entries, CounterMetricFamily)
        told = "Events that products told, by type and state."
        events = GaugeMetricFamily("referralhub_events", told, labels=["type", "state"])  # what waits is used later
        for (type_, state), number in found.events.items():
            events.add_metric([type_, state.value], number)
        yield events
        yield _counter("conversions", "Events of the type that earns.", found.conversions)
        yield _by("rewards", "state", "Rewards to be handed over, by state.", found.rewards, GaugeMetricFamily)
        yield _gauge("outbox_waiting", "Messages that are to be sent.", found.mail_waiting)
        yield _gauge("outbox_dead", "Messages that could not be delivered.", found.mail_dead)
        due = "How long the oldest message is overdue."
        yield _gauge("outbox_oldest_due_age_seconds", due, found.oldest_due_mail)
        yield _gauge("webhooks_waiting", "Webhooks that are to be delivered.", found.webhooks_waiting)
        yield _gauge("webhooks_given_up", "Webhooks that could not be delivered.", found.webhooks_given_up)
        webhook = "How long the oldest webhook is overdue."
        yield _gauge("webhooks_oldest_due_age_seconds", webhook, found.oldest_due_webhook)
        yield _gauge("webhook_endpoints_off", "Endpoints that were switched off.", found.webhooks_off)
        yield _gauge("database_bytes", "How large the database is.", found.database_bytes)
        yield _gauge("database_server_connections", "Connections that its server has.", found.connections)
        limit = found.connections_limit or math.inf
        yield _gauge("database_server_connections_limit", "Connections that it may have.", limit)
        yield _gauge("audit_last_line", "Number of the newest line of the audit log.", found.last_audit_line)


class _Counted(Collector):
    """Says what all processes have counted. While Redis is away it says that, and no more."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance, as above."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return every count."""
        try:
            self.tally.send()
            counts, in_use, seen = self.tally.read(), self.tally.in_use(), heartbeat.last(self.tally.redis)
            memory = self.tally.redis.info("memory")
        except RedisError:
            yield _gauge("redis_up", "Whether Redis answers.", 0)
            return
        yield _gauge("redis_up", "Whether Redis answers.", 1)
        silent = (now() - seen).total_seconds() if seen else math.inf
        yield _gauge("worker_silent_seconds", "How long the worker gave no sign of life.", silent)
        connections = GaugeMetricFamily(
            "referralhub_database_connections", "Most connections in use in one process, lately.", labels=["program"]
        )
        processes = GaugeMetricFamily(
            "referralhub_processes", "Processes that did something within a minute.", labels=["program"]
        )
        for program, numbers in in_use.items():
            connections.add_metric([program], max(numbers, default=0))
            processes.add_metric([program], len(numbers))
        yield connections
        yield processes
        yield _gauge("redis_memory_bytes", "Memory that Redis has in use.", memory["used_memory"])
        yield _gauge("redis_memory_limit_bytes", "Memory that it may use.", memory.get("maxmemory") or math.inf)
        requests = "Requests by method, form of the path and status."
        yield _counts("requests", requests, counts, "method", "route", "status")
        yield _histogram(counts)
        answers = "Answers that can be given early or are kept: given so, or made."
        yield _counts("answers", answers, counts, "kind", "result")
        yield _counts("jobs", "Jobs that have ended.", counts, "task", "result")
        yield _seconds("job_seconds", "Time that jobs took.", counts, "task")  # Prometheus has a "job" of its own


def _counts(name: str, words: str, counts: Mapping[Field, int], *labels: str) -> Metric:
    metric = CounterMetricFamily(f"referralhub_{name}", words, labels=labels)
    for (kind, *values), number in sorted(counts.items()):
        if kind == name:
            metric.add_metric(values, number)
    return metric


def _seconds(name: str, words: str, counts: Mapping[Field, int], label: str) -> Metric:
    metric = CounterMetricFamily(f"referralhub_{name}", words, labels=[label])
    for (kind, *values), number in sorted(counts.items()):
        if kind == name.replace("seconds", "microseconds"):
            metric.add_metric(values, number / 1e6)
    return metric


def _histogram(counts: Mapping[Field, int]) -> Metric:
    metric = HistogramMetricFamily("referralhub_request_seconds", "Time that answers took.", labels=["route"])
    bounds = [*map(floatToGoString, BOUNDS), "+Inf"]
    for (kind, *labels), microseconds in sorted(counts.items()):
        if kind == "request_microseconds":
            numbers = [counts.get(("request_seconds", *labels, str(place)), 0) for place in range(len(bounds))]
            metric.add_metric(labels, list(zip(bounds, accumulate(numbers), strict=True)), microseconds / 1e6)
    return metric


@cache
def version() -> str:
    """Return the version of this program."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def _gauge(name: str, words: str, value: float | timedelta) -> Metric:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return GaugeMetricFamily(f"referralhub_{name}", words, value=seconds)


def _counter(name: str, words: str, value: int) -> Metric:
    return CounterMetricFamily(f"referralhub_{name}", words, value=value)


def _by(name: str, label: str, words: str, numbers: Mapping[Kind, int], family: type[Family]) -> Metric:
    metric = family(f"referralhub_{name}", words, labels=[label])
    for key, number in numbers.items():
        metric.add_metric([key.value], number)
    return metric


def _plain(words: str, status: int) -> Response:
    return Response(words, status, mimetype="text/plain")
