"""The mails themselves: what is in them, who gets them, and how they end."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import escape
from urllib.parse import urlsplit

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import MailRefusal, MessageKind, OutboxMessage, User
from referralhub.services.mailing import digest, outbox, subscriptions
from referralhub.services.mailing.kinds import news
from referralhub.services.program import rules
from referralhub.services.referrals import invitations
from tests.conftest import SECRET_KEY
from tests.factories import befriend, member
from tests.functional.mailing.test_mail import claims_of_the_friend
from tests.pages import Element, parse
from tests.people import Clock, Person, link_in, links_in, path_of, read_letters, text_of

NAME = "<b>Bo</b> & Co"
PAYLOADS = {
    MessageKind.FRIEND_JOINED: {"referral_id": 1},
    MessageKind.REFERRAL_CONFIRMED: {"referral_id": 1, "amount": 2000, "unit": "USD", "total": 1},
    MessageKind.REFERRAL_HELD: {"referral_id": 1},
    MessageKind.REFERRAL_REVERSED: {"referral_id": 1, "reason": "a duplicate", "total": 0},
    MessageKind.BADGE_EARNED: {"referral_id": 1, "badge": "first", "tier": None, "total": 1},
    MessageKind.TIER_REACHED: {"referral_id": 1, "tier": "Silver", "total": 10},
    MessageKind.WEEKLY_DIGEST: {"visits": 3, "joined": 2, "confirmed": 1, "total": 12},
    MessageKind.REVIEW_REMINDER: {"waiting": 2},
    MessageKind.SIGN_IN_CHANGED: {"change": "recovery_code_used", "left": 9},
    MessageKind.INVITATION: {"invitation_id": 1},
    MessageKind.INVITATION_REMINDER: {"invitation_id": 1},
    MessageKind.CLAIM_QUESTION: {"claim_id": 1},
    MessageKind.CLAIM_DECIDED: {"claim_id": 2, "state": "rejected"},
    MessageKind.WEBHOOK_SWITCHED_OFF: {"site": "shop.example.com", "why": "failing"},
}
TO_INVITED = {MessageKind.INVITATION, MessageKind.INVITATION_REMINDER}
CLAIMS = {MessageKind.CLAIM_QUESTION, MessageKind.CLAIM_DECIDED}
NAMES_BOB = (set(news()) - {MessageKind.WEEKLY_DIGEST}) | CLAIMS

Send = Callable[..., dict[MessageKind, EmailMessage]]


@pytest.fixture
def send(app: Flask, alice: Person, clock: Clock) -> Send:
    """Send mails to Alice, who is confirmed and brought Bob; gives those that arrived, by kind."""
    with app.app_context():
        rules.change(rules.PRESETS["paypal"], clock())
    member(app, "alice", clock())
    befriend(app, "alice", 1, clock())
    with app.app_context():
        addresses = ["dora@example.com"]
        invitations.invite(db.session.get(User, 1), addresses, "Come & see\n\n<i>me</i>", clock())
        outbox.drop(db.session(), 1)
        db.session.add_all(claims_of_the_friend(clock))
        db.session.commit()

    def run(kinds: Collection[MessageKind] = tuple(MessageKind)) -> dict[MessageKind, EmailMessage]:
        with app.app_context():
            for kind in kinds:
                address = "dora@example.com" if kind in TO_INVITED else None
                outbox.queue(
                    db.session(), kind, 1, f"{kind} {clock()}", PAYLOADS.get(kind, {}), clock(), address=address
                )
            db.session.commit()
        clock.advance(seconds=1)
        files = set(alice.post_office.folder.glob("*.eml"))
        alice.post_office.deliver()
        new = sorted(set(alice.post_office.folder.glob("*.eml")) - files)
        with app.app_context():
            kind_of = {f"{row.id:08}": row.kind for row in db.session.scalars(db.select(OutboxMessage))}
        letters = read_letters(alice.post_office.folder)
        by_id = {letter["Message-ID"].strip("<>").partition("@")[0]: letter for letter in letters}
        return {kind_of[file.name.partition(".")[0]]: by_id[file.stem] for file in new}

    return run


def name_everybody(records, name: str) -> None:
    def rename() -> None:
        for user in db.session.scalars(db.select(User)):
            user.display_name = name

    records.change(rename)


def html_of(letter: EmailMessage) -> str:
    return str(letter.get_body(("html",)).get_content())


def unsubscribe_path(letter: EmailMessage) -> str:
    return path_of(letter["List-Unsubscribe"].strip("<>"))


def muted(records) -> list[str]:
    return records.one(User, id=1).muted


def test_every_kind_is_text_and_html_with_nothing_left_open_and_names_as_text(send: Send, records):
    name_everybody(records, NAME)
    letters = send()
    assert set(letters) == set(MessageKind)
    for kind, letter in letters.items():
        written, html = text_of(letter), html_of(letter)
        assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"], kind
        for mark in ("{{", "}}", "{%", "%}", "None", "Undefined"):
            assert mark not in letter["Subject"] + written + html, f"{mark} in {kind}"
        named = NAME in written
        assert named == (kind in NAMES_BOB | TO_INVITED), kind
        assert (escape(NAME, quote=False) in html) == named, kind
        _looks_well(parse(html))
        assert "prefers-color-scheme: dark" in html, kind
        assert all(urlsplit(link).netloc == "localhost" for link in links_in(letter))
        assert {a["href"].rstrip("/") for a in parse(html).all("a")} >= {a.rstrip("/") for a in links_in(letter)}, kind
        assert ("List-Unsubscribe" in letter) == (kind in {*news(), *TO_INVITED}), kind


def _looks_well(page: Element) -> None:
    """Every mail program shows inlined rules; names stay text."""
    assert "background-color" in page.one("body")["style"]
    assert all("background-color" in a["style"] for a in page.all('a[class="button"]'))
    assert not page.all("b") and not page.all("i")
    assert not page.all("script") and not page.all("img")


@pytest.mark.parametrize("separator", ["\r\n", "\n\n", "\u2028", "\x85\x0b\x1c"], ids=ascii)
@pytest.mark.one_database
def test_no_name_makes_a_header_or_a_recipient(send: Send, records, separator: str):
    name_everybody(records, f"Bo{separator}Bcc: eve@example.com")
    letters = send()
    assert set(letters) == set(MessageKind)
    usual = {"Subject", "From", "To", "Message-ID", "Date", "MIME-Version", "Content-Type"}
    for kind, letter in letters.items():
        assert set(letter.keys()) - usual <= {"List-Unsubscribe", "List-Unsubscribe-Post"}, kind
        assert letter["To"] in {"alice@example.com", "dora@example.com"}


def test_names_with_line_ends_are_refused_when_they_are_typed(alice: Person, records):
    alice.sign_up()
    for separator in ("\n", "\r\n", "\x0b", "\x1c"):
        form = alice.get("/account/profile").form("/account/profile")
        page = alice.submit(form, 422, display_name=f"Bo{separator}Bcc: eve@example.com")
        assert page.wrong_fields == {"display_name"}
    assert records.one(User).display_name == ""


def test_news_and_claims_come_to_confirmed_addresses_only(send: Send, alice: Person, records):
    def unconfirm() -> None:
        db.session.get(User, 1).verified_at = None

    records.change(unconfirm)
    assert set(send()) == set(MessageKind) - set(news()) - CLAIMS
    assert {row.last_error for row in records.all(OutboxMessage)} == {None}


def test_each_switch_ends_its_kind_and_no_other(app: Flask, alice: Person, records, clock: Clock):
    alice.sign_up()
    alice.confirm_address()
    befriend(app, "alice", 1, clock())
    page = alice.get("/account/notifications")
    boxes = [box["name"] for box in page.form("/account/notifications").all('input[type="checkbox"]')]
    assert boxes == [kind.value for kind in news()]
    token = page.form("/account/notifications").one('[name="csrf_token"]')["value"]
    for off in news():
        wanted = {name: "on" for name in boxes if name != off.value}
        alice.follow(alice.post("/account/notifications", {"csrf_token": token, **wanted}, expect=303))
        with app.app_context():
            for kind in news():
                outbox.queue(db.session(), kind, 1, f"{off}: {kind}", PAYLOADS[kind], clock())
            db.session.commit()
        alice.post_office.deliver()
        rows = [row for row in records.all(OutboxMessage) if row.key.startswith(f"{off}: ")]
        assert [row.kind for row in rows if row.delivered_at is None] == [off]
    page = alice.get("/account/notifications")
    on = [box["name"] for box in page.all('input[type="checkbox"]') if "checked" in box.attributes]
    assert on == boxes[:-1]


def test_one_click_of_the_mail_program_ends_one_kind(app: Flask, send: Send, records):
    """RFC 8058: a POST without a cookie, a form's token, or anybody who is signed in."""
    letters = send()
    gone: set[MessageKind] = set()
    for kind in news():
        letter = letters[kind]
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link_in(letter, "/account/unsubscribe/") == letter["List-Unsubscribe"].strip("<>")
        for _ in range(2):
            answer = app.test_client().post(unsubscribe_path(letter), data={"List-Unsubscribe": "One-Click"})
            assert answer.status_code == 200
            assert "no more of these" in answer.text
        gone.add(kind)
        assert set(muted(records)) == {each.value for each in gone}
        if kind is news()[1]:
            assert set(send()) == set(MessageKind) - gone
    for kind in TO_INVITED:
        app.test_client().post(unsubscribe_path(letters[kind]), data={"List-Unsubscribe": "One-Click"})
    records.one(MailRefusal)
    assert set(send()) == set(MessageKind) - gone - TO_INVITED


def test_a_token_that_we_did_not_make_unsubscribes_nobody(app: Flask, send: Send, records):
    good = unsubscribe_path(send([MessageKind.FRIEND_JOINED])[MessageKind.FRIEND_JOINED])
    token = good.rpartition("/")[2]
    before = records.everything()
    for forged in (
        token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
        subscriptions.muting_token(1, MessageKind.FRIEND_JOINED, SECRET_KEY[::-1]),
        invitations.token(1, SECRET_KEY),
        "x",
    ):
        for method in ("GET", "POST"):
            answer = app.test_client().open(f"/account/unsubscribe/{forged}", method=method)
            assert answer.status_code == 400
            assert "no longer works" in answer.text
    assert records.everything() == before


def test_looking_at_a_link_in_any_mail_changes_nothing(app: Flask, send: Send, records):
    """What scans mails for bad links opens each of them."""
    letters = send()
    before = records.everything()
    for kind, letter in letters.items():
        links = {*links_in(letter), *(a["href"] for a in parse(html_of(letter)).all("a"))}
        assert links
        for link in links:
            for method in ("GET", "HEAD"):
                answer = app.test_client().open(path_of(link), method=method, follow_redirects=True)
                assert answer.status_code == 200, f"{method} {link} in {kind}"
    assert records.everything() == before


class TestWeeklyDigest:
    @pytest.fixture
    def clock(self) -> Clock:
        """A clock on the Wednesday of one week."""
        clock = Clock()
        clock.now = datetime(2027, 3, 10, 12, tzinfo=UTC)
        return clock

    @staticmethod
    def queue(app: Flask, now: datetime) -> int:
        with app.app_context():
            return digest.queue_due(now)

    def test_it_tells_the_week_once(self, app, alice: Person, bob: Person, charlie: Person, visitor, records, clock):
        alice.sign_up()
        alice.confirm_address()
        for person in (visitor, bob):
            person.get(path_of(alice.link), 302)
        bob.sign_up()
        bob.confirm_address()
        befriend(app, "alice", 2, datetime(2027, 3, 1, tzinfo=UTC))  # the week before
        charlie.click(bob.link)
        records.visits()

        monday = datetime(2027, 3, 15, 7, 27, tzinfo=UTC)
        assert self.queue(app, datetime(2027, 3, 14, 23, tzinfo=UTC)) == 1  # the two of the week before
        clock.now = monday
        assert [self.queue(app, monday + timedelta(hours=hour)) for hour in range(3)] == [2, 0, 0]
        rows = records.all(OutboxMessage, kind=MessageKind.WEEKLY_DIGEST)
        assert [(row.user_id, row.payload) for row in rows] == [
            (1, {"visits": 0, "joined": 2, "confirmed": 2, "total": 3}),
            (1, {"visits": 2, "joined": 1, "confirmed": 1, "total": 3}),
            (2, {"visits": 1, "joined": 0, "confirmed": 0, "total": 0}),
        ]
        alice.post_office.deliver()
        (letter,) = [a for a in alice.post_office.letters(alice.email) if "1 friend joined" in a["Subject"]]
        assert letter["Subject"] == "Your week: 1 friend joined, 2 visits"
        assert "opened 2 times, and 1 friend joined by it. Confirmed: 1." in " ".join(text_of(letter).split())
        clock.advance(days=7)
        assert self.queue(app, clock()) == 0  # nothing happened

    def test_none_for_who_is_unconfirmed_or_switched_off_or_had_no_visitors(
        self, app, alice, bob, visitor, records, clock
    ):
        alice.sign_up()
        bob.sign_up()
        bob.confirm_address()
        member(app, "dora", clock())
        for person in (alice, bob):
            visitor.get(path_of(person.link), 302)

        def switch_off() -> None:
            db.session.get(User, 2).is_active = False

        records.change(switch_off)
        assert self.queue(app, datetime(2027, 3, 15, 9, tzinfo=UTC)) == 0
        assert records.all(OutboxMessage, kind=MessageKind.WEEKLY_DIGEST) == []
