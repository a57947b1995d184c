"""The dashboard and the alerts that come along ask for what `/metrics` tells."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from referralhub.config import PROJECT
from referralhub.extensions import huey
from referralhub.tasks import give_sign_of_life

TOKEN = "a token for tests: 0123456789"
DASHBOARD: dict[str, Any] = json.loads((PROJECT / "deploy/grafana/referralhub.json").read_text())
GROUPS: list[dict[str, Any]] = yaml.safe_load((PROJECT / "deploy/prometheus/alerts.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
SELECTOR = re.compile(r"(referralhub_\w+|\bup\b)(?:\{([^}]*)\})?")
UNITS = {"reqps", "s", "percentunit", "short", "bool_yes_no", "bytes"}

pytestmark = pytest.mark.one_database


@pytest.fixture
def told(make_app) -> dict[str, set[str]]:
    """Give each metric that `/metrics` tells, with its labels, after a little of everything."""
    app: Flask = make_app(metrics_token=TOKEN)
    client = app.test_client()
    client.get("/leaderboard")
    huey.execute(give_sign_of_life.s())
    text = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {"up": {"job"}} | {sample.name: set(sample.labels) for sample in samples}


def expressions() -> Iterator[str]:
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    yield from (rule["expr"] for rule in RULES)


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_what_is_asked_for_is_told(told: dict[str, set[str]], expression: str):
    found = SELECTOR.findall(expression)
    assert found
    assert expression.count("(") == expression.count(")")
    for name, selector in found:
        assert name in told
        assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= told[name]
    labels = {label for names in re.findall(r"by \(([^)]*)\)", expression) for label in names.split(", ")}
    assert labels <= set().union(*(told[name] for name, _ in found))


def test_counters_are_looked_at_as_rates_and_gauges_are_not():
    for expression in expressions():
        for before, name in re.findall(r"(\w*)\(?(referralhub_\w+)", expression):
            counts = name.endswith(("_total", "_bucket", "_sum"))
            assert (before in {"rate", "increase"}) is counts, expression


def test_the_dashboard_is_one_that_grafana_takes():
    assert DASHBOARD["schemaVersion"] >= 36
    assert {"title", "uid", "panels", "templating", "time"} <= DASHBOARD.keys()
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        references = [target["refId"] for target in panel["targets"]]
        assert references and len(set(references)) == len(references)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_the_alerts_say_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "warn"}
        assert rule["annotations"].keys() == {"summary", "action"}
        assert re.fullmatch(r"\d+m", rule.get("for", "1m"))
