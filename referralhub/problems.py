"""What went wrong, for programs: problem details (RFC 9457) with a code that stays."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Response, request

from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError, NotFound
from referralhub.words.errors import by_field, say

PREFIX = "/api/v1/"  # of the addresses below which every answer is one for programs
MEDIA_TYPE = "application/problem+json"


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
    problem = Problem(HTTPStatus(status).phrase, status, code, detail, errors or [])
    return Response(msgspec.json.encode(problem), status, mimetype=MEDIA_TYPE, headers=headers)


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
    told: dict[str, Any] = by_field(error)
    errors = [FieldProblem(field, error.fields[field], told[field]) for field in error.fields if field]
    return answer(status, error.code, say(error), errors)
