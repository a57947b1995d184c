"""The document as a page for people, with an example of each call."""

import shlex
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import render_template

from referralhub.api.document import document
from referralhub.api.operations import bp
from referralhub.extensions import limiter
from referralhub.urls import public_url


@dataclass(frozen=True)
class Value:
    """A parameter, or a value of a body or an answer."""

    name: str
    kind: str
    about: str
    required: bool


@dataclass(frozen=True)
class Call:
    """A call as the page shows it. `answers` has for each status what it means and, if there is one, its schema."""

    id: str
    method: str
    path: str
    summary: str
    needs: str
    parameters: list[Value]
    body: list[Value]
    answers: list[tuple[str, str, str]]
    example: str


@bp.get("/")
@limiter.exempt
def reference() -> str:
    """Show what there is, for people."""
    found = document()
    schemas = found["components"]["schemas"]
    groups: dict[str, list[Call]] = {each["name"]: [] for each in found["tags"]}
    for path, calls in found["paths"].items():
        for method, call in calls.items():
            groups[call["tags"][0]].append(_call(method, path, call, schemas))
    shapes = {name: _values(schema, schemas) for name, schema in schemas.items() if "properties" in schema}
    return render_template("api/reference.html", groups=groups, shapes=shapes, schemas=schemas)


def _call(method: str, path: str, call: dict[str, Any], schemas: dict[str, Any]) -> Call:
    body = call.get("requestBody") and call["requestBody"]["content"]["application/json"]["schema"]
    kind = body and _name(body.get("oneOf", [body])[0])
    parameters = [
        Value(
            each["name"],
            _kind(each["schema"]),
            each.get("description", "") + _choices(each["schema"], schemas),
            each.get("required", False),
        )
        for each in call["parameters"]
        if each["name"] != "If-None-Match"  # which is the same for every call
    ]
    return Call(
        call["operationId"], method.upper(), path, call["summary"], call.get("description", ""), parameters,
        _values(schemas[kind], schemas) if kind else [],
        [(status, each["description"], _shape(each)) for status, each in call["responses"].items()],
        _example(method, path, call, schemas[kind] if kind else None),
    )  # fmt: skip


def _values(schema: dict[str, Any], schemas: dict[str, Any]) -> list[Value]:
    required = schema.get("required", ())
    return [
        Value(name, _kind(about), _about(about) + _choices(about, schemas), name in required)
        for name, about in schema.get("properties", {}).items()
    ]


def _about(schema: dict[str, Any]) -> str:
    found = [schema, *schema.get("anyOf", ())]
    return next((each["description"] for each in found if "description" in each), "")


def _choices(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Name what can be chosen, where a value is one of few."""
    found = [schemas.get(_name(each), {}).get("enum", ()) for each in (schema, *schema.get("anyOf", ()))]
    return " " + ", ".join(f"`{each}`" for enum in found for each in enum)


def _kind(schema: dict[str, Any]) -> str:
    """Say in a word or two what a value can be."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if "$ref" in schema:
        return _name(schema)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _shape(answer: dict[str, Any]) -> str:
    """Name the schema of an answer; not that of problems, which is the same for all."""
    return _name(answer.get("content", {}).get("application/json", {}).get("schema", {}))


def _example(method: str, path: str, call: dict[str, Any], body: dict[str, Any] | None) -> str:
    for each in call["parameters"]:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each["example"]))
    address = public_url("landing.home").rstrip("/") + path
    lines = [f"curl {address}" if method == "get" else f"curl -X {method.upper()} {address}"]
    if call["security"]:
        lines.append('-H "Authorization: Bearer $KEY"')
    if any(each["name"] == "Idempotency-Key" for each in call["parameters"]):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None:
        sent = msgspec.json.encode(_sample(body)).decode()
        lines += ['-H "Content-Type: application/json"', f"-d {shlex.quote(sent)}"]
    return " \\\n  ".join(lines)


def _sample(schema: dict[str, Any]) -> dict[str, Any]:
    """Make up a body: the values that have an example, as long as they are needed or there are few."""
    found = {}
    for name, about in schema.get("properties", {}).items():
        for each in (about, *about.get("anyOf", ())):
            if each.get("examples"):
                found[name] = each["examples"][0]
                break
    return found
