"""An open load on the topology: requests are due at fixed times, whether there are answers or not.

Each tenth of a second has twelve: somebody new follows a member's link, opens the form, signs up, opens the mailed
link and confirms the address (five, each a step of another newcomer's way), and seven are of people who look around.
So there are 120 requests and ten signups a second. A latency counts from when the request was due.
"""

import random
import re
import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlencode, urlsplit

from tests.deep.topology import Topology

TICK = 0.1  # seconds
READING, TYPING = 10, 50  # ticks between a newcomer's steps; under three seconds nobody types all that
TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
MAILED = re.compile(rb"/verify/(?:[\w-]|=\r?\n)+")  # with the breaks of quoted-printable
LOOKS = (*["/dashboard/stats"] * 4, "/dashboard/", "/leaderboard")  # an open dashboard asks every three seconds
SURFACES = ("/", "/leaderboard?period=month", "/leaderboard")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PASSWORD = "likes tea very much"
_addresses = random.Random()


@dataclass
class Answer:
    """What came of one request; `status` is 0 where there was none, and then `why` says it."""

    name: str
    due: float
    took: float
    status: int
    why: str = ""
    retry_after: str | None = None
    location: str = ""
    body: str = field(default="", repr=False)

    @property
    def failed(self) -> bool:
        return not 0 < self.status < 500

    @property
    def told_when(self) -> bool:
        """Whether it says that the service is away, and when to come again."""
        return self.status in (502, 503, 504) and bool(self.retry_after)


def some_address() -> str:
    """Give one of the sixteen million addresses of this machine: nginx and the application take each for a client."""
    return f"127.{_addresses.randint(1, 254)}.{_addresses.randint(0, 254)}.{_addresses.randint(1, 254)}"


class Browser:
    """Somebody's browser: keeps its cookies and its connection, and asks once more where a kept one had been closed."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.connection = topology.connect(some_address())
        self.cookies: dict[str, str] = {}
        self.headers = {"User-Agent": FIREFOX, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        self.lock = threading.Lock()  # one request after the other

    def ask(self, path: str, form: dict[str, str] | None = None, name: str = "", due: float | None = None) -> Answer:
        due = due or time.monotonic()
        with self.lock:
            try:
                answer = self._answer(path, form)
            except (OSError, HTTPException) as error:
                self.connection.close()
                return Answer(name or path, due, time.monotonic() - due, 0, type(error).__name__)
            body = answer.read().decode(errors="replace")
        for cookie in answer.headers.get_all("Set-Cookie", []):
            key, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[key] = value
        return Answer(
            name or path, due, time.monotonic() - due, answer.status, "",
            answer.headers["Retry-After"], answer.headers.get("Location", ""), body,
        )  # fmt: skip

    def _answer(self, path: str, form: dict[str, str] | None) -> HTTPResponse:
        kept = self.connection.sock is not None
        try:
            return self._send(path, form)
        except (OSError, HTTPException) as error:
            self.connection.close()
            if not kept or isinstance(error, TimeoutError):
                raise
            return self._send(path, form)  # as browsers do, where nothing was answered on a connection of before

    def _send(self, path: str, form: dict[str, str] | None) -> HTTPResponse:
        headers = self.headers | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is None:
            self.connection.request("GET", path, headers=headers | {"Sec-Fetch-Site": "none"})
        else:
            ours = {"Sec-Fetch-Site": "same-origin", "Origin": self.topology.base_url}
            of_form = {"Content-Type": "application/x-www-form-urlencoded"}
            self.connection.request("POST", path, urlencode(form), headers | ours | of_form)
        return self.connection.getresponse()


class Newcomer(Browser):
    """Somebody who follows a link, signs up and confirms the address, as far as they are let."""

    def __init__(self, topology: Topology, name: str, code: str) -> None:
        super().__init__(topology)
        self.name, self.code = name, code
        self.form: dict[str, str] = {}
        self.joined = self.confirmed = False  # what the service said
        self.away = threading.Lock()  # held while signing in once more

    def click(self, due: float | None = None) -> Answer:
        return self.ask(f"/{self.code}/", name="click", due=due)

    def open_form(self, due: float | None = None) -> Answer:
        return self._open("/signup", "signup form", due)

    def sign_up(self, due: float | None = None) -> Answer:
        mine = {
            "username": self.name, "email": f"{self.name}@{self.name[:6]}.example",
            "password": PASSWORD, "password_confirm": PASSWORD,
        }  # fmt: skip
        answer = self.ask("/signup", self.form | mine, "signup", due)
        self.joined = answer.status == 303 and urlsplit(answer.location).path == "/dashboard/"
        self.connection.close()
        return answer

    def open_mail(self, path: str, due: float | None = None) -> Answer:
        self.mailed = path
        return self._open(path, "verify page", due)

    def confirm(self, due: float | None = None) -> Answer:
        answer = self.ask(self.mailed, self.form, "verify", due)
        self.confirmed = answer.status in (200, 303)
        self.connection.close()
        return answer

    def sign_in(self) -> Answer:
        self._open("/login", "login form", None)
        return self.ask("/login", self.form | {"username": self.name, "password": PASSWORD}, "login")

    def find_code(self) -> None:
        """Read the own link."""
        page = self.ask("/dashboard/").body
        self.code = re.search(r'id="referral-link".*?value="[^"]*/(\w+)/"', page, re.DOTALL)[1]

    def _open(self, path: str, name: str, due: float | None) -> Answer:
        answer = self.ask(path, name=name, due=due)
        self.form = {"csrf_token": found[1]} if (found := TOKEN.search(answer.body)) else {}
        return answer


def join(topology: Topology, number: int, codes: Sequence[str], mark: str) -> list[Newcomer]:
    """Let members join, who have their dashboards open then."""
    members = []
    for code in codes[:number]:
        member = Newcomer(topology, f"{mark}{_word(random.Random())}{len(members)}", code)
        member.open_form()
        assert member.sign_up().status == 303
        member.find_code()
        members.append(member)
    return members


class MailReader:
    """Takes what the worker writes, as it comes: who got which link to confirm the address."""

    def __init__(self, topology: Topology) -> None:
        self.folder = topology.folder / "instance/mail"

    def take(self) -> list[tuple[str, str]]:
        found = []
        for file in self.folder.glob("*.eml"):
            content = file.read_bytes()
            if not content.rstrip().endswith(b"--"):
                continue  # it is being written
            file.unlink()
            if path := MAILED.search(content):
                name = re.search(rb"^To: (\w+)@", content, re.MULTILINE)[1].decode()
                found.append((name, re.sub(rb"=\r?\n", b"", path[0]).decode()))
        return found


class Load:
    """120 requests and ten signups a second, until it is told to stop."""

    def __init__(self, topology: Topology, codes: Sequence[str], members: Sequence[Newcomer], mark: str) -> None:
        self.topology, self.codes, self.members, self.mark = topology, codes, members, mark
        self.chance = random.Random(mark)
        self.strangers = [Browser(topology) for _ in range(20)]
        self.newcomers: list[Newcomer] = []
        self.mailed: deque[tuple[Newcomer, str]] = deque()
        self.opened: deque[Newcomer] = deque()
        self.answers: list[Answer] = []
        self.missed = Counter[str]()  # steps that could not be taken, as the one before had failed
        self.mail = MailReader(topology)
        self.mail.take()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._run, self._read_mail)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for browser in (*self.strangers, *self.newcomers):
            browser.connection.close()

    def since(self, begin: float) -> list[Answer]:
        return [answer for answer in list(self.answers) if answer.due >= begin]

    def _run(self) -> None:
        begun = time.monotonic() + TICK
        with ThreadPoolExecutor(600) as threads:
            tick = 0
            while not self._stop.is_set():
                steps = self._steps(tick)
                for number, step in enumerate(steps):
                    due = begun + (tick + number / len(steps)) * TICK
                    time.sleep(max(0, due - time.monotonic()))
                    threads.submit(self._take, step, due)
                tick += 1

    def _take(self, step: Callable[[float], Answer], due: float) -> None:
        answer = step(due)
        answer.body = ""
        self.answers.append(answer)

    def _steps(self, tick: int) -> list[Callable[[float], Answer]]:
        """Give the twelve requests of this moment; where a newcomer's step cannot be taken, somebody looks instead."""
        self.newcomers.append(Newcomer(self.topology, f"{self.mark}{_word(self.chance)}{tick}", self._code()))
        steps: list[Callable[[float], Answer]] = [self.newcomers[tick].click]
        if tick >= READING:
            steps.append(self.newcomers[tick - READING].open_form)
        if tick >= READING + TYPING and self.newcomers[tick - READING - TYPING].form:
            steps.append(self.newcomers[tick - READING - TYPING].sign_up)
        with suppress(IndexError):
            newcomer, path = self.mailed.popleft()
            steps.append(lambda due: self._open_mail(newcomer, path, due))
        with suppress(IndexError):
            steps.append(self.opened.popleft().confirm)
        steps += [self._look(path) for path in LOOKS]
        return steps + [self._glance(self.chance.choice(SURFACES)) for _ in range(12 - len(steps))]

    def _code(self) -> str:
        """Give the link that is followed: half of them are of those who have a dashboard open."""
        return self.chance.choice(self.codes) if self.chance.random() < 0.5 else self.chance.choice(self.members).code

    def _open_mail(self, newcomer: Newcomer, path: str, due: float) -> Answer:
        answer = newcomer.open_mail(path, due)
        if newcomer.form:
            self.opened.append(newcomer)
        return answer

    def _look(self, path: str) -> Callable[[float], Answer]:
        member = self.chance.choice(self.members)

        def look(due: float) -> Answer:
            answer = member.ask(path, name=f"{path} (member)", due=due)
            if answer.status == 302 and member.away.acquire(blocking=False):  # the sign-in went with Redis' memory
                member.sign_in()
                member.away.release()
            return answer

        return look

    def _glance(self, path: str) -> Callable[[float], Answer]:
        stranger = self.chance.choice(self.strangers)
        return lambda due: stranger.ask(path, due=due)

    def _read_mail(self) -> None:
        while not self._stop.wait(0.25):
            by_name = {each.name: each for each in self.newcomers[-3000:]}
            self.mailed.extend((by_name[name], path) for name, path in self.mail.take() if name in by_name)


def _word(chance: random.Random) -> str:
    """Make up a name: nobody's is like another's."""
    return "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(3))


def quantile(answers: Sequence[Answer], hundredth: int) -> float:
    """Give the milliseconds within which so many hundredths of the answers came."""
    return statistics.quantiles([answer.took for answer in answers], n=100)[hundredth - 1] * 1000
