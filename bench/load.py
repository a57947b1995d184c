"""The load generator: one thread, one epoll, requests that were made beforehand. Loopback only.

Who sends requests is a script: a generator that yields an `Ask` and is given the `Answer`. Each script has a connection
of its own, opened with its first request and kept alive. What has a time at which it is due is sent then, and its
latency counts from then: a server that stands still does not hold back the clock that measures it.
"""

import gc
import re
import selectors
import socket
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from statistics import quantiles
from time import perf_counter
from typing import NamedTuple

PATIENCE = 10  # seconds for the last answers; who has none by then counts as an error
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
NO_BODY = (204, 304)


class Ask(NamedTuple):
    """One request: its bytes, the statuses that are right, under what name it counts, and when it is due (0: now)."""

    data: bytes
    expected: tuple[int, ...] = (200,)
    name: str = ""
    due: float = 0.0


class Answer(NamedTuple):
    """One answer: the status, everything before the body, and the body."""

    status: int
    head: bytes
    body: bytes


Script = Generator[Ask, Answer, None]


@dataclass
class Sample:
    """What was measured under one name. Latencies are in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    received: int = 0  # bytes, heads included

    @property
    def rate(self) -> float:
        """Right answers in a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def size(self) -> float:
        """Bytes of an answer."""
        return self.received / len(self.latencies) if self.latencies else 0.0

    def percentile(self, hundredth: int) -> float:
        """Return the latency in milliseconds under which so many hundredths of the right answers came."""
        if len(self.latencies) < 2:
            return float("inf")
        return quantiles(self.latencies, n=100, method="inclusive")[hundredth - 1] * 1000


class Player:
    """One script at work on its connection."""

    __slots__ = ("ask", "buffer", "owed", "script", "sent", "socket")

    def __init__(self, script: Script) -> None:
        self.script = script
        self.ask = Ask(b"")  # the one that waits to be sent, or for its answer
        self.owed = False  # whether it was sent, and has no answer yet
        self.socket: socket.socket | None = None
        self.sent, self.buffer = 0.0, b""


class Load:
    """A load on one port for some seconds."""

    def __init__(self, port: int, scripts: Iterable[Script]) -> None:
        self.port = port
        self.players = [Player(script) for script in scripts]
        self.samples: dict[str, Sample] = {}
        self.waiting: list[tuple[float, int, Player]] = []  # a heap of those whose request is not due yet
        self.selector = selectors.DefaultSelector()
        self.open = 0  # requests without an answer
        self.refused = False  # whether the server takes no more connections
        self.end = 0.0

    def run(self, seconds: float, begin: float = 0.0) -> dict[str, Sample]:
        """Let all scripts play so long, and give what was measured, by name; `begin` is where their clock begins."""
        self.end = (begin or perf_counter()) + seconds
        gc.disable()
        try:
            for player in self.players:
                self._advance(player, None)
            self._play()
        finally:
            gc.enable()
            self._close()
        for sample in self.samples.values():
            sample.seconds = seconds
        return self.samples

    def _play(self) -> None:
        while True:
            now = perf_counter()
            while self.waiting and self.waiting[0][0] <= now:
                self._send(heappop(self.waiting)[2])
            if not (self.open or self.waiting) or now > self.end + PATIENCE:
                return
            until = self.waiting[0][0] if self.waiting else self.end
            for key, _ in self.selector.select(max(0.0, until - now) if now < self.end else 0.1):
                self._receive(key.data)

    def _advance(self, player: Player, answer: Answer | None) -> None:
        """Get a script's next request, and send it or let it wait; a script that ends hangs up."""
        try:
            ask = player.ask = next(player.script) if answer is None else player.script.send(answer)
        except StopIteration:
            self._hang_up(player)
            return
        if not ask.due:
            if perf_counter() < self.end:
                self._send(player)
        elif ask.due <= self.end:
            heappush(self.waiting, (ask.due, id(player), player))

    def _send(self, player: Player) -> None:
        ask = player.ask
        self.open += 1
        player.owed, player.sent = True, ask.due or perf_counter()
        try:
            if player.socket is None:
                player.socket = self._connect(player)
            player.socket.sendall(ask.data)
        except OSError as error:
            self._fail(player, type(error).__name__)

    def _connect(self, player: Player) -> socket.socket:
        if self.refused:  # each would wait as long as the first
            raise ConnectionRefusedError
        try:
            connection = socket.create_connection(("127.0.0.1", self.port), 2)
        except TimeoutError:
            self.refused = True
            raise
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(connection, selectors.EVENT_READ, player)
        return connection

    def _receive(self, player: Player) -> None:
        assert player.socket is not None
        try:
            data = player.socket.recv(262144)
        except OSError:
            data = b""
        if not data and player.owed:
            self._fail(player, "hung up")
        elif not data:
            self._hang_up(player)  # an idle connection; the next request opens another
        else:
            player.buffer = player.buffer + data if player.buffer else data
            if answer := _parse(player.buffer):
                self._note(player, answer)
                self._advance(player, answer)

    def _note(self, player: Player, answer: Answer) -> None:
        """Count an answer."""
        now, ask = perf_counter(), player.ask
        sample = self._sample(ask)
        if answer.status not in ask.expected:
            sample.errors[f"status {answer.status}"] += 1
        elif now <= self.end or ask.due:
            sample.latencies.append(now - player.sent)
            sample.received += len(player.buffer)
        player.owed, player.buffer = False, b""
        self.open -= 1

    def _fail(self, player: Player, why: str) -> None:
        """Count an error, and let the script go: it waits for an answer that will not come."""
        self._sample(player.ask).errors[why] += 1
        player.owed = False
        self.open -= 1
        self._hang_up(player)
        player.script.close()

    def _hang_up(self, player: Player) -> None:
        if player.socket is not None:
            self.selector.unregister(player.socket)
            player.socket.close()
            player.socket, player.buffer = None, b""

    def _sample(self, ask: Ask) -> Sample:
        return self.samples.get(ask.name) or self.samples.setdefault(ask.name, Sample())

    def _close(self) -> None:
        for player in self.players:
            if player.owed:
                self._fail(player, "no answer")
            self._hang_up(player)
            player.script.close()
        self.selector.close()


def _parse(buffer: bytes) -> Answer | None:
    """Read an answer, or return None where some of it has still to come."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    status, head, body = int(buffer[9:12]), buffer[: end + 2], buffer[end + 4 :]
    if status in NO_BODY:
        return Answer(status, head, b"")
    if found := LENGTH.search(head):
        return Answer(status, head, body) if len(body) >= int(found[1]) else None
    if CHUNKED.search(head):
        return Answer(status, head, body) if body.endswith(b"0\r\n\r\n") else None
    return Answer(status, head, body)


def paced(script: Script, first: float, every: float) -> Script:
    """Let a script send its requests at fixed times, whether answers come or not."""
    due, ask = first, next(script)
    while True:
        answer = yield ask._replace(due=due)
        due += every
        ask = script.send(answer)


def first(script: Script, number: int) -> Script:
    """Let a script send only so many requests."""
    ask = next(script)
    for _ in range(number):
        answer = yield ask
        ask = script.send(answer)
