"""What every call has in common: whose key it is, what may be sent, what is answered, and its place in the document.

A view takes plain values and returns a status with a struct of `schemas`; `operation` does the rest.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, cast

import msgspec
from flask import Blueprint, Response, g, request
from flask_limiter import RequestLimit

from referralhub import problems
from referralhub.clock import now
from referralhub.extensions import csrf, limiter
from referralhub.models import ApiKey, Role, Scope
from referralhub.problems import FieldProblem, Refused
from referralhub.security import client_address
from referralhub.services.integration import keys
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import DomainError
from referralhub.services.shared.parts import LARGEST

LIMIT = "600 per minute"  # of a key, for each call; without one of an address
View = Callable[..., tuple[int, Any]]

bp = Blueprint("api", __name__, url_prefix="/api")
csrf.exempt(bp)  # type: ignore[type-var]  # which it takes; a key is sent by a program, never by a browser on its own
bp.register_error_handler(Refused, problems.of_refusal)
bp.register_error_handler(DomainError, problems.of_rule)


@dataclass(frozen=True)
class Operation:
    """What the document says of a call. `scope` is what its key must be good for; none: it needs no key."""

    summary: str
    scope: Scope | None
    takes: type | None
    answers: dict[int, type]
    problems: dict[int, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)  # of the query, and what each says
    most: int = 1  # bodies in one call; more than one are sent as a list


@dataclass(frozen=True)
class Bodies:
    """What was sent to a call that takes one or several: each as its struct, or why it is none."""

    each: list[Any]
    alone: bool  # and no list


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
    answers: dict[int, type],
    scope: Scope | None = None,
    takes: type | None = None,
    problems: dict[int, str] | None = None,
    parameters: dict[str, str] | None = None,
    most: int = 1,
    limit: str = LIMIT,
) -> Callable[[View], View]:
    """Make a view a call of the API. With `takes` the view is given the `body` as such a struct.

    Where there can be several, up to `most`, it is given `Bodies`.
    """

    def register(view: View) -> View:
        @wraps(view)
        def run(**values: Any) -> Response:
            if scope is not None:
                g.api_key = _key(scope)
            if takes is not None:
                values["body"] = _bodies(takes, most) if most > 1 else _body(takes)
            status, found = view(**values)
            return Response(msgspec.json.encode(found), status, mimetype="application/json")

        limited = limiter.limit(limit, key_func=of_key)(run)
        bp.add_url_rule(f"/v1{rule}", view.__name__, limited, methods=[method])
        OPERATIONS[f"{bp.name}.{view.__name__}"] = Operation(
            summary, scope, takes, answers, problems or {}, parameters or {}, most
        )
        return view

    return register


def cursor() -> int | None:
    """Return behind which row the part of a list begins that is asked for; None: the first. Raises Refused."""
    text = request.args.get("after", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:11]) <= LARGEST):
        raise Refused(422, "cursor_invalid", "Take it from the answer before.", [FieldProblem("after", "invalid", "")])
    return int(text)


def actor() -> Actor:
    """Name the program that calls, for the audit log."""
    return Actor(Role.API, api_key_id=_current().id)


@bp.after_request
def _say_limits(response: Response) -> Response:
    """Say what is left of the limit (draft-ietf-httpapi-ratelimit-headers)."""
    found: RequestLimit | None = limiter.current_limit
    if found:
        seconds = max(0, round(found.reset_at - now().timestamp()))
        response.headers["RateLimit-Policy"] = f'"default";q={found.limit.amount};w={found.limit.get_expiry()}'
        response.headers["RateLimit"] = f'"default";r={max(0, found.remaining)};t={seconds}'
    return response


def product() -> str:
    """Name the product that calls, whose own numbers events have."""
    return _current().product


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


def _body(kind: type) -> Any:
    """Return what was sent. Unknown names are refused: a mistyped one would be lost without a word."""
    return _decoded(_sent(), kind)


def _bodies(kind: type, most: int) -> Bodies:
    """Return what was sent, one or several. What is wrong with one of several is no matter of the others'."""
    sent = _sent()
    if not sent.lstrip().startswith(b"["):
        return Bodies([_decoded(sent, kind)], alone=True)
    several: list[msgspec.Raw] = _decoded(sent, list[msgspec.Raw])
    if len(several) > most:
        raise Refused(422, "too_many", f"Send at most {most} at once.", [FieldProblem("", "too_many", "")])
    found: list[Any] = []
    for each in several:
        try:
            found.append(_decoded(each, kind))
        except Refused as error:
            found.append(error)
    return Bodies(found, alone=False)


def _sent() -> bytes:
    if request.mimetype != "application/json":
        raise Refused(415, "not_json", "Send JSON, with Content-Type: application/json.")
    return request.get_data()


def _decoded(sent: bytes | msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(sent, type=kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        name = place.rstrip("`").lstrip(".")
        raise Refused(422, "body_invalid", str(error), [FieldProblem(name, "invalid", what)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(400, "json_malformed", str(error)) from None
