"""The document describes every call. Every test here that asks checks that the answer is as it says (`conftest.py`)."""

import re

import pytest
from openapi_spec_validator import validate

from referralhub.api.operations import OPERATIONS
from tests.pages import Visitor

pytestmark = pytest.mark.one_database


@pytest.fixture
def document(app) -> dict:
    return Visitor(app).client.get("/api/v1/openapi.json").json


def calls(document: dict) -> list[dict]:
    return [call for path in document["paths"].values() for call in path.values()]


def test_has_every_call(document: dict):
    assert document["openapi"] == "3.1.0"
    validate(document)
    assert {call["operationId"] for call in calls(document)} == {each.partition(".")[2] for each in OPERATIONS}
    told = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert told == set(document["components"]["schemas"])
    assert {call["tags"][0] for call in calls(document)} == {each["name"] for each in document["tags"]}


def test_says_of_each_call_what_can_be_sent_and_come(document: dict):
    for call in calls(document):
        has = {each["name"] for each in call["parameters"]}
        assert {"405", "422", "429", "500", "503"} <= call["responses"].keys()
        assert ("If-None-Match" in has) == ("304" in call["responses"])
        assert bool(call["security"]) == ("401" in call["responses"]) == ("403" in call["responses"])
        assert ("requestBody" in call) == ("415" in call["responses"])
    of_list = document["paths"]["/api/v1/referrals"]["get"]["parameters"]
    assert {each["name"]: each["schema"] for each in of_list if each["in"] == "query"} == {
        "state": {"$ref": "#/components/schemas/ReferralState"},
        "created_from": {"type": "string", "format": "date-time"},
        "created_to": {"type": "string", "format": "date-time"},
        "after": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    }


def test_people_can_read_it(app):
    page = Visitor(app).get("/api/")
    for call in OPERATIONS:
        assert page.one(f"#{call.partition('.')[2]}")
    examples = [each.text for each in page.all("pre")]
    assert "curl -X POST http://localhost/api/v1/members/42/adjustments" in "".join(examples)
    assert {"amount", "reason"} <= {each.text for each in page.all("td code")}


def test_machines_that_read_are_led_to_it(app):
    visitor = Visitor(app)
    text = visitor.file("/llms.txt").get_data(as_text=True)
    for address in re.findall(r"\]\((.*)\)", text):
        assert visitor.client.get(address).status_code == 200
