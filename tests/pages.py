"""Walking through the pages as a person without JavaScript does, looking at each one with a critical eye.

Every page and fragment that is fetched through `Visitor` is checked; see `check_page` and `check_fragment`.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, stream_encode_multipart

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
LOADS = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href", "use": "href"}
SUBMITTED = {"hidden", "text", "email", "password", "search", "url", "tel", "number"}


@dataclass
class Element:
    """One element of a page. It is found by a selector of one step: `a`, `#id`, `[name]`, `[name="value"]` or a mix."""

    tag: str
    attributes: dict[str, str]
    children: "list[Element | str]" = field(default_factory=list, repr=False)

    def walk(self) -> "Iterator[Element]":
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def all(self, selector: str) -> "list[Element]":
        tag = re.match(r"[a-z0-9]*", selector)[0]
        wanted = [("id", name) for name in re.findall(r"#([\w-]+)", selector)]
        wanted += [(m[1], m[2]) for m in re.finditer(r'\[([\w-]+)(?:="([^"]*)")?\]', selector)]
        return [
            element
            for element in self.walk()
            if (not tag or element.tag == tag)
            and all(name in element.attributes and value in {None, element.attributes[name]} for name, value in wanted)
        ]

    def one(self, selector: str) -> "Element":
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements match {selector}"
        return found[0]

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    @property
    def text(self) -> str:
        """What is written in it, with single spaces."""
        parts = (child if isinstance(child, str) else f" {child.text} " for child in self.children)
        return " ".join("".join(parts).split())


class _TreeBuilder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Element:
    """Read HTML into a tree. Fails when tags are not closed in order."""
    builder = _TreeBuilder()
    builder.feed(html)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].tag}> is never closed"
    return builder.open[0]


def check_elements(root: Element) -> None:
    """What holds for every element of ours: nothing inline, nothing from elsewhere, every reference met."""
    for element in root.walk():
        for name, value in element.attributes.items():
            assert not name.startswith(("on", "hx-on")), f"inline script: <{element.tag} {name}>"
            assert name != "style", f"inline style on <{element.tag}>"
            assert not value.strip().lower().startswith(("javascript:", "js:")), f"script in {name}"
        assert element.tag != "style", "inline style sheet"
        assert element.tag != "script" or (element.attributes.get("src") and not element.text), "inline script"
        loads = LOADS.get(element.tag, "") if element.attributes.get("rel") != "canonical" else ""
        loaded = element.attributes.get(loads, "")
        assert not urlsplit(loaded).netloc, f"<{element.tag}> loads {loaded} from elsewhere"
        assert "srcset" not in element.attributes
    for form in root.all("form"):
        action = form.attributes.get("action", "")
        assert action.startswith("/") and not action.startswith("//"), f"a form without a real action: {action!r}"
        if form.attributes.get("method", "get").lower() == "post":
            assert form.one('[name="csrf_token"]')["value"]
    for field_ in root.all('[aria-invalid="true"]'):
        message = " ".join(root.one(f"#{ref}").text for ref in field_["aria-describedby"].split())
        assert message, f"no message for {field_.attributes.get('name')}"
    ids = Counter(element["id"] for element in root.all("[id]"))
    assert all(n == 1 for n in ids.values()), f"ids used twice: {[i for i, n in ids.items() if n > 1]}"


def check_page(root: Element) -> None:
    """What every whole page has."""
    assert root.one("html").attributes.get("lang"), "no language"
    assert root.one("title").text, "no title"
    assert root.one("h1").text
    ids = {element["id"] for element in root.all("[id]")}
    for label in root.all("label[for]"):
        assert label["for"] in ids, f"a label for {label['for']!r}, which is not there"
    check_elements(root)


def check_fragment(root: Element) -> None:
    """What htmx swaps in: one element."""
    elements = [child for child in root.children if isinstance(child, Element)]
    assert len(elements) == 1, f"{len(elements)} roots"
    assert not "".join(child for child in root.children if isinstance(child, str)).strip()
    assert not root.all("html")
    check_elements(root)


def filled_in(form: Element, **values: str) -> dict[str, str]:
    """Give what a browser sends of a form that was filled in so."""
    assert form.attributes.get("method", "").lower() == "post"
    data = {
        box["name"]: box.attributes.get("value", "on")
        for box in form.all("input[name]")
        if box.attributes.get("type", "text") in SUBMITTED or "checked" in box.attributes
    }
    unknown = values.keys() - {box["name"] for box in form.all("[name]")}
    assert not unknown, f"the form has no field {unknown}"
    return data | values


@dataclass
class Page:
    """One answer, and what is to be found in it."""

    response: TestResponse
    root: Element = field(repr=False)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def location(self) -> str:
        return self.response.headers["Location"]

    @property
    def headers(self):
        return self.response.headers

    @property
    def text(self) -> str:
        return self.root.text

    def one(self, selector: str) -> Element:
        return self.root.one(selector)

    def all(self, selector: str) -> list[Element]:
        return self.root.all(selector)

    def form(self, action: str) -> Element:
        """Find the form that is sent there."""
        forms = [f for f in self.all("form") if urlsplit(f["action"]).path == action]
        assert len(forms) == 1, f"{len(forms)} forms for {action}, of {[f['action'] for f in self.all('form')]}"
        return forms[0]

    def error_at(self, name: str) -> str:
        """Give the message at a field that was refused."""
        invalid = self.one(f'[name="{name}"]')
        assert invalid.attributes.get("aria-invalid") == "true", f"{name} is not marked as wrong"
        return " ".join(self.one(f"#{ref}").text for ref in invalid["aria-describedby"].split())

    @property
    def wrong_fields(self) -> set[str]:
        """Name the fields that are marked as wrong."""
        return {element["name"] for element in self.all('[aria-invalid="true"]')}

    def stat(self, name: str) -> int:
        """Read one of the member's figures."""
        return int(self.one(f'[data-stat="{name}"]')["data-value"])

    @property
    def leaders(self) -> list[tuple[int, str, int]]:
        """Read the leaderboard: rank, user name, value."""
        rows = self.one("#leaderboard").all("[data-rank]")
        return [(int(r["data-rank"]), r["data-username"], int(r["data-value"])) for r in rows]

    @property
    def referrals(self) -> list[tuple[str, str]]:
        """Read the list of referrals: user name and state."""
        return [(row["data-username"], row["data-status"]) for row in self.all("[data-referral]")]


class Visitor:
    """One browser: it keeps its cookies, and says what it expects of every answer."""

    def __init__(self, app: Flask, **environ: str) -> None:
        self.client = app.test_client()
        self.cookie_name: str = app.config["SESSION_COOKIE_NAME"]
        self.client.environ_base = {**self.client.environ_base, **environ}

    def get(self, path: str, expect: int = 200, headers: dict[str, str] | None = None) -> Page:
        return self._page(self.client.get(path, headers=headers), expect)

    def file(self, path: str) -> TestResponse:
        """Fetch a file as a browser does for a page."""
        with self.client.get(path) as answer:
            answer.get_data()
            return answer

    def fragment(self, path: str, expect: int = 200, **headers: str) -> Page:
        """Ask as htmx does for a part of a page."""
        wanted = {"HX-Request": "true", "HX-Request-Type": "partial"}
        wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self._page(self.client.get(path, headers=wanted), expect, fragment=True)

    def post(self, path: str, data: dict[str, str], expect: int | None, headers: dict[str, str] | None = None) -> Page:
        """Send what no form of ours sends, as an attacker would; None expects any status."""
        return self._page(self.client.post(path, data=data, headers=headers), expect)

    def submit(self, form: Element, expect: int = 303, **values: str) -> Page:
        """Fill in a form and send it, hidden fields included."""
        return self.post(form["action"], filled_in(form, **values), expect)

    def upload(self, form: Element, expect: int = 303, name: str = "a picture", **files: bytes) -> Page:
        """Choose a file for each of these fields, and send the form; none chosen is an empty one."""
        chosen = {key: FileStorage(io.BytesIO(content), name if content else "") for key, content in files.items()}
        data = {key: value for key, value in self.filled_in(form).items() if key not in chosen}
        body, _, boundary = stream_encode_multipart(data | chosen, use_tempfile=False)
        sent = {"data": body.read(), "content_type": f"multipart/form-data; boundary={boundary}"}
        return self._page(self.client.post(form["action"], **sent), expect)

    def filled_in(self, form: Element, **values: str) -> dict[str, str]:
        """Give what a browser sends of a form that was filled in so."""
        return filled_in(form, **values)

    def submit_twice(self, form: Element, **values: str) -> Page:
        """Click twice: the second form has the cookie of before the first, and its answer is what the browser shows."""
        cookie = self.session_id()
        self.submit(form, **values)
        self.client.set_cookie(self.cookie_name, cookie or "")
        return self.submit(form, **values)

    def follow(self, page: Page, expect: int = 200) -> Page:
        """Go where an answer sends us, which must be on this site."""
        assert not urlsplit(page.location).netloc or urlsplit(page.location).hostname == "localhost"
        return self.get(page.location, expect)

    def session_id(self) -> str | None:
        cookie = self.client.get_cookie(self.cookie_name)
        return cookie and cookie.value

    def _page(self, response: TestResponse, expect: int | None, fragment: bool = False) -> Page:
        status = response.status_code
        assert status == (expect or status), f"{response.request.path}: {response.status}"
        assert expect or status < 500
        if 300 <= status < 400 or response.mimetype != "text/html" or not response.data:
            return Page(response, Element("", {}))
        root = parse(response.get_data(as_text=True))
        if fragment and status == 200:
            check_fragment(root)
        else:
            check_page(root)
        return Page(response, root)
