"""A member's own pages: where they are signed in, what they are called, and taking their data along or away."""

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable
from email.message import EmailMessage

import msgspec
import pytest
from flask import Flask
from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError

from referralhub import mail_content
from referralhub.extensions import db
from referralhub.mail_transport import refusal
from referralhub.models import RewardEntry, SignIn, User
from referralhub.services.accounts import erasure
from referralhub.services.ledger import recount
from referralhub.services.mailing.delivery import Delivery
from referralhub.services.program import rules
from referralhub.words.referrals import FORMER_MEMBER
from tests.pages import Element, Page, Visitor
from tests.people import Clock, Person, path_of, read_letters
from tests.pictures import picture

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGES = ("profile", "code", "email", "password", "two-factor", "notifications", "sessions", "data")


def switch_off(username: str) -> None:
    db.session.scalars(db.select(User).filter_by(username=username)).one().is_active = False


def line_of(page: Page, words: str) -> Element:
    (line,) = [line for line in page.all("[data-sign-in]") if words in line.text]
    return line


def end_others(person: Person) -> Page:
    return person.submit(person.get("/account/sessions").form("/account/sessions/end-others"))


def is_out(person: Visitor) -> None:
    person.get("/dashboard/", 302)
    person.get("/account/profile", 302)
    person.fragment("/dashboard/stats", expect=401)


class TestSessions:
    def test_each_browser_is_listed_and_can_be_signed_out_from_another(self, alice: Person):
        alice.sign_up()
        laptop, phone = alice.in_another_browser(HTTP_USER_AGENT=FIREFOX), alice.in_another_browser()
        laptop.sign_in()
        phone.sign_in()
        page = laptop.get("/account/sessions")
        assert len(page.all("[data-sign-in]")) == 3
        assert not line_of(page, "this browser").all("form")
        assert "Firefox on Linux" in line_of(page, "this browser").text

        firefox = line_of(alice.get("/account/sessions"), "Firefox on Linux")
        page = alice.follow(alice.submit(firefox.one("form")))
        assert "Firefox" not in page.text
        is_out(laptop)
        phone.get("/dashboard/")
        page = alice.follow(end_others(alice))
        assert len(page.all("[data-sign-in]")) == 1
        is_out(phone)
        alice.get("/dashboard/")

    def test_a_program_that_signs_in_again_and_again_makes_no_endless_page(self, alice: Person, records, clock: Clock):
        alice.sign_up()
        times = {"confirmed_at": clock(), "last_seen_at": clock(), "created": clock()}
        again = [SignIn(id=number, user_id=1, browser="curl", **times) for number in range(1, 151)]
        records.change(lambda: db.session.add_all(again))
        page = alice.get("/account/sessions")
        assert len(page.all("[data-sign-in]")) == 100
        assert "There may be more" in page.text
        end_others(alice)
        assert len(alice.get("/account/sessions").all("[data-sign-in]")) == 1

    def test_nobody_ends_another_members_sessions(self, alice: Person, bob: Person):
        alice.sign_up()
        laptop = alice.in_another_browser()
        laptop.sign_in()
        bob.sign_up()
        form = line_of(alice.get("/account/sessions"), "Sign out").one("form")
        token = bob.get("/account/sessions").form("/logout").one('[name="csrf_token"]')["value"]
        bob.post(form["action"], {"csrf_token": token}, expect=303)
        bob.post("/account/sessions/end-others", {"csrf_token": token}, expect=303)
        alice.get("/dashboard/")
        laptop.get("/dashboard/")

    @pytest.mark.parametrize("end", ["signed out", "password reset", "switched off", "others signed out"])
    def test_an_ended_session_stays_dead_whoever_signs_in_later(self, app, alice, bob, records, valkey, end: str):
        """Even when its cookie is sent again and Redis still holds it, as after a slow request or from a backup."""
        alice.sign_up()
        old = alice.in_another_browser()
        old.sign_in()
        session_id = old.session_id()
        content = valkey.client.get(f"session:{session_id}")
        match end:
            case "signed out":
                old.sign_out()
            case "password reset":
                visitor = Visitor(app)
                visitor.submit(visitor.get("/password/forgot").form("/password/forgot"), 200, email=alice.email)
                path = alice.mailed_path("/password/reset/")
                alice.password = "quite another secret"
                form = visitor.get(path).form(path)
                visitor.submit(form, password=alice.password, password_confirm=alice.password)
            case "switched off":
                records.change(lambda: switch_off("alice"))
            case "others signed out":
                end_others(alice)
        valkey.client.set(f"session:{session_id}", content)
        old.client.set_cookie("referralhub", session_id)
        is_out(old)
        bob.sign_up()  # a number that was given to a session is never given to another
        is_out(old)
        if end != "switched off":
            alice.in_another_browser().sign_in()
            is_out(old)

    def test_a_session_of_the_version_before_signs_nobody_in(self, app, alice: Person, visitor: Visitor, valkey):
        """It held the member's number, which must not be read as that of a sign-in."""
        alice.sign_up()
        for number in ("1", "2"):
            valkey.client.set("session:left-over", msgspec.msgpack.encode({"_user_id": number, "_fresh": True}))
            visitor.client.set_cookie("referralhub", "left-over")
            is_out(visitor)


def test_a_user_name_can_be_changed_to_one_that_is_free(alice: Person, bob: Person, charlie: Person):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    link = alice.link

    def rename(expect: int = 303, **values: str) -> Page:
        return alice.submit(alice.get("/account/profile").form("/account/profile"), expect, **values)

    page = rename(422, username="BOB")
    assert "taken" in page.error_at("username")
    assert rename(422, username="a b").wrong_fields == {"username"}
    assert rename(422, display_name="x" * 41).wrong_fields == {"display_name"}
    rename(username="ALICE")  # one's own in other letters
    page = alice.follow(rename(username="liddell", display_name="Alice in W."))
    assert page.one('[name="display_name"]')["value"] == "Alice in W."
    assert alice.link == link
    alice.sign_out()
    alice.sign_in(expect=422)
    alice.sign_in(username="Liddell")
    assert "Alice in W. invites you" in charlie.click(link).text


@pytest.fixture
def paypal(app, clock) -> None:
    """Put the program in force that has invitations."""
    with app.app_context():
        rules.change(rules.PRESETS["paypal"], clock())


def invite(member: Person, address: str, words: str) -> None:
    """Send one invitation, by the pages."""
    page = member.submit(member.get("/dashboard/invite").form("/dashboard/invite"), 200, addresses=address, words=words)
    member.submit(page.form("/dashboard/invite"), send="yes")


def test_the_export_holds_everything_and_no_formula_and_nobody_elses_address(paypal, alice, bob, charlie, clock):
    alice.sign_up()
    alice.confirm_address()
    bob.click(alice.link)
    bob.sign_up()
    bob.confirm_address()
    bob.submit(bob.get("/account/profile").form("/account/profile"), display_name="@SUM(1+9)*cmd")
    charlie.click(bob.link)
    charlie.sign_up()
    invite(alice, "dora@example.com", "=cmd|'/C calc'!A1")
    drawn = alice.code
    alice.submit(alice.get("/account/code").form("/account/code"), code="liddell")
    alice.post_office.deliver()

    answer = alice.client.get("/account/export")
    assert answer.mimetype == "application/zip"
    assert f"referralhub-{clock():%Y-%m-%d}.zip" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as pack:
        files = {name: pack.read(name).decode() for name in pack.namelist()}
    whole = json.loads(files["everything.json"])
    assert whole["account"][0]["email"] == alice.email
    assert whole["account"][0]["code"] == drawn
    assert [row["code"] for row in whole["own_codes"]] == ["liddell"]
    assert [(row["friend"], row["state"]) for row in whole["referrals"]] == [("@SUM(1+9)*cmd", "confirmed")]
    assert [event["to_state"] for event in whole["trail"]] == ["pending", "confirmed"]
    assert [(row["amount"], row["unit"]) for row in whole["ledger"]] == [(2000, "USD")]
    assert [row["badge"] for row in whole["badges"]] == ["first"]
    assert [row["visits"] for row in whole["visits"]] == [1]
    assert [(row["address"], row["words"]) for row in whole["invitations"]] == [
        ("dora@example.com", "=cmd|'/C calc'!A1")
    ]
    assert {"verify_address", "invitation"} <= {row["kind"] for row in whole["mail"]}
    assert len(whole["sign_ins"]) == 1
    assert [(row["network"], row["signup_seconds"]) for row in whole["sightings"]] == [(None, None)]

    tables = {
        name: list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        for name, text in files.items()
        if name.endswith(".csv")
    }
    assert {name.removesuffix(".csv") for name in tables} == {name for name, rows in whole.items() if rows} - {
        "made_at"
    }
    assert tables["referrals.csv"][0]["friend"] == "'@SUM(1+9)*cmd"
    assert tables["invitations.csv"][0]["words"] == "'=cmd|'/C calc'!A1"
    assert tables["ledger.csv"][0]["amount"] == "20.00"
    cells = [cell for rows in tables.values() for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))]
    everything = "".join(files.values())
    assert not [word for word in (bob.email, charlie.email, "charlie", "argon2") if word in everything]


class TestDeletion:
    def test_it_takes_the_password(self, alice: Person, records):
        alice.sign_up()
        before = records.everything()
        page = alice.submit(alice.get("/account/data").form("/account/delete"), 422, password="not hers at all")
        assert "not your password" in page.error_at("password")
        assert records.everything() == before

    def test_nothing_is_left_of_a_member_who_goes(self, app, paypal, records, valkey, clock, caplog, bob, charlie):
        """Not in any table, not in Redis, not in the log; and nobody else loses anything."""
        caplog.set_level(logging.INFO, "referralhub")
        zelda = Person(app, bob.post_office, "zeldaquux")
        never_again = ["zeldaquux", "zelda the great", "zq@elsewhere", "pal@invited", "come and see my boat"]
        never_again += ["my boat waits for you", "webpvp8"]
        laptop = _live_a_full_life(zelda, bob, charlie, clock)
        password_hash = records.one(User, username="zeldaquux").password_hash
        link, totals = path_of(zelda.link), _totals(bob, charlie)
        ledger = [(e.profile_id, e.amount, e.balance) for e in records.all(RewardEntry)]
        assert all(word in _tables(records) for word in never_again)

        never_again.append(password_hash.lower())
        page = zelda.follow(zelda.delete_account())
        assert "Your account is deleted" in page.text
        for place in (_tables(records), _in_redis(valkey.client), caplog.text.lower()):
            assert [word for word in never_again if word in place] == []
        assert "was not sent: Refused" in caplog.text

        clock.advance(days=1)
        before = len(read_letters(bob.post_office.folder))
        bob.post_office.deliver()
        assert len(read_letters(bob.post_office.folder)) == before  # what was on its way to her and her pal is not
        for browser in (zelda, laptop):
            is_out(browser)
            browser.sign_in(expect=422)
            browser.sign_in(expect=422, username="zq@elsewhere.example")
        visitor = Visitor(app)
        assert "isn't active" in visitor.follow(visitor.get(link, 302)).text

        assert _totals(bob, charlie) == totals
        assert [(e.profile_id, e.amount, e.balance) for e in records.all(RewardEntry)] == ledger
        assert FORMER_MEMBER in bob.get("/dashboard/").text
        assert FORMER_MEMBER in bob.get("/dashboard/referrals").text
        assert FORMER_MEMBER in bob.get("/dashboard/rewards").text
        assert json.loads(_file(charlie, "everything.json"))["account"][0]["referred_by"] == FORMER_MEMBER
        with app.app_context():
            assert list(recount.drifts(app.extensions["redis"], clock())) == []
        Person(app, bob.post_office, "zeldaquux").sign_up()  # the name is free

    def test_nobody_can_take_beforehand_what_a_deleted_account_is_called(self, app, alice, bob, records, clock):
        """Else the account of that number could not be deleted."""
        alice.sign_up()
        with app.app_context():
            erasure.erase(1, FORMER_MEMBER, clock())
        gone = records.one(User)
        page = bob.fill_in_signup(expect=422, username=gone.username, email=gone.email)
        assert page.wrong_fields == {"username", "email"}


def test_what_a_statement_was_given_is_in_no_error_text(app):
    """Errors are logged, and the log outlives an account."""
    with app.app_context(), pytest.raises(SQLAlchemyError) as caught:
        db.session.execute(text("SELECT nonsense(:address)").bindparams(bindparam("address", "zelda@example.com")))
    assert "zelda" not in str(caught.value)


def test_no_page_of_the_account_costs_many_statements(alice: Person, count_queries: Callable):
    alice.sign_up()
    for _ in range(3):
        alice.in_another_browser().sign_in()
    costs = {}
    for page in PAGES:
        with count_queries() as statements:
            alice.get(f"/account/{page}")
        costs[page] = len(statements)
    assert max(costs.values()) <= 3, costs


def _live_a_full_life(zelda: Person, bob: Person, charlie: Person, clock: Clock) -> Person:
    """Let Zelda come by Bob's invitation, bring Charlie, invite, move, and miss mail; gives her other browser."""
    bob.sign_up()
    bob.confirm_address()
    invite(bob, zelda.email, "")
    _break_down(bob.post_office.app, clock, "451 later")
    clock.advance(minutes=2)
    zelda.click(bob.mailed_path(f"/{bob.code}/", to=zelda.email))
    zelda.sign_up()
    zelda.confirm_address()
    form = zelda.get("/account/profile").form("/account/profile")
    names = {"display_name": "Zelda the Great", "greeting": "My boat waits for you"}
    zelda.post("/account/profile", zelda.filled_in(form) | names, 303)
    form = zelda.get("/account/profile").form("/account/picture")
    zelda.upload(form, picture=picture())
    charlie.click(zelda.link)
    charlie.sign_up()
    charlie.confirm_address()
    laptop = zelda.in_another_browser()
    laptop.sign_in()
    zelda.change_address("zq@elsewhere.example")
    invite(zelda, "pal@invited.example", "Come and see my boat")
    _break_down(bob.post_office.app, clock, "550 no such mailbox")
    invite(zelda, "pal2@invited.example", "Come and see my boat, too")  # still on its way when she goes
    return laptop


def _break_down(app: Flask, clock: Clock, answer: str) -> None:
    """Deliver to a server that says this of every address."""

    def refuse(letter: EmailMessage) -> None:
        raise refusal(int(answer[:3]), f"{letter['To']}: {answer[4:]}")

    with app.app_context():
        Delivery(mail_content.write, refuse, clock).run()


def _tables(records) -> str:
    return str(records.everything()).lower()


def _in_redis(client) -> str:
    """Give every key with what it holds, but for pages and figures that are kept for five minutes at most."""
    for key in [*client.scan_iter("answer:*"), *client.scan_iter("figures:[0-9]*")]:
        assert 0 < client.ttl(key) <= 300
        client.delete(key)
    read = {
        "string": client.get,
        "list": lambda key: client.lrange(key, 0, -1),
        "set": client.smembers,
        "hash": client.hgetall,
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    keys = list(client.scan_iter())
    return str([(key, read[client.type(key).decode()](key)) for key in keys]).lower()


def _totals(*people: Person) -> list[list[int]]:
    names = ("total_referrals", "rewards", "active_network", "pending", "visits")
    return [[page.stat(name) for name in names] for page in (person.get("/dashboard/") for person in people)]


def _file(person: Person, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(person.client.get("/account/export").data)) as pack:
        return pack.read(name).decode()
