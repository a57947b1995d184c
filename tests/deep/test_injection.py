"""A hundred and fifty texts that try to be more than text, in all that a person can type, and wherever that is shown.

Each is put into every column that keeps what somebody typed, and sent in every field and every part of an address.
Then each page is opened as each kind of person, each mail is written and each table taken away. A harmless text of the
same shape goes the same way, and the two must give the same elements with the same attributes, the same cells, the same
keys: what differs is text alone.
"""

import csv
import io
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from werkzeug.test import TestResponse

from referralhub import mail_content
from referralhub.extensions import db
from referralhub.models import MessageKind, OutboxMessage, User
from tests.deep.conftest import Table
from tests.deep.injections import INJECTIONS
from tests.deep.surface import Target, targets
from tests.everybody import everybody
from tests.functional.mailing.test_notifications import PAYLOADS, TO_INVITED
from tests.pages import Visitor
from tests.people import PostOffice, Records
from tests.servers import Valkey

pytestmark = [pytest.mark.deep, pytest.mark.one_database]

CODE = Path(__file__).parent.parent.parent / "referralhub"
NEW_EACH_TIME = re.compile(r"[\w.-]{16,}=*")  # tokens, keys of forms, versions of figures
DRAWN = re.compile(r"[\w .,-]*")  # what a code for a phone is drawn of; how large it is depends on what is in it
SIGNS_OUT = {"/logout", "/account/sessions/end-others", "/account/sessions/<row(bits=63):sign_in_id>/end"}
PLANTED = {  # what keeps what somebody typed, as SQL over the text and the row's id
    "user": ("username = :text || id", "display_name = CASE WHEN id % 2 THEN :text ELSE '' END",
             "email = :text || id || '@example.com'"),
    "invitation": ("address = :text || '@example.com'", "words = :text"),
    "perk": ("name = :text", "description = :text"),
    "program": ("name = :text", "tiers = replace(tiers, 'Silver', :json)"),
    "audit_log": ("reason = :text", "before = json_object('reason', :text)", "after = json_object('name', :text)"),
    "referral_event": ("reason_code = 'stated'", "reason_values = json_object('text', :text)"),
    "reward_entry": ("note = :text",),
    "outbox": ("last_error = :text", "next_try_at = NULL", "delivered_at = NULL"),
    "sign_in": ("browser = :text",),
    "coupon": ("code = :text",),
}  # fmt: skip


@dataclass
class Scene:
    """People, pages, and a database that is put back to where it began."""

    app: Flask
    file: Path
    valkey: Valkey
    people: dict[str, Visitor]
    known: list[Target]
    places: Counter[str] = field(default_factory=Counter)  # how often a text was seen, by where

    def __post_init__(self) -> None:
        with closing(sqlite3.connect(self.file)) as live:
            triggers = live.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:  # that keep ledger and trail from being edited
                live.execute(f"DROP TRIGGER {name}")
            self.base = sqlite3.connect(":memory:")
            live.backup(self.base)
        self.cookies = {who: visitor.session_id() for who, visitor in self.people.items()}
        self.kept = {key: self.valkey.client.dump(key) for key in self.valkey.client.scan_iter()}

    def shapes(self, text: str) -> Iterator[tuple[str, object]]:
        """Put the text everywhere, and give the shape of everything that is answered."""
        self._begin(text)
        with self.app.app_context():
            yield from self._letters(text)
        for name, answer in self._answers(text):
            yield name, self._shape(name, answer, text)

    def look_only_where_text_is_shown(self) -> None:
        """Leave out what had the first text nowhere: whatever was typed, it is not there."""
        self.places = Counter({name: times for name, times in self.places.items() if times})
        shown = {name.split()[2] for name in self.places if not name.startswith("mail")}
        self.known = [target for target in self.known if target.rule in shown]

    def _begin(self, text: str) -> None:
        with self.app.app_context():
            db.engine.dispose()
        self.valkey.client.flushdb()
        for key, value in self.kept.items():
            self.valkey.client.restore(key, 0, value)
        for who, visitor in self.people.items():  # some forms end a session
            visitor.client.set_cookie(visitor.cookie_name, self.cookies[who] or "")
        with closing(sqlite3.connect(self.file)) as live:
            self.base.backup(live)
            for table, changes in PLANTED.items():
                values = {"text": text, "json": json.dumps(text)[1:-1]}
                live.execute(f'UPDATE "{table}" SET {", ".join(changes)}', values)
            live.commit()

    def _letters(self, text: str) -> Iterator[tuple[str, object]]:
        for number, kind in enumerate(MessageKind, 1000):
            address = "dora@example.com" if kind in TO_INVITED else "alice@example.com"
            payload = {key: text if key == "reason" else value for key, value in PAYLOADS.get(kind, {}).items()}
            now = self.app.config["CLOCK"]()
            message = OutboxMessage(
                id=number, key=f"{kind}", kind=kind, user_id=1, address=address, payload=payload, attempts=0,
                next_try_at=now, created=now,
            )  # fmt: skip
            db.session.add(message)
            db.session.commit()
            letter = mail_content.write(message, db.session.get_one(User, 1))
            html = letter.get_body(("html",)).get_content()
            self.places[f"mail {kind}"] += text in LexborHTMLParser(html).text()
            yield f"mail {kind}", (sorted(letter.keys()), skeleton(html, text))

    def _answers(self, text: str) -> Iterator[tuple[str, TestResponse]]:
        """Open each page plainly, and with the text in its address, then send each form with it."""
        headers = {"User-Agent": header_of(text), "Referer": f"http://localhost/{header_of(text)}"}
        for who, target in self._targets("GET", "anonymous", "owner", "friend"):
            client = self.people[who].client
            answer = client.get(target.path(), headers=headers)
            yield f"{who} GET {target.rule}", answer
            if answer.status_code == 200 and who != "friend":
                query = dict.fromkeys(target.fields, text)
                yield f"{who} GET {target.rule} ?", client.get(target.path(), query_string=query)
        tokens = self._tokens()
        for who, target in self._targets("POST", "anonymous", "owner"):
            client, sent = self.people[who].client, dict.fromkeys(target.fields, text) | {"csrf_token": tokens[who]}
            answer = client.post(target.path(), data=sent, headers={"User-Agent": header_of(text)})
            yield f"{who} POST {target.rule}", answer
            if answer.status_code in {302, 303}:
                yield f"{who} POST {target.rule} >", client.get(answer.location)

    def _targets(self, method: str, *people: str) -> Iterator[tuple[str, Target]]:
        for target in self.known:
            if target.method == method and target.rule not in SIGNS_OUT:
                yield from ((who, target) for who in (("admin",) if target.rule.startswith("/admin") else people))

    def _shape(self, name: str, answer: TestResponse, text: str) -> object:
        shape: object = None
        if answer.mimetype in {"text/html", "image/svg+xml"}:
            html = answer.get_data(as_text=True)
            self.places[name] += text in LexborHTMLParser(html).text() or text in str(skeleton(html, "\0nothing"))
            shape = skeleton(html, text)
        elif answer.mimetype == "text/csv":
            rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True).lstrip("\ufeff"))))
            cells = [cell for row in rows for cell in row]
            self.places[name] += any(text in cell for cell in cells)
            assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r") and not is_number(cell)], cells
            shape = [len(row) for row in rows]
        elif answer.mimetype == "application/json":
            self.places[name] += text in json.dumps(answer.json, ensure_ascii=False)
            shape = keys_of(answer.json)
        answer.close()
        return answer.status_code, answer.mimetype, same(answer.headers.get("Location", ""), text), shape

    def _tokens(self) -> dict[str, str]:
        pages = {who: "/login" if who == "anonymous" else "/privacy" for who in self.people}
        return {
            who: self.people[who]
            .client.get(page)
            .get_data(as_text=True)
            .partition('name="csrf_token"')[2]
            .split('"')[3]
            for who, page in pages.items()
        }


def header_of(text: str) -> str:
    return re.sub(r"[\x00-\x1f]", " ", text).encode().decode("latin-1")


def is_number(cell: str) -> bool:
    return re.fullmatch(r"-?[\d.,]+", cell) is not None


def keys_of(value: object) -> object:
    if isinstance(value, dict):
        return {key: keys_of(each) for key, each in value.items()}
    return [keys_of(each) for each in value] if isinstance(value, list) else type(value).__name__


def unquoted(value: str) -> str:
    """Take off what makes an address of a text, though it be in an address within an address."""
    return value if (plain := unquote_plus(value)) == value else unquoted(plain)


def same(value: str, text: str) -> str:
    """Give an attribute's value without the text and the spaces around it, and without what is new each time."""
    plain, typed = (" ".join(unquoted(each).replace("\0", "\ufffd").casefold().split()) for each in (value, text))
    return re.sub(" ?… ?", "…", NEW_EACH_TIME.sub("…", plain.replace(typed, "…")))


def skeleton(html: str, text: str) -> list[tuple[int, str, tuple[tuple[str, str], ...]]]:
    """Give each element as a browser would build it: how deep it is, what it is, and its attributes."""
    found = []
    for node in LexborHTMLParser(html).root.traverse(include_text=False):
        depth, above = 0, node.parent
        while above is not None:
            depth, above = depth + 1, above.parent
        attributes = {name: same(value or "", text) for name, value in sorted(node.attributes.items())}
        if node.tag in {"svg", "path"}:
            attributes = {name: DRAWN.sub("", value) for name, value in attributes.items()}
        found.append((depth, node.tag, tuple(attributes.items())))
    return found


def harmless(text: str) -> str:
    """Give a text of the same shape, of letters and of signs that mean nothing.

    An address of ours may be a code, and what has a NUL is refused as such.
    """
    if " http://localhost/" in text:
        return f"xxxxx http://localhost/{text.rpartition('/')[2]}"
    return re.sub(r"[^\w\s,;@.¤\0]|_", "¤", re.sub(r"\w", "x", text))


def kind_of(text: str) -> object:
    """Give what the answer to a text may depend on: its words, and which limits it passes."""
    return re.sub(r"[^\s,;@.\0]+", "x", text), sum(len(text) > limit for limit in (7, 12, 30, 40, 60, 80))


@pytest.fixture
def scene(make_app: Callable[..., Flask], instance: Path, clock, valkey: Valkey) -> Scene:
    app = make_app(ratelimit_enabled=False)
    people = everybody(app, PostOffice(app), clock)
    people["friend"] = people.pop("other")
    code = "\n".join(map(Path.read_text, CODE.rglob("*.py")))
    known = targets(app, people | {"other": people["friend"]}, Records(app), code)
    with app.app_context():
        db.engine.dispose()
    return Scene(app, instance / "referralhub.sqlite3", valkey, people, known)


def test_text_stays_text(scene: Scene, table: Table):
    plain: dict[object, dict[str, object]] = {}
    wrong, compared = [], 0
    for text in INJECTIONS:
        if kind_of(text) not in plain:
            plain[kind_of(text)] = dict(scene.shapes(harmless(text)))
        compared += len(scene.places)
        differ = differing(scene, text, plain[kind_of(text)])
        if differ:  # on a busy machine an answer may be one without Redis
            plain[kind_of(text)] = dict(scene.shapes(harmless(text)))
            differ = {name: how for name, how in differing(scene, text, plain[kind_of(text)]).items() if name in differ}
        wrong += [f"{text!r} at {name}: {how}" for name, how in differ.items()]
        scene.look_only_where_text_is_shown()
    many = f"{len(INJECTIONS)} texts, {len(scene.places)} pages, mails, forms and tables that show them"
    table.append(("scripts that are typed in", many, f"{compared:,} compared, {len(wrong)} of another shape"))
    assert wrong == [], "\n".join(wrong[:50])
    assert len(scene.places) > 100


def differing(scene: Scene, text: str, plain: dict[str, object]) -> dict[str, str]:
    """Give what has another shape with the text than with a harmless one, and how."""
    found = scene.shapes(text)
    return {name: difference(plain.get(name), shape) for name, shape in found if shape != plain.get(name)}


def difference(plain: object, shape: object) -> str:
    """Give the first thing that differs."""
    if isinstance(plain, (list, tuple)) and isinstance(shape, (list, tuple)):
        for one, other in zip(plain, shape, strict=False):
            if one != other:
                return difference(one, other)
        return f"{len(plain)} and {len(shape)}: {shape[len(plain) :][:1] or plain[len(shape) :][:1]}"
    return f"{plain!r:.150} is {shape!r:.150}"
