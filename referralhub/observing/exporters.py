"""Traces for OpenTelemetry and errors for Sentry, if somebody set an address; only then the libraries are loaded.

Both get what the log has and no more: no path, no address, no cookie, no value that an error quotes.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from flask import Flask

from referralhub.config import Settings
from referralhub.observing import context
from referralhub.observing.logs import SPEAK_OF_CODE

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from sentry_sdk.types import Event, Hint

SPEAKING = {error.__name__ for error in SPEAK_OF_CODE}
TOLD = ("event_id", "timestamp", "platform", "level", "logger", "environment", "release", "sdk")  # of each error


def init_app(app: Flask, settings: Settings) -> None:
    """Trace requests and jobs, and tell of errors, as far as that is wanted."""
    if settings.sentry_dsn:
        _tell_sentry(settings)
    if settings.otel_exporter_otlp_endpoint:
        app.extensions["tracer"] = _tracer()
        app.wsgi_app = Traced(app.wsgi_app, app, settings.trusted_proxies > 0)  # type: ignore[method-assign]  # how Flask takes middleware


class Traced:
    """WSGI middleware: each request is a span, named after the form of its path."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], app: Flask, believe: bool) -> None:
        self.inner, self.app, self.believe = inner, app, believe

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Go on, and tell how it went; a trusted proxy may have begun the trace."""
        status = 500

        def start(text: str, *more: Any) -> Any:
            nonlocal status
            status = int(text[:3])
            return start_response(text, *more)

        begun = {"traceparent": environ.get("HTTP_TRACEPARENT", "")} if self.believe else {}
        with span(self.app, begun) as current:
            answer = self.inner(environ, start)
            if current:
                _describe(current, status, context.facts())
        return answer


@contextmanager
def span(app: Flask, begun: Mapping[str, str] | None = None) -> "Iterator[Span | None]":
    """Trace what is done in the block, if that is wanted; without errors, whose messages quote values."""
    if "tracer" not in app.extensions:
        yield None
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415 - see above
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - see above

    kind = SpanKind.CONSUMER if begun is None else SpanKind.SERVER
    with app.extensions["tracer"].start_as_current_span(
        "job", extract(begun or {}), kind, record_exception=False, set_status_on_exception=False
    ) as current:
        yield current


def _describe(current: "Span", status: int, facts: Mapping[str, Any]) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - see above

    route = facts.get("route", "")
    current.update_name(f"{facts['method']} {route}".strip())
    current.set_attributes({
        "http.request.method": facts["method"],
        "http.route": route,
        "http.response.status_code": status,
        "referralhub.request_id": facts["request_id"],
    })  # fmt: skip
    if status >= 500:
        current.set_status(StatusCode.ERROR)


def _tracer() -> Any:
    """Make what makes spans; addresses, headers and sampling are set by the library's own variables, `OTEL_…`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above

    os.environ.setdefault("OTEL_SERVICE_NAME", "referralhub")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    Finalize(None, provider.shutdown, exitpriority=0)  # as for the counts
    return provider.get_tracer("referralhub")


def _tell_sentry(settings: Settings) -> None:
    import sentry_sdk  # noqa: PLC0415 - see above
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415 - see above

    sentry_sdk.init(
        settings.sentry_dsn,
        environment=settings.referralhub_env,
        default_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        include_local_variables=False,
        max_breadcrumbs=0,
        send_client_reports=False,
        before_send=_without_values,
    )
    Finalize(None, sentry_sdk.flush, exitpriority=0)


def _without_values(event: "Event", hint: "Hint") -> "Event | None":
    """Return what may be told of an error; a line of the log without one stays here."""
    if "exception" not in event:
        return None
    told: Event = {name: event[name] for name in TOLD if name in event}  # type: ignore[literal-required,assignment]  # TOLD has its keys
    told["tags"] = {
        name: str(context.facts()[name]) for name in ("request_id", "route", "job") if name in context.facts()
    }
    told["exception"] = event["exception"]
    for error in event["exception"]["values"]:
        if error.get("type") not in SPEAKING:
            error["value"] = ""
    return told
