"""What went wrong, for programs: problem details (RFC 9457) with a code that stays."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Response, current_app, request

from referralhub.clock import now
from referralhub.services.integration import refusals
from referralhub.services.integration.refusals import Fault
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError, NotFound
from referralhub.words.errors import by_field, say

PREFIX = "/api/v1/"  # of the addresses below which every answer is one for programs
DETAILS = {
    400: "The request is malformed.",
    404: "Nothing has this address.",
    405: "Nothing is done here by this method; Allow names those that there are.",
    413: "The body is too large.",
    429: "Too many calls; Retry-After says in how many seconds there is room again.",
    500: "A fault of ours, written down under the number {number}. Nothing was changed; please try again.",
    503: "A service is away. Nothing was half done; send the same again after Retry-After seconds.",
}
MEDIA_TYPE = "application/problem+json"
UNKNOWN = "unknown"  # of the name of a value, as which all are counted that we do not know
NAMES = {""}  # of the values that calls take


class FieldProblem(msgspec.Struct):
    """What is wrong with one value of a body; "" is the whole."""

    field: str
    code: str
    detail: str


class Problem(msgspec.Struct, omit_defaults=True):
    """Why a call was refused: `code` stays the same for good, `title` and `detail` are for people."""

    title: str
    status: int
    code: str
    detail: str = ""
    errors: list[FieldProblem] = []


class Refused(Exception):
    """A call that cannot be answered as asked."""

    def __init__(self, status: int, code: str, detail: str = "", errors: list[FieldProblem] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.errors = status, code, detail, errors or []


def wanted() -> bool:
    """Whether the request at hand is one of a program's."""
    return request.path.startswith(PREFIX)


def answer(
    status: int,
    code: str,
    detail: str = "",
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Write the answer."""
    missed = status == HTTPStatus.NOT_FOUND and request.method in ("GET", "HEAD")  # by who only asked
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and not missed:
        count([(errors or [], code)])
    problem = Problem(HTTPStatus(status).phrase, status, code, detail, errors or [])
    return Response(msgspec.json.encode(problem), status, mimetype=MEDIA_TYPE, headers=headers)


def count(refused: Iterable[tuple[Sequence[FieldProblem], str]]) -> None:
    """Count what was wrong with a call, or with some of its events: of each its values, or the code of the whole."""
    faults = [
        fault
        for errors, code in refused
        for fault in ([Fault(_known(each), each.code) for each in errors] or [Fault("", code)])
    ]
    if faults:
        refusals.note(current_app.extensions["redis"], faults, now())


def _known(error: FieldProblem) -> str:
    """Return the name of a value as it is counted: one that somebody made up could be anything, and anybody's."""
    name = re.sub(r"\[[^]]*\]", "", error.field)
    if error.code == UNKNOWN:
        return UNKNOWN
    while name not in NAMES and "." in name:  # what is in a value is of the product's own naming
        name = name.rpartition(".")[0]
    return name if name in NAMES else UNKNOWN


def of_status(status: int, number: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer a call that got no further; `number` is the request's, by which the log has it."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
    return answer(status, code, DETAILS.get(status, "").format(number=number), headers=headers)


def of_refusal(error: Refused) -> Response:
    """Answer a call that was refused before a service was asked."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return answer(error.status, error.code, error.detail, error.errors, headers)


def of_rule(error: DomainError) -> Response:
    """Answer a call that a rule stands against."""
    match error:
        case NotFound():
            status = HTTPStatus.NOT_FOUND
        case Conflict() | AlreadyDone():
            status = HTTPStatus.CONFLICT
        case _:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
    told: dict[str, Any] = by_field(error, to_program=True)
    errors = [FieldProblem(field, error.fields[field], told[field]) for field in error.fields if field]
    return answer(status, error.code, say(error, to_program=True), errors)
