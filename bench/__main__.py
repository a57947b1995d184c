"""`make bench`: measure everything in turn, print what was found, and exit 1 when a mark is missed."""

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bench import events, machine, measure, report, servers
from bench.marks import marks
from bench.results import FEW, FLOOR, MANY, MEMBERS, PEER, Claim, Results
from bench.routes import ROUTES
from bench.sides import Stage, stage

RESULTS = Path(__file__).parent / "RESULTS.md"
HALF = ("click", "figures")
ONCE = ("half", "polling", "memory", "claims", "events")
begun = perf_counter()


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    sides: Sequence[str] = (FLOOR, PEER, FEW, MANY)
    rounds: int = 5
    seconds: float = 2  # of each route in each round
    dashboards: int = 10_000
    polling: float = 60  # seconds
    requests: tuple[int, int] = (1_000, 100_000)  # to each process, after which its memory is compared


QUICK = Plan((FLOOR, PEER, FEW), rounds=3, seconds=1, dashboards=500, polling=20, requests=(1_000, 5_000))


def tell(what: str) -> None:
    """Say how far it has come."""
    print(f"[{perf_counter() - begun:5.0f} s] {what}", flush=True)


def run(plan: Plan, wanted: set[str]) -> tuple[Results, list[str]]:
    """Set everything up, measure what is wanted, and take everything down."""
    servers.open_files(plan.dashboards + 2_000)
    results = Results({side: MEMBERS[side] for side in plan.sides if side in MEMBERS})
    with stage() as at, ExitStack() as stack:
        for name in plan.sides:
            tell(f"{name}: " + (f"loading {MEMBERS[name]:,} members" if name in MEMBERS else "starting"))
            side = stack.enter_context(at.side(name, MEMBERS.get(name, 0)))
            if name == MANY:
                results.seconds_to_load = side.seconds_to_load
        once(plan, wanted, at, results)
        in_turn(plan, wanted, at, results)
        if "half" in wanted:
            half(plan, at, results)
        if "events" in wanted and FEW in at.sides:  # the last: the rules are others from then on
            tell("events")
            results.events = events.measure(at.sides[FEW])
        results.memory = {name: side.server.memory() for name, side in at.sides.items()}
        return results, machine.described(at.postgresql)


def once(plan: Plan, wanted: set[str], at: Stage, results: Results) -> None:
    """Measure what is not measured in rounds."""
    large = at.sides[results.large]
    if "claims" in wanted:
        tell("the article's claims")
        found = servers.run_for_json(large.environment, "bench.claims")
        results.claims = [Claim(**each) for each in found]
    if "polling" in wanted:
        results.dashboards = min(plan.dashboards, servers.open_files(0) - 1_000)
        results.polling = measure.polling(large, results.dashboards, plan.polling, tell)
    if "memory" in wanted:
        tell(f"memory after {plan.requests[1]:,} requests to each process")
        results.growth = measure.growth(large, plan.requests)


def in_turn(plan: Plan, wanted: set[str], at: Stage, results: Results) -> None:
    """Measure the routes: one after the other in each round, and for each the sides in turn."""
    routes = [route for route in ROUTES if route.name in wanted]
    for route in routes:
        for name in route.sides:
            if name in at.sides:
                results.queries[name, route.name] = measure.queries(at, at.sides[name], route)
    for number in range(plan.rounds):
        tell(f"round {number + 1} of {plan.rounds}")
        for route in routes:
            for name in route.sides:
                if name in at.sides:
                    sample = measure.measure(at.sides[name], route, plan.seconds)
                    results.rounds.setdefault((name, route.name), []).append(sample)


def half(plan: Plan, at: Stage, results: Results) -> None:
    """Measure latencies at half of the rate that the rounds have found to be possible."""
    for route in ROUTES:
        if route.name in HALF and results.has(results.large, route.name):
            tell(f"{route.name} at half of saturation")
            rate = results.rate(results.large, route.name)
            large = at.sides[results.large]
            results.half[route.name] = [
                measure.at_half(large, route, rate, 2 * plan.seconds) for _ in range(plan.rounds)
            ]


def main() -> None:
    """Measure, and say what was found."""
    names = [*(route.name for route in ROUTES), *ONCE]
    parser = argparse.ArgumentParser("make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few members and rounds: to try things out")
    parser.add_argument("--routes", default=",".join(names), help=f"a choice of: {','.join(names)}")
    chosen = parser.parse_args()
    wanted = set(chosen.routes.split(","))
    if unknown := wanted - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    for each in (signal.SIGINT, signal.SIGTERM):  # also where it was started with these ignored
        signal.signal(each, lambda *_: sys.exit("stopped"))
    busy = machine.load_before()
    tell(busy)
    results, where = run(QUICK if chosen.quick else Plan(), wanted)
    found = marks(results)
    for part in (report.figures(results), report.bars(results), report.latencies(results), report.claims(results)):
        print("", *part, sep="\n")
    print("", *(f"wrong: {what} ({number})" for what, number in results.errors().items()), sep="\n")
    print("", *report.judged(found), "", sep="\n")
    if not chosen.quick and wanted == set(names):
        RESULTS.write_text(report.page(results, [*where, f"- {busy}"]), encoding="utf-8")
    print(report.summary(found))
    sys.exit(any(not mark.held for mark in found))


if __name__ == "__main__":
    main()
