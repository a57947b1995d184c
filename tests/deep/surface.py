"""Everything that can be sent to ReferralHub: each route, with the names of all that it reads."""

import re
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from flask import Flask
from flask_wtf import FlaskForm
from wtforms.fields.core import UnboundField

from tests.everybody import in_paths, routes
from tests.pages import SUBMITTED, Element, Visitor, parse
from tests.people import Records

PROJECT_QUERY = re.compile(r"""request\.(?:args|values|form)(?:\.get|\.getlist)?[(\[]["'](\w+)["']""")
PART = re.compile(r"<(?:[^:<>]+(?:\([^)]*\))?:)?(\w+)>")
# What Flask-Admin reads of an address, and what we read by a name that a constant has.
PREFIXES = ("", "active-", "adjust-", "correct-", "profile-", "codes-")
LIBRARY_QUERY = ("page", "sort", "desc", "search", "page_size", "without_session", "after", "claims_after")


@dataclass(frozen=True)
class Target:
    """One route: a path that is there, and what its form or its address usually has."""

    method: str
    rule: str
    parts: dict[str, str]  # of the path
    fields: dict[str, str]
    shown: frozenset[str] = frozenset()  # those that a page has a form for; the others are names that it may read

    def path(self, **others: str) -> str:
        """Give the path, with other parts perhaps, which are quoted already."""
        quoted = {name: quote(value, safe="/") for name, value in self.parts.items()}
        return PART.sub(lambda part: (quoted | others)[part[1]], self.rule)


def targets(app: Flask, people: dict[str, Visitor], records: Records, code: str) -> list[Target]:
    """Find them all: routes in the application's map, fields in the forms of every page, names of queries in `code`."""
    values = {name: str(value) for name, value in in_paths(people, records).items()}
    fields = _fields(app, people, values)
    query = dict.fromkeys([*PROJECT_QUERY.findall(code), *LIBRARY_QUERY], "")
    typed = _typed()
    found = []
    for method, rule, _ in sorted(routes(app)):
        parts = {name: values[name] for name in PART.findall(rule)}
        own = fields[method, Target(method, rule, parts, {}).path()]
        more = query if method == "GET" else {} if own else typed
        found.append(Target(method, rule, parts, more | own, frozenset(own)))
    return found


def _typed() -> dict[str, str]:
    """Give the name of each field that a form of ours has, for forms that no page showed."""
    kinds, names = [FlaskForm], set[str]()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        names |= {name for name, value in vars(kind).items() if isinstance(value, UnboundField)}
    return dict.fromkeys([*(f"{prefix}{name}" for prefix in PREFIXES for name in sorted(names)), "case", "step"], "")


def _fields(app: Flask, people: dict[str, Visitor], values: dict[str, str]) -> dict[tuple[str, str], dict[str, str]]:
    """Open every page as everybody, and read its forms: what each sends, by method and path."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for visitor in people.values():
        for method, rule, _ in routes(app):
            if method == "GET" and not rule.startswith("/static/"):
                path = Target("GET", rule, {name: values[name] for name in PART.findall(rule)}, {}).path()
                answer = visitor.client.get(path)
                if answer.mimetype == "text/html" and answer.status_code == 200:
                    _read(parse(answer.get_data(as_text=True)), found)
    return found


def _read(page: Element, found: dict[tuple[str, str], dict[str, str]]) -> None:
    for form in page.all("form"):
        key = form.attributes.get("method", "get").upper(), urlsplit(form["action"]).path
        for box in form.all("[name]"):
            if box["name"] == "csrf_token":  # is somebody's own, and another one each time
                continue
            if box.tag != "input" or box.attributes.get("type", "text") in {*SUBMITTED, "checkbox", "radio", "file"}:
                found[key].setdefault(box["name"], _value(box))


def _value(box: Element) -> str:
    options = [option.attributes.get("value", option.text) for option in box.all("option")]
    return options[-1] if options else box.attributes.get("value", "")
