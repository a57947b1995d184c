"""The OpenAPI document, written from the calls that there are."""

import re
from functools import cache
from typing import Any

import msgspec
from apispec import APISpec
from flask import Response, current_app, render_template

from referralhub.api.operations import OPERATIONS, Operation, bp
from referralhub.branding.shown import brand
from referralhub.extensions import limiter
from referralhub.metrics import version
from referralhub.problems import MEDIA_TYPE, Problem
from referralhub.urls import public_url

COMMON = {
    400: "The JSON is malformed.", 401: "The key is missing, wrong, withdrawn, or over.",
    403: "The key is not good for this.", 415: "What was sent is no JSON.", 422: "A value of the body cannot be.",
    429: "Too many calls; Retry-After says when there is room again.", 503: "A service is away; try again.",
}  # fmt: skip
WITH_KEY, WITH_BODY = {401, 403}, {400, 415, 422}
VARIABLE = re.compile(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>")  # of a path, as Flask writes it


@bp.get("/v1/openapi.json")
@limiter.exempt
def openapi() -> Response:
    """Give the document."""
    document = {**_document(), "servers": [{"url": public_url("landing.home").rstrip("/")}]}
    document["info"] = {"title": f"{brand.name} API", "version": version()}
    return Response(msgspec.json.encode(document), mimetype="application/json")


@bp.get("/")
@limiter.exempt
def reference() -> str:
    """Show what there is, for people."""
    document = _document()
    return render_template("api/reference.html", paths=document["paths"], schemas=document["components"]["schemas"])


@cache
def _document() -> dict[str, Any]:
    spec = APISpec(title="", version="", openapi_version="3.1.0")
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    structs = {Problem} | {
        each for call in OPERATIONS.values() for each in (call.takes, *call.answers.values()) if each
    }
    refs, schemas = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    named = dict(zip(structs, refs, strict=True))
    for name in sorted(schemas):
        spec.components.schema(name, schemas[name])
    rules = sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule)
    for rule in rules:
        call = OPERATIONS.get(rule.endpoint)
        if call:
            method = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            path = VARIABLE.sub(r"{\1}", rule.rule)
            spec.path(path, operations={each.lower(): _described(rule.endpoint, call, named, path) for each in method})
    document: dict[str, Any] = spec.to_dict()
    return document


def _described(endpoint: str, call: Operation, named: dict[type, dict[str, Any]], path: str) -> dict[str, Any]:
    answers: dict[str, Any] = {
        str(status): {"description": _first_line(kind), "content": {"application/json": {"schema": named[kind]}}}
        for status, kind in call.answers.items()
    }
    possible = COMMON.keys() - (set() if call.scope else WITH_KEY) - (set() if call.takes else WITH_BODY)
    told = {status: COMMON[status] for status in possible} | call.problems
    for status, text in sorted(told.items()):
        answers[str(status)] = {"description": text, "content": {MEDIA_TYPE: {"schema": named[Problem]}}}
    described: dict[str, Any] = {
        "operationId": endpoint.rpartition(".")[2],
        "summary": call.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", path)
        ]
        + [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in call.parameters.items()
        ],
        "responses": answers,
        "security": [{"key": []}] if call.scope else [],
    }
    if call.scope:
        described["description"] = f"Needs a key of scope `{call.scope.value}`."
    if call.takes:
        one = named[call.takes]
        several = {"oneOf": [one, {"type": "array", "items": one, "maxItems": call.most}]}
        content = {"application/json": {"schema": several if call.most > 1 else one}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0]
