"""The OpenAPI document, written from the calls that there are."""

import re
from functools import cache
from typing import Any

import msgspec
from apispec import APISpec
from flask import Response, current_app

from referralhub.api.operations import ONCE, OPERATIONS, Operation, bp, with_tag
from referralhub.branding.shown import brand
from referralhub.extensions import limiter
from referralhub.metrics import version
from referralhub.problems import MEDIA_TYPE, Problem
from referralhub.urls import public_url

COMMON = {
    400: "The request is malformed: its address, or its JSON.",
    401: "The key is missing, wrong, withdrawn, or over.",
    403: "The key is not good for this.",
    404: "Nothing has this address.",
    405: "Nothing is done here by this method.",
    413: "The body is too large.",
    415: "What was sent is no JSON.",
    422: "A value cannot be; `errors` names each.",
    429: "Too many calls; Retry-After says when there is room again.",
    500: "A fault of ours; it has been written down.",
    503: "A service is away; try again.",
}
WITH_KEY, WITH_PATH, WITH_BODY = {401, 403}, {404}, {413, 415}
LIMITS = {
    "RateLimit-Policy": "The limits of the call: how many in how many seconds.",
    "RateLimit": "What is left of them, and the seconds until they begin anew.",
}
HEADERS = LIMITS | {
    "ETag": "What tells this answer from another; send it back as If-None-Match.",
    "Retry-After": "The seconds until there is room again.",
    "Idempotency-Replayed": "`true`: the same was asked before under this key, and nothing was done now.",
    "WWW-Authenticate": "`Bearer`.",
}
GROUPS = {  # of the calls, by the beginning of their paths; any other is a group of its own
    "members": "Members", "codes": "Codes", "events": "Events", "track": "Events", "referrals": "Referrals",
    "rewards": "Rewards", "perks": "Perks", "claims": "Perks", "program": "Program", "leaderboard": "Program",
    "growth": "Program",
}  # fmt: skip
VARIABLE = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")  # of a path, as Flask writes it
BY_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
BY_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
OF_PATH = {
    "external_id": ("Your own number of the member.", "42"),
    "id": ("Your own number of the event.", "order-1001"),
    "code": ("As the friend typed it.", "k3x9p2ab"),
}
NULL = {"type": "null"}


@bp.get("/v1/openapi.json")
@limiter.exempt
def openapi() -> Response:
    """Give the document."""
    found = {**document(), "servers": [{"url": public_url("landing.home").rstrip("/")}]}
    found["info"] = {
        "title": f"{brand.name} API", "version": version(),
        "description": "Members, referrals, rewards and events of a referral program. The reference is at `/api/`.",
    }  # fmt: skip
    return with_tag(Response(msgspec.json.encode(found), mimetype="application/json"))


@cache
def document() -> dict[str, Any]:
    """Return it without what depends on the installation."""
    spec = APISpec(title="", version="", openapi_version="3.1.0")
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for name, about in HEADERS.items():
        spec.components.header(name, {"description": about, "schema": {"type": "string"}})
    sent = {call.takes for call in OPERATIONS.values()} | {call.query for call in OPERATIONS.values()}
    answered = {kind for call in OPERATIONS.values() for kind in call.answers.values()}
    structs = ({Problem} | sent | answered) - {None}
    refs, schemas = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    named = dict(zip(structs, refs, strict=True))
    queries = {call.query: schemas.pop(call.query.__name__, {}) for call in OPERATIONS.values()}
    for name in sorted(schemas):
        spec.components.schema(name, schemas[name])
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if call := OPERATIONS.get(rule.endpoint):
            path = VARIABLE.sub(r"{\2}", rule.rule)
            parameters = _parameters(call, queries[call.query])
            spec.path(path, operations={call.method.lower(): _described(rule.endpoint, call, named, parameters)})
    found: dict[str, Any] = spec.to_dict()
    used = {group(call) for call in OPERATIONS.values()}
    found["tags"] = [{"name": name} for name in dict.fromkeys([*GROUPS.values(), *sorted(used)]) if name in used]
    return found


def group(call: Operation) -> str:
    """Name the group that a call is in."""
    beginning = call.rule.split("/")[1]
    return GROUPS.get(beginning, beginning.capitalize())


def _parameters(call: Operation, query: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind, name in VARIABLE.findall(call.rule):
        about, example = OF_PATH.get(name, ("As we gave it.", 1 if kind == "row" else "1"))
        schema = BY_NUMBER if kind == "row" else BY_NAME
        described = {"description": about, "schema": schema, "example": example}
        found.append({"name": name, "in": "path", "required": True, **described})
    for name, schema in query.get("properties", {}).items():
        found.append({"name": name, "in": "query", "required": name in query.get("required", ()), **_of_query(schema)})
    if call.method == "GET":
        about = "The ETag of what you have: 304 where it is so still."
        found.append({"name": "If-None-Match", "in": "header", "description": about, "schema": {"type": "string"}})
    if call.once:
        about = "Yours for this call, and for its repetitions: they are given the first answer, for 30 days."
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
        found.append({"name": ONCE, "in": "header", "description": about, "schema": schema})
    return found


def _of_query(schema: dict[str, Any]) -> dict[str, Any]:
    """Return schema and description of a parameter: an address has no null, what is not there is not there."""
    schema = {key: value for key, value in schema.items() if key != "default" or value is not None}
    about = schema.pop("description", "")
    [*choices] = (each for each in schema.pop("anyOf", ()) if each != NULL)
    return {"description": about, "schema": {**schema, **(choices[0] if choices else {})}}


def _described(
    endpoint: str, call: Operation, named: dict[Any, dict[str, Any]], parameters: list[dict[str, Any]]
) -> dict[str, Any]:
    headers = [*LIMITS, *(["ETag"] if call.method == "GET" else []), *(["Idempotency-Replayed"] if call.once else [])]
    answers: dict[str, Any] = {}
    for status, kind in call.answers.items():
        answers[str(status)] = {"description": _first_line(kind), "headers": _headers(*headers)}
        if kind is not None:
            answers[str(status)]["content"] = {"application/json": {"schema": named[kind]}}
    if call.method == "GET":
        answers["304"] = {"description": "You have it already.", "headers": _headers("ETag", *LIMITS)}
    for status, text in sorted(_problems(call).items()):
        more = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
        content = {MEDIA_TYPE: {"schema": named[Problem]}}
        limits = [] if status in (405, 500, 503) else LIMITS
        answers[str(status)] = {"description": text, "headers": _headers(*limits, *more), "content": content}
        if not limits and not more:
            del answers[str(status)]["headers"]
    described: dict[str, Any] = {
        "operationId": endpoint.rpartition(".")[2],
        "tags": [group(call)],
        "summary": call.summary,
        "parameters": parameters,
        "responses": answers,
        "security": [{"key": []}] if call.scope else [],
    }
    if call.scope:
        described["description"] = f"Needs a key of scope `{call.scope.value}`."
    if call.takes:
        one = named[call.takes]
        several = {"oneOf": [one, {"type": "array", "items": one, "maxItems": call.most}]}
        content = {"application/json": {"schema": one if call.most == 1 else several}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _problems(call: Operation) -> dict[int, str]:
    """Say what can go wrong with a call, for whichever of its reasons."""
    impossible = (
        (set() if call.scope else WITH_KEY)
        | (set() if "<" in call.rule else WITH_PATH)
        | (set() if call.takes else WITH_BODY)
    )
    found = {status: text for status, text in COMMON.items() if status not in impossible}
    for status, text in call.problems.items():
        found[status] = f"{text} {found[status]}" if status == 422 else text
    return found


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _first_line(kind: type | None) -> str:
    return "It is done; there is nothing to be said." if kind is None else (kind.__doc__ or "").partition("\n")[0]
