"""What every call has in common: whose key it is, what may be sent, what is answered, and its place in the document.

A view takes plain values and returns a status with a struct of `schemas`; `operation` does the rest.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

import msgspec
from flask import Blueprint, Response, g, request
from flask_limiter import RequestLimit

from referralhub import problems
from referralhub.api import incoming
from referralhub.clock import now
from referralhub.extensions import csrf, limiter
from referralhub.models import ApiKey, Role, Scope
from referralhub.problems import NAMES, FieldProblem, Refused
from referralhub.security import client_address
from referralhub.services.integration import answers as kept
from referralhub.services.integration import keys
from referralhub.services.integration.answers import Answer
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import DomainError
from referralhub.services.shared.parts import Part

LIMIT = "600 per minute"  # of a key, for each call; without one of an address
READ = {"Cache-Control": "private, no-cache"}  # it may be kept by who asked, who asks each time whether it is so still
ONCE = "Idempotency-Key"
NAMES.add(ONCE)
View = Callable[..., tuple[int, Any]]

bp = Blueprint("api", __name__, url_prefix="/api")
csrf.exempt(bp)  # type: ignore[type-var]  # which it takes; a key is sent by a program, never by a browser on its own
bp.register_error_handler(Refused, problems.of_refusal)
bp.register_error_handler(DomainError, problems.of_rule)


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The query of a call that takes none."""


@dataclass(frozen=True)
class Operation:
    """What the document says of a call. `scope` is what its key must be good for; none: it needs no key.

    With `once` a repetition under the same Idempotency-Key is given the first answer.
    """

    method: str
    rule: str
    summary: str
    scope: Scope | None
    takes: type | None
    query: type
    answers: dict[int, type | None]
    problems: dict[int, str]
    once: bool
    most: int  # bodies in one call; several are sent as a list


OPERATIONS: dict[str, Operation] = {}  # by endpoint


def of_key() -> str:
    """Name the bucket of a call: its key's, whether that is one or not; without a key the client's address."""
    secret = _secret()
    return f"key:{hashlib.sha256(secret.encode()).hexdigest()[:32]}" if secret else client_address()


def operation(
    rule: str,
    method: str,
    summary: str,
    *,
    answers: dict[int, Any],
    scope: Scope | None = None,
    takes: type | None = None,
    query: type = Nothing,
    problems: dict[int, str] | None = None,
    once: bool = False,
    most: int = 1,
    limit: str = LIMIT,
) -> Callable[[View], View]:
    """Make a view a call of the API. With `takes` it is given the `body` as such a struct, with `query` that.

    Where there can be several bodies, up to `most`, it is given `incoming.Bodies`. What a status of `answers` answers
    is a struct, or None for nothing at all. With `once` the view's transactions are one, in which the answer is kept,
    too: see `services/integration/answers.py`.
    """

    def register(view: View) -> View:
        @wraps(view)
        def run(**values: Any) -> Response:
            if scope is not None:
                g.api_key = _key(scope)
            asked = incoming.query(query)
            if query is not Nothing:
                values["query"] = asked
            if takes is not None:
                values["body"] = incoming.body(takes) if most == 1 else incoming.bodies(takes, most)

            def answer() -> Answer:
                status, found = view(**values)
                return Answer(status, b"" if found is None else msgspec.json.encode(found))

            return _response(_once(answer) if once else answer())

        NAMES.update(*(incoming.names(each) for each in (takes, query) if each))
        limited = limiter.limit(limit, key_func=of_key)(run)
        bp.add_url_rule(f"/v1{rule}", view.__name__, limited, methods=[method], merge_slashes=False)
        OPERATIONS[f"{bp.name}.{view.__name__}"] = Operation(
            method, rule, summary, scope, takes, query, answers, problems or {}, once, most
        )
        return view

    return register


def actor() -> Actor:
    """Name the program that calls, for the audit log."""
    return Actor(Role.API, api_key_id=_current().id)


def product() -> str:
    """Name the product that calls, whose own numbers events have."""
    return _current().product


def next_of(part: Part[Any]) -> str | None:
    """Return the cursor of the part of a list behind this one."""
    return str(part.older) if part.older else None


def with_tag(response: Response) -> Response:
    """Let who has this answer already be told that it has not changed."""
    response.set_etag(
        hashlib.sha256(response.get_data()).hexdigest()[:32], weak=True
    )  # it may be compressed on its way
    response.headers.extend(READ)
    response.vary.update(("Authorization", "Accept-Language"))
    return cast(Response, response.make_conditional(request))


@bp.after_request
def _say_limits(response: Response) -> Response:
    """Say what is left of the limit (draft-ietf-httpapi-ratelimit-headers)."""
    found: RequestLimit | None = limiter.current_limit
    if found:
        seconds = max(0, round(found.reset_at - now().timestamp()))
        response.headers["RateLimit-Policy"] = f'"default";q={found.limit.amount};w={found.limit.get_expiry()}'
        response.headers["RateLimit"] = f'"default";r={max(0, found.remaining)};t={seconds}'
    return response


def _once(answer: Callable[[], Answer]) -> Answer:
    """Answer a call that changes something, the same call under the same key with what was answered before."""
    key = request.headers.get(ONCE)
    if key is None:
        return kept.whole(answer)
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        wrong = FieldProblem(ONCE, "pattern", "Use 1 to 255 printable ASCII characters without spaces.")
        raise Refused(422, "idempotency_key_malformed", wrong.detail, [wrong])
    said = "\n".join((request.method, request.path)).encode() + b"\n" + request.get_data()
    return kept.once(_current().id, key, hashlib.sha256(said).hexdigest(), answer, now())


def _response(found: Answer) -> Response:
    response = Response(found.body, found.status, mimetype="application/json")
    if not found.body:
        del response.headers["Content-Type"]
    if found.repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return with_tag(response) if request.method in ("GET", "HEAD") else response


def _current() -> ApiKey:
    return cast(ApiKey, g.api_key)


def _secret() -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip()[:200] if scheme.lower() == "bearer" else ""


def _key(scope: Scope) -> ApiKey:
    secret = _secret()
    found = keys.find(secret, now()) if secret else None
    if found is None:
        raise Refused(401, "key_wrong" if secret else "key_missing", "Send a key: Authorization: Bearer KEY.")
    if scope.value not in found.scopes:
        raise Refused(403, "scope_missing", f"This key is not good for “{scope.value}”.")
    return found
