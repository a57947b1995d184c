"""What OpenTelemetry and Sentry are told, where somebody set an address for them."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
import pytest
import sentry_sdk
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from referralhub.extensions import huey
from tests.pages import Visitor
from tests.people import Person, PostOffice
from tests.servers import wait_until

HERE = {"REMOTE_ADDR": "198.51.100.77", "HTTP_USER_AGENT": "Quuxfox/140"}
NAME = "alice@example.com"
SECRET = "quuxtoken"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

pytestmark = pytest.mark.one_database


class Collector(ThreadingHTTPServer):
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Keeper)
        self.address = f"127.0.0.1:{self.server_port}"


class _Keeper(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        unpack = {"gzip": gzip.decompress, "br": brotli.decompress}.get(self.headers["Content-Encoding"], bytes)
        self.server.bodies.append(unpack(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def traced(make_app: Callable[..., Flask], collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector.address}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    return make_app(otel_exporter_otlp_endpoint="set", trusted_proxies=1)


def spans(collector: Collector, number: int) -> list[Any]:
    """Give that many spans, once they are there."""
    found: list[Any] = []

    def all_there() -> bool:
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(collector.bodies)]
        found[:] = [s for r in requests for each in r.resource_spans for scope in each.scope_spans for s in scope.spans]
        return len(found) >= number

    wait_until(all_there, f"{number} spans")
    assert len(found) == number
    return found


def attributes(span: Any) -> dict[str, str]:
    return {a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes}


def test_each_request_and_job_is_a_span(traced: Flask, collector: Collector):
    alice = Person(traced, PostOffice(traced), "alice", **HERE)
    alice.get("/signup?quux=1", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    page = alice.fill_in_signup()
    huey.execute(huey.dequeue())
    alice.client.get("/verify/quuxtoken?quux=1")
    found = {span.name: span for span in spans(collector, 5)}
    assert found.keys() == {"GET /signup", "POST /signup", "deliver_mail", "GET /verify/<token>"}
    assert attributes(found["POST /signup"]) == {
        "http.request.method": "POST", "http.route": "/signup", "http.response.status_code": "303",
        "referralhub.request_id": page.headers["X-Request-ID"],
    }  # fmt: skip
    assert attributes(found["deliver_mail"]) == {"referralhub.request_id": page.headers["X-Request-ID"]}
    assert TRACE in {span.trace_id.hex() for span in spans(collector, 5)}
    for secret in (b"alice", b"quux", b"198.51.100.77", alice.session_id().encode()):
        assert not any(secret in body.lower() for body in collector.bodies)


def test_a_page_that_fails_is_a_span_in_error(traced: Flask, collector: Collector):
    def fail() -> str:
        raise ValueError("alice@example.com")

    traced.view_functions["landing.privacy"] = fail
    assert traced.test_client().get("/privacy").status_code == 500
    (span,) = spans(collector, 1)
    assert span.status.code == 2
    assert not span.events
    assert b"alice" not in b"".join(collector.bodies)


def test_an_error_is_told_without_who_asked_and_what_for(make_app: Callable[..., Flask], collector: Collector, log):
    app = make_app(sentry_dsn=f"http://key@{collector.address}/1")

    def fail(token: str) -> str:
        known = token
        try:
            raise ValueError(NAME)
        except ValueError:
            return known + None

    app.view_functions["auth.verify"] = fail
    try:
        visitor = Visitor(app, **HERE)
        answer = visitor.client.get(f"/verify/{SECRET}?{SECRET}=1", headers={"Cookie": f"referralhub={SECRET}"})
        assert visitor.client.get("/nothing").status_code == 404
        sentry_sdk.flush()
    finally:
        sentry_sdk.init()
    (body,) = collector.bodies
    event = json.loads(body.splitlines()[2])
    first, second = event["exception"]["values"]
    assert (first["type"], first["value"]) == ("ValueError", "")
    assert (second["type"], second["value"]) == ("TypeError", 'can only concatenate str (not "NoneType") to str')
    assert event["tags"] == {"request_id": answer.headers["X-Request-ID"], "route": "/verify/<token>"}
    assert event.keys() & {"request", "user", "server_name", "breadcrumbs", "extra", "modules"} == set()
    for secret in (NAME, SECRET, *HERE.values()):
        assert secret not in body.decode()
