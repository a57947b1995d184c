"""Twenty thousand requests that nobody should send: none breaks the server, and none leaves anything in its memory.

Each field of each form is sent every bad value of a list, each part of each path and each name that an address may have
some; each route gets broken headers, kinds of content and files. The rest of the twenty thousand is Hypothesis's. They
go over HTTP to a running server, signed in as whom the route is for.
"""

import http.client
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from referralhub.services.accounts import signup
from tests import servers
from tests.conftest import SECRET_KEY
from tests.deep.bad_values import BODIES, FILES, HEADERS, VALUES, anything
from tests.deep.conftest import Table
from tests.deep.surface import Target, targets
from tests.everybody import everybody
from tests.pages import Visitor
from tests.people import Clock, Person, PostOffice, Records

pytestmark = pytest.mark.deep

TOTAL, WARM = 20_000, 10_000  # by then its caches are full, of statements and pictures most of all
GROWTH = 1.04  # of what the server takes when it is warm; a leak of one KiB a request is more
RENEWED = 300  # requests after which whoever sends them is somebody new: one of them may have ended the account
CODE = Path(__file__).parent.parent.parent / "referralhub"
BUSY = 503  # where a service is slow; what is so again after a second is so because of what was sent
FORM = "application/x-www-form-urlencoded"


def fits_a_path(value: str) -> bool:
    """Tell whether the server reads an address with it: one that is longer it refuses unread."""
    return 0 < len(value) < 9000


IN_PATHS = [value for value in VALUES if fits_a_path(value)]


@dataclass(frozen=True)
class Request:
    """What is sent. The form's token is added, unless `fields` has one."""

    target: Target
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        sent = self.body[:60] if self.body is not None else [(name, value[:60]) for name, value in self.fields]
        return f"{self.target.method} {self.path[:120]} {sent} {self.headers}"


@dataclass
class Attacker:
    """Somebody who sends them, and notes what breaks."""

    app: Flask
    port: int
    clock: Clock
    post_office: PostOffice
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def send(self, request: Request) -> None:
        if self.sent % RENEWED == 0:
            self._renew()
        self.sent += 1
        who = "admin" if request.target.rule.startswith("/admin") else random.choice(["admin", "member", "nobody"])
        cookie, token = self.people[who]
        headers = {"Cookie": cookie, "Content-Type": FORM} | dict(request.headers)
        pairs = [("csrf_token", token), *request.fields]
        path, body = request.path, request.body
        if request.target.method == "GET":
            path += "?" + "&".join(f"{name}={value}" for name, value in request.fields)
        elif body is None:
            names = {name for name, _ in request.fields}
            body = "&".join(f"{name}={value}" for name, value in pairs[int("csrf_token" in names) :]).encode("latin-1")
        else:
            headers.setdefault("X-CSRFToken", token)
        for last in (*[False] * 9, True):
            try:
                status = self._send(request.target.method, path, body, headers)
            except (http.client.HTTPException, OSError) as error:  # after a broken request the server closes
                self.connection.close()
                if last:
                    self._note(f"{error!r}", request)
                    return
            else:
                if status != BUSY:
                    break
                time.sleep(1)
        self.statuses[status] += 1
        if status >= 500:
            self._note(str(status), request)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
        """Send one, and give the status; a server need not read to the end what is too much."""
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            if value:
                self.connection.putheader(name, value.encode("latin-1"))
        if body is not None and "Content-Length" not in headers:
            self.connection.putheader("Content-Length", str(len(body)))
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.endheaders(body)
        answer = self.connection.getresponse()
        answer.read()
        if "Content-Length" in headers or "Expect" in headers:
            self.connection.close()
        return answer.status

    def _note(self, what: str, request: Request) -> None:
        if len(self.broken) < 200:
            self.broken.append(f"{what}: {request}")

    def _renew(self) -> None:
        """Let a new member and a new admin sign in."""
        self.clock.now = datetime.now(UTC).replace(microsecond=0)
        number = secrets.token_hex(5)  # Hypothesis begins `random` anew for each example
        member, admin = (Person(self.app, self.post_office, f"{kind}{number}") for kind in ("member", "admin"))
        with self.app.app_context():
            signup.sign_up(member.username, member.email, member.password, None, self.clock())
            signup.create_admin(admin.username, admin.email, admin.password, self.clock())
        self.people = {
            "nobody": _cookie_and_token(Visitor(self.app), "/login"),
            "member": _signed_in(member),
            "admin": _signed_in(admin),
        }


def _signed_in(person: Person) -> tuple[str, str]:
    """Sign in, which a busy machine may put off, and give the cookie and a token."""
    for _ in range(20):
        with suppress(AssertionError):
            person.sign_in()
            return _cookie_and_token(person, "/privacy")
        time.sleep(1)
    raise TimeoutError(f"{person.username} cannot sign in")


def _cookie_and_token(visitor: Visitor, path: str) -> tuple[str, str]:
    token = visitor.get(path).all('[name="csrf_token"]')[0]["value"]
    return f"{visitor.cookie_name}={visitor.session_id()}", token


def _with(target: Target, name: str, value: str) -> tuple[tuple[str, str], ...]:
    return tuple((each, value if each == name else quote(usual, safe="")) for each, usual in target.fields.items())


def _usual(target: Target) -> tuple[tuple[str, str], ...]:
    return _with(target, "", "")


def bad_requests(target: Target) -> Iterator[Request]:
    """Give every way of the lists to send something bad to one route."""
    path, usual = target.path(), _usual(target)
    for part in target.parts:
        yield from (Request(target, target.path(**{part: value}), usual) for value in random.sample(IN_PATHS, 40))
    for value in random.sample(VALUES, 10):
        yield Request(target, path, tuple((name, value) for name in target.fields))
    for name in target.fields:
        is_typed = name in target.shown and target.method == "POST"
        values = VALUES if is_typed else random.sample(VALUES, 1)
        yield from (Request(target, path, _with(target, name, value)) for value in values)
    for name in target.shown:
        yield Request(target, path, (*usual, (name, "again"), (f"{name}[]", "x"), (f"{name}[a]", "y")))
        yield Request(target, path, tuple(pair for pair in usual if pair[0] != name))
    for header, values in HEADERS.items():
        yield Request(target, path, usual, ((header, random.choice(values)),))
    if target.method != "GET":
        yield from (Request(target, path, (("csrf_token", value), *usual)) for value in random.sample(VALUES, 5))
        for kind, body in random.sample(BODIES, 6):
            yield Request(target, path, headers=(("Content-Type", kind),), body=body)
    if "file" in target.fields:
        yield from (_with_file(target, content) for content in FILES)


def _with_file(target: Target, content: bytes) -> Request:
    kind = "multipart/form-data; boundary=limit"
    disposition = b'Content-Disposition: form-data; name="file"; filename="list.csv"'
    body = b"--limit\r\n" + disposition + b"\r\n\r\n" + content + b"\r\n--limit--\r\n"
    return Request(target, target.path(), headers=(("Content-Type", kind),), body=body)


@st.composite
def any_request(draw: Callable, known: list[Target]) -> Request:
    target = draw(st.sampled_from(known))
    names = draw(st.lists(st.sampled_from(list(target.fields) or ["x"]), max_size=6))
    fields = dict(_usual(target)) | {name: draw(anything) for name in names}
    parts = {
        name: draw(anything.filter(lambda value: 0 < len(value) < 9000)) for name in target.parts if draw(st.booleans())
    }
    header = draw(st.sampled_from([None, None, *HEADERS]))
    headers = ((header, draw(st.sampled_from(HEADERS[header]))),) if header else ()
    return Request(target, target.path(**parts), tuple(fields.items()), headers)


def memory_of(process: int) -> int:
    """Give how many KiB a process and its children take."""
    status = Path(f"/proc/{process}/status").read_text()
    own = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(memory_of(int(child)) for child in children)


def test_nothing_breaks_and_nothing_stays(
    make_app, database_url: str, database: str, valkey: servers.Valkey, clock: Clock, tmp_path: Path,
    table: Table,
):  # fmt: skip
    app = make_app(ratelimit_enabled=False, require_email_verification=True)
    post_office, records = PostOffice(app), Records(app)
    known = targets(
        app, everybody(app, post_office, clock), records, "\n".join(map(Path.read_text, CODE.rglob("*.py")))
    )
    environment = {"SECRET_KEY": SECRET_KEY, "RATELIMIT_ENABLED": "false"}
    with servers.ReferralHub(tmp_path, database_url, valkey.url, **environment) as hub, ExitStack() as closing:
        attacker = Attacker(app, hub.port, clock, post_office)
        closing.callback(attacker.connection.close)
        requests = [request for target in known for request in bad_requests(target)]
        random.shuffle(requests)
        warm = send_all(attacker, requests[: TOTAL - 2000], hub)
        send_any(attacker, known, TOTAL - attacker.sent)
        full = memory_of(hub.processes[0].pid)
    parameters = sum(len(target.fields) + len(target.parts) for target in known)
    table.append((
        f"{attacker.sent:,} bad requests, {database}", f"{len(known)} routes, {parameters} parameters",
        f"{dict(sorted(attacker.statuses.items()))}", f"{warm // 1024} MiB after {WARM:,}, {full // 1024} at the end",
    ))  # fmt: skip
    assert attacker.broken == [], "\n".join(attacker.broken)
    assert full < warm * GROWTH


def send_all(attacker: Attacker, requests: list[Request], hub: servers.ReferralHub) -> int:
    """Send them, and give what the server takes when it is warm."""
    warm = 0
    for request in requests:
        attacker.send(request)
        if attacker.sent == WARM:
            warm = memory_of(hub.processes[0].pid)
    return warm


def send_any(attacker: Attacker, known: list[Target], number: int) -> None:
    """Send as many that Hypothesis thinks of."""

    @settings(
        max_examples=number, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(any_request(known))
    def send(request: Request) -> None:
        attacker.send(request)

    send()
