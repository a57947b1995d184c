"""What is asked for: for each route, the script by which one of several connections asks a side."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from random import Random

from bench.browser import cookies_in, get, header_in, post
from bench.load import Ask, Load, Script
from bench.results import FEW, FLOOR, MANY, PEER
from bench.servers import run
from bench.sides import FLASK, Side

LIVE = (
    "Accept: text/html",
    "HX-Request: true",
    "HX-Request-Type: partial",
    "HX-Current-URL: https://refer.example.com/dashboard/",
)
TOKEN = re.compile(rb'name="(csrf\w+)"[^>]*value="([^"]+)"')
PASSWORD = "pw-Bench-1-long-enough"
CONNECTIONS = 16  # that are used at once: enough to keep both processes busy
LONG = 600  # seconds for what ends by itself
newcomers = count(1)  # visitors who sign up: each has a name and an address of their own


@dataclass(frozen=True)
class Route:
    """One route: its name, who is asked, and by what script, for one of so many connections."""

    name: str
    sides: tuple[str, ...]
    script: Callable[[Side, int, int], Script]
    before: Callable[[Side], None] = lambda _: None  # what has to be done each time, and is not measured
    times: int = 1  # as long as others, where few answers come in a second

    def scripts(self, side: Side, connections: int = CONNECTIONS) -> list[Script]:
        """Return the scripts of all connections."""
        return [self.script(side, share, connections) for share in range(connections)]


def click(side: Side, share: int, shares: int) -> Script:
    """Follow links, each as a visitor who was never here."""
    codes = Random(share).sample(side.codes, len(side.codes))
    return _over(Ask(get(f"/{code}/", visitor=share), (302,)) for code in codes)


def lead_to(destination: str) -> Callable[[Side], None]:
    """Let links lead there: to a product's page, or with "none" to our own."""

    def put_in_force(side: Side) -> None:
        if side.ours:
            run(side.environment, *FLASK, "program", "set", "destination", destination)

    return put_in_force


def figures_new(side: Side, share: int, shares: int) -> Script:
    """Ask for the live figures as one who has none."""
    return _over(Ask(poll(side, member)) for member in _members(side, share, shares))


def figures_304(side: Side, share: int, shares: int) -> Script:
    """Ask for the live figures as one who has them; see `learn_tags`."""
    members = _members(side, share, shares)
    return _over(Ask(poll(side, member, side.tags[member]), (304,)) for member in members)


def learn_tags(side: Side) -> None:
    """Open all dashboards, so that each member has the figures."""

    def first_polls(share: int) -> Script:
        for member in _members(side, share, CONNECTIONS):
            answer = yield Ask(poll(side, member))
            side.tags[member] = header_in(answer.head, "hx-ptag")

    Load(side.server.port, map(first_polls, range(CONNECTIONS))).run(LONG)


def dashboard(side: Side, share: int, shares: int) -> Script:
    """Open the dashboard."""
    return _pages(side, "/dashboard/" if side.ours else "/", share, shares)


def leaderboard(side: Side, share: int, shares: int) -> Script:
    """Open the leaderboard, not signed in."""
    return _over([Ask(get("/leaderboard" if side.ours else "/leaderboard/", visitor=share))])


def own_place(side: Side, share: int, shares: int) -> Script:
    """Open the leaderboard as a member, whose own place is on it."""
    return _pages(side, "/leaderboard", share, shares)


def signup(side: Side, share: int, shares: int) -> Script:
    """Open the form as a visitor who was never here, and make an account, again and again."""
    while True:
        yield from sign_up(side, next(newcomers))


def sign_up(side: Side, number: int, path: str = "", cookie: str = "") -> Script:
    """Open the form and make one account. The POST counts as signup; the form goes with it."""
    path = path or ("/signup" if side.ours else "/signup/")
    page = yield Ask(get(path, cookie=cookie, visitor=number), name="form")
    found = TOKEN.search(page.body)
    if found is None:
        return  # the status has been counted
    name, cookie = f"newcomer{number}", cookies_in(page.head) or cookie
    if side.ours:
        form = {"email": f"{name}@example.com", "password": PASSWORD, "password_confirm": PASSWORD}
    else:
        form = {"password1": PASSWORD, "password2": PASSWORD}
    form |= {"username": name, found[1].decode(): found[2].decode()}
    yield Ask(post(path, form, cookie, number), (302, 303), "signup")


def poll(side: Side, member: int, tag: str = "") -> bytes:
    """Write the request of an open dashboard, which shows the figures with this tag."""
    shown = (f"HX-PTag: {tag}",) if tag else ()
    return get("/dashboard/stats", *LIVE, *shown, cookie=side.cookies[member], visitor=member)


def _members(side: Side, share: int, shares: int) -> range:
    return range(share % len(side.cookies), len(side.cookies), shares)


def _pages(side: Side, path: str, share: int, shares: int) -> Script:
    members = _members(side, share, shares)
    return _over(Ask(get(path, cookie=side.cookies[member], visitor=member)) for member in members)


def _over(asks: Iterator[Ask] | list[Ask]) -> Script:
    """Ask these again and again."""
    for ask in cycle(asks):  # noqa: UP028 - what is sent back is the answer, which a plain iterator cannot take
        yield ask


OURS = (FEW, MANY)
ROUTES = (
    Route("click to a product", OURS, click, lead_to("https://shop.example.com/welcome")),
    Route("click", (FLOOR, PEER, *OURS), click, lead_to("none")),
    Route("figures", OURS, figures_new),
    Route("figures 304", OURS, figures_304, learn_tags),
    Route("dashboard", (PEER, *OURS), dashboard),
    Route("leaderboard", (PEER, *OURS), leaderboard),
    Route("own place", OURS, own_place),
    Route("signup", (PEER, *OURS), signup, times=3),
)
