"""Calls of the API that Schemathesis makes up from the document, and what every answer must be like."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance, negative_data_rejection,
]  # fmt: skip
KNOWN = {"external_id": "42", "number": 1, "reward_id": 1}  # who and what there is


def play(
    app: Flask,
    headers: dict[str, str],
    examples: int,
    known: dict[str, Any] | None = None,
    prepare: Callable[[], object] = lambda: None,
) -> Counter[int]:
    """Make up so many calls of each kind, good and bad ones, and check each answer; counts them by status.

    With `known` they are about these things, else about any; `prepare` sees to it that they are there.
    """
    document = app.test_client().get("/api/v1/openapi.json").json
    for call in (call for path in document["paths"].values() for call in path.values()):  # wrong it cannot be
        call["parameters"] = [each for each in call["parameters"] if each["name"] != "If-None-Match"]
    schema = schemathesis.openapi.from_dict(document | {"servers": [{"url": "/"}]})
    schema.app = app
    statuses: Counter[int] = Counter()
    for operation in (result.ok() for result in schema.get_all_operations()):
        about = {name: value for name, value in (known or {}).items() if f"{{{name}}}" in operation.path}
        if known is not None and len(about) < operation.path.count("{"):
            continue
        prepare()
        takes = operation.body or operation.query or operation.path_parameters
        for mode in GenerationMode if takes else (GenerationMode.POSITIVE,):
            cases = operation.as_strategy(mode, path_parameters=about or None, headers=headers or None)

            @settings(
                max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(cases)
            def check(case: schemathesis.Case) -> None:
                answer: Response = case.call(headers=headers)
                statuses[answer.status_code] += 1
                case.validate_response(answer, checks=CHECKS, excluded_checks=_excluded(case), headers=headers)

            with suppress(Unsatisfiable):  # in some calls nothing can be wrong
                check()
    return statuses


def _excluded(case: schemathesis.Case) -> list[Any]:
    """Of several bodies the good ones are taken, whatever is wrong with the others."""
    return [negative_data_rejection] if "oneOf" in str(case.operation.definition.raw.get("requestBody")) else []
