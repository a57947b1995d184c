"""The document describes every call, and every answer is as it says."""

import re

from referralhub.api.operations import OPERATIONS
from tests.pages import Visitor


def test_has_every_call(app):
    document = Visitor(app).client.get("/api/v1/openapi.json").json
    assert document["openapi"] == "3.1.0"
    assert {call["operationId"] for calls in document["paths"].values() for call in calls.values()} == {
        endpoint.partition(".")[2] for endpoint in OPERATIONS
    }
    told = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert told == set(document["components"]["schemas"])


def test_people_can_read_it(app):
    page = Visitor(app).get("/api/")
    for call in OPERATIONS:
        assert page.one(f"#{call.partition('.')[2]}")
