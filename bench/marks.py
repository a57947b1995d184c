"""The marks: what must hold, judged by what was measured. What was not measured is not judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.events import BATCHES
from bench.results import FEW, FLOOR, MANY, PEER, Results

SECONDS_TO_LOAD = 180
GROWTH, SLOWER = 1.1, 1.2
P99_AT_HALF, P99_POLLING = 20, 100  # milliseconds
P99_EVENT, EVENTS = 30, 500  # milliseconds; in a second
# Which route of ours, against which of whom, how many times as fast at the least.
FASTER = (
    ("click", PEER, "click", 5.0),
    ("click", FLOOR, "click", 0.6),
    ("click to a product", PEER, "click", 5.0),
    ("click to a product", FLOOR, "click", 0.6),
    ("figures", PEER, "dashboard", 2.5),
    ("figures 304", PEER, "dashboard", 4.0),
    ("dashboard", PEER, "dashboard", 1.0),
    ("leaderboard", PEER, "leaderboard", 2.0),
    ("own place", PEER, "leaderboard", 1.5),
    ("signup", PEER, "signup", 8.0),
)
AT_MANY = (("leaderboard", FLOOR, "click", 0.25), ("own place", FLOOR, "click", 0.25))


@dataclass(frozen=True)
class Mark:
    """One mark: what it is about, what was measured, and its bound."""

    text: str
    value: float
    bound: float
    at_least: bool
    unit: str = "×"

    @property
    def held(self) -> bool:
        """Whether it was reached."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def wanted(self) -> str:
        """The bound, as people write it."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g} {self.unit}"


def marks(results: Results) -> list[Mark]:
    """Judge all that was measured."""
    return [*_faster(results), *_as_fast_with_many(results), *_latencies(results), *_events(results), *_others(results)]


def _faster(results: Results) -> Iterator[Mark]:
    for side, rows in ((FEW, FASTER), (MANY, AT_MANY)):
        for route, other, their_route, bound in rows:
            if results.has(side, route) and results.has(other, their_route):
                value = results.ratio((side, route), (other, their_route))
                at = f" at {results.members[side]:,} members" if side == MANY else ""
                yield Mark(f"{route}{at}, against {other}'s {their_route}", value, bound, at_least=True)


def _as_fast_with_many(results: Results) -> Iterator[Mark]:
    for side, route in results.rounds:
        if side == MANY and results.has(FEW, route):
            value = results.percentile(MANY, route, 50) / results.percentile(FEW, route, 50)
            few, many = (f"{results.members[each]:,}" for each in (FEW, MANY))
            yield Mark(f"p50 of {route}, {many} against {few} members", value, SLOWER, at_least=False)


def _latencies(results: Results) -> Iterator[Mark]:
    for route, samples in results.half.items():
        p99 = median(sample.percentile(99) for sample in samples)
        if any(sample.errors for sample in samples):
            p99 = float("inf")
        yield Mark(f"p99 of {route} at half of saturation", p99, P99_AT_HALF, at_least=False, unit="ms")
    if results.polling:
        together = results.polled
        p99 = float("inf") if together.errors else together.percentile(99)
        text = f"p99 with {results.dashboards:,} open dashboards, clicks and signups"
        yield Mark(text, p99, P99_POLLING, at_least=False, unit="ms")


def _events(results: Results) -> Iterator[Mark]:
    for name, sample in results.events.items():
        sound = not sample.errors
        if name == BATCHES:
            yield Mark(f"events {name}", sample.rate if sound else 0, EVENTS, at_least=True, unit="/s")
        else:
            p99 = sample.percentile(99) if sound else float("inf")
            yield Mark(f"p99 of events {name}", p99, P99_EVENT, at_least=False, unit="ms")


def _others(results: Results) -> Iterator[Mark]:
    if results.growth:
        (few, before), (many, after) = results.growth
        yield Mark(f"memory after {many:,} requests against {few:,}", after / before, GROWTH, at_least=False)
    if results.seconds_to_load:
        text = f"seed bulk --members {results.members[MANY]}"
        yield Mark(text, results.seconds_to_load, SECONDS_TO_LOAD, at_least=False, unit="s")
