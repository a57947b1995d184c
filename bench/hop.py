"""What a call between services would cost: the same answer as a call in one process, and over HTTP on loopback.

In microseconds of a processor for each call, of both sides together. `python -m bench.scaling hop` prints them.
"""

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.servers import BIN, free_port, wait_until

CALLS, ROUNDS = 2_000, 5
FIGURES = {"total_referrals": 17, "pending": 2, "rewards": 170, "active_network": 9, "visits": 403}
TICKS = 100  # a second; what /proc counts in


def figures() -> dict[str, int]:
    """Stand for a service: what it gives a dashboard, without the work that finding it takes."""
    return dict(FIGURES)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Be that service behind HTTP, with no framework."""
    body = json.dumps(figures()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def spent_by(process: int) -> float:
    """Give the seconds of a processor that a process and its children have had so far."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(spent_by(int(child)) for child in children)


def over_http(port: int, server: int) -> float:
    """Give what a call over one kept connection costs, in microseconds of a processor."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    before = time.process_time() + spent_by(server)
    for _ in range(CALLS):
        connection.request("GET", "/figures/1", headers={"Accept": "application/json"})
        assert json.loads(connection.getresponse().read()) == FIGURES
    spent = time.process_time() + spent_by(server) - before
    connection.close()
    return spent / CALLS * 1e6


def in_process() -> float:
    """Give what the call itself costs, in microseconds of a processor."""
    before = time.process_time()
    for _ in range(CALLS):
        figures()
    return (time.process_time() - before) / CALLS * 1e6


def measured() -> list[tuple[str, float]]:
    """Measure both in turn, and give the medians."""
    port = free_port()
    command = [BIN / "granian", "--interface", "wsgi", "--port", str(port), "--no-ws", "--log-level", "error"]
    with subprocess.Popen([*command, "bench.hop:application"]) as server:
        try:
            wait_until(lambda: _answers(port), "the service answers")
            rounds = [(in_process(), over_http(port, server.pid)) for _ in range(ROUNDS)]
        finally:
            server.terminate()
    call, hop = (sorted(side)[ROUNDS // 2] for side in zip(*rounds, strict=True))
    return [("a call in one process", call), ("the same over HTTP", hop)]


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/")
        connection.getresponse().read()
    except OSError:
        return False
    return True
