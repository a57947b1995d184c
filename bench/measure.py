"""How each thing is measured: rounds in turn, half of saturation, open dashboards, memory."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from time import perf_counter

from bench.browser import cookies_in, get, header_in
from bench.load import Ask, Load, Sample, Script, first, paced
from bench.routes import CONNECTIONS, LONG, ROUTES, Route, learn_tags, newcomers, poll, sign_up, signup
from bench.servers import WORKERS, Granian, Worker
from bench.sides import Side, Stage

WARM = 1.0  # seconds
COUNTED = 10  # requests on each connection, whose statements are counted
EVERY = 15  # seconds between two polls of a dashboard
SPREAD = 7919  # a prime number, by which members are chosen one after the other
CLICKS, ONE_JOINS_OF = 20, 10  # clicks a second, and of how many visitors one signs up


def measure(side: Side, route: Route, seconds: float) -> Sample:
    """Ask a side for a route as fast as it answers, once what it keeps for a while is there."""
    route.before(side)
    Load(side.server.port, route.scripts(side)).run(WARM)
    return _of(route, Load(side.server.port, route.scripts(side)).run(seconds * route.times))


def queries(stage: Stage, side: Side, route: Route) -> float:
    """Warm a route up, and return how many statements one answer takes then."""
    measure(side, route, WARM)
    route.before(side)
    stage.postgresql.forget_statements()
    scripts = [first(script, COUNTED) for script in route.scripts(side, WORKERS)]
    sample = _of(route, Load(side.server.port, scripts).run(LONG))
    return stage.postgresql.statements(side.name) / max(1, len(sample.latencies))


def at_half(side: Side, route: Route, rate: float, seconds: float) -> Sample:
    """Ask at half of the rate that is possible, at fixed times."""
    route.before(side)
    connections = 4 * CONNECTIONS
    begin, every = perf_counter() + 0.1, 2 * connections / rate
    scripts = [
        paced(script, begin + number * every / connections, every)
        for number, script in enumerate(route.scripts(side, connections))
    ]
    return _of(route, Load(side.server.port, scripts).run(seconds, begin))


def polling(side: Side, dashboards: int, seconds: float, tell: Callable[[str], None]) -> dict[str, Sample]:
    """Let so many dashboards be open, each with a connection of its own, while visitors come and sign up."""
    crowd = replace(side, tags={})
    tell(f"signing {dashboards:,} members in")
    crowd.sign_in(dashboards)
    with Worker(crowd.environment):
        tell("opening their dashboards")
        learn_tags(crowd)
        warm = [first(signup(crowd, share, CONNECTIONS), 2) for share in range(CONNECTIONS)]
        Load(crowd.server.port, warm).run(LONG)  # the first account of each process takes it ten times as long
        tell(f"polling for {seconds:.0f} s")
        begin = perf_counter() + 0.5
        scripts = [_dashboard(crowd, member, begin + EVERY * member / dashboards) for member in range(dashboards)]
        scripts += [_visitor(crowd, number, begin + number / CLICKS) for number in range(int(CLICKS * seconds))]
        return Load(crowd.server.port, scripts).run(seconds, begin)


def growth(side: Side, requests: tuple[int, int]) -> list[tuple[int, float]]:
    """Measure the memory of a fresh server's processes after so many requests to each of them."""
    found: list[tuple[int, float]] = []
    with Granian(side.server.application, side.environment) as server:
        fresh, done = replace(side, server=server), 0
        learn_tags(fresh)
        for each in requests:
            number = (each - done) * len(server.workers()) // CONNECTIONS
            Load(server.port, [_mixed(fresh, share, number) for share in range(CONNECTIONS)]).run(LONG)
            found.append((each, server.memory()))
            done = each
    return found


def _of(route: Route, samples: dict[str, Sample]) -> Sample:
    """Return the sample of a route, with the errors of all that led there."""
    sample = samples.get(route.name) or samples.get("") or Sample()
    for other in samples.values():
        if other is not sample:
            sample.errors += other.errors
    return sample


def _dashboard(side: Side, member: int, due: float) -> Script:
    """Poll as an open dashboard does."""
    tag = side.tags[member]
    for times in count():
        answer = yield Ask(poll(side, member, tag), (200, 304), "poll", due + EVERY * times)
        tag = header_in(answer.head, "hx-ptag") or tag


def _visitor(side: Side, number: int, due: float) -> Script:
    """Follow a link, and perhaps sign up."""
    visitor = next(newcomers)
    code = side.codes[number * SPREAD % len(side.codes)]  # not of those whose dashboards poll in the same second
    answer = yield Ask(get(f"/{code}/", visitor=visitor), (302,), "click", due)
    if number % ONE_JOINS_OF == 0:
        yield from sign_up(side, visitor, header_in(answer.head, "location"), cookies_in(answer.head))


def _mixed(side: Side, share: int, number: int) -> Script:
    """Ask for everything but accounts: mostly clicks and polls, as people do."""
    scripts = {route.name: route.script(side, share, CONNECTIONS) for route in ROUTES if route.name in MIXED}
    order = [name for name, times in MIXED.items() for _ in range(times)]
    for turn in range(number):
        ask = next(scripts[order[turn % len(order)]])
        yield ask._replace(expected=(200, 302, 304))  # figures change with the clicks


MIXED = {"click": 12, "figures 304": 8, "figures": 2, "dashboard": 1, "leaderboard": 1, "own place": 1}
