"""Ways to get the credit for a friend whom somebody else brought, or whom nobody did. None works.

What counts is the last link that the friend really opened before the signup. Mallory may win by that rule as anybody
may; here she tries without. None of this depends on the database, so that one is enough, but for the races at the end.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import Channel, OwnCode, Profile, Referral, ReferralState, RewardEntry, User
from referralhub.services.accounts import erasure
from referralhub.services.links import own_codes
from referralhub.services.referrals import invitations
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared.errors import AlreadyDone, Conflict
from referralhub.sessions import visit_tokens
from referralhub.words.referrals import FORMER_MEMBER
from tests.conftest import SECRET_KEY
from tests.pages import Element, Visitor
from tests.people import Clock, Person, Records, all_at_once, path_of, text_of

ALICE, MALLORY = 1, 2  # profile ids


@dataclass
class Scene:
    """Alice and Mallory are members; Bob is not yet, and is Alice's friend."""

    app: Flask
    alice: Person
    mallory: Person
    bob: Person
    records: Records
    clock: Clock
    redis: object

    def __post_init__(self) -> None:
        self.alice.sign_up()
        self.mallory.sign_up()
        self.honest, self.evil = path_of(self.alice.link), path_of(self.mallory.link)
        self.evil_code = self.evil.strip("/")

    def close_mallorys_account(self) -> None:
        def close() -> None:
            db.session.get(User, 2).is_active = False

        self.records.change(close)

    def token(self, secret: str = SECRET_KEY, code: str = "") -> str:
        """What Mallory's link leads on with while Redis is away."""
        return visit_tokens.seal(FollowedLink(code or self.evil_code, Channel.LINK, self.clock()), secret)

    def signup_with(self, token: str, person: Person, expect: int = 303) -> None:
        values = {"username": person.username, "email": person.email, "password": person.password}
        form = person.get(f"/signup?visit={quote(token)}").form("/signup")
        person.submit(form, expect, **values, password_confirm=person.password)

    def somebody(self, username: str) -> Person:
        return Person(self.app, self.bob.post_office, username)

    def choose(self, person: Person, code: str) -> None:
        person.submit(person.get("/account/code").form("/account/code"), code=code)

    def cannot_have(self, *wanted: str) -> None:
        """Let Mallory ask for each of these codes, and get none."""
        for code in wanted:
            page = self.mallory.submit(self.mallory.get("/account/code").form("/account/code"), 422, code=code)
            assert page.wrong_fields == {"code"}, code
        assert self.records.all(OwnCode, profile_id=MALLORY) == []


@pytest.fixture
def scene(app: Flask, post_office, alice: Person, bob: Person, records: Records, clock: Clock, valkey) -> Scene:
    return Scene(app, alice, Person(app, post_office, "mallory"), bob, records, clock, valkey.client)


TRICKS: list[Callable[[Scene], str | None]] = []


def trick(case: Callable[[Scene], str | None]) -> Callable[[Scene], str | None]:
    """A way to try it, after which Bob has an account; it gives who should have brought him."""
    TRICKS.append(case)
    return case


def stuffing(name: str, headers: dict[str, str], method: str = "get") -> None:
    """Let Bob's browser touch Mallory's link without his opening it, after he opened Alice's."""

    def case(scene: Scene) -> str:
        scene.bob.get(scene.honest, 302)
        getattr(scene.bob.client, method)(scene.evil, headers=headers)
        scene.bob.sign_up()
        return "alice"

    case.__name__ = name
    trick(case)


stuffing("a_hidden_image", {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"})
stuffing("a_hidden_frame", {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"})
stuffing("a_fetch_by_script", {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "no-cors"})
stuffing("an_embedded_object", {"Sec-Fetch-Dest": "embed", "Sec-Fetch-Mode": "navigate"})
stuffing("a_prefetch", {"Sec-Purpose": "prefetch", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"})
stuffing("a_head_request", {}, "head")
stuffing("a_post_to_the_link", {}, "post")
stuffing("a_browser_that_calls_itself_a_crawler", {"User-Agent": "Twitterbot/1.0"})


@trick
def a_forged_session_cookie(scene: Scene) -> str:
    scene.bob.client.set_cookie("referralhub", "eyJ2aXNpdHMiOltdfQ.forged")
    scene.bob.get(scene.honest, 302)
    assert scene.bob.session_id() != "eyJ2aXNpdHMiOltdfQ.forged"
    scene.bob.sign_up()
    return "alice"


@trick
def a_guessed_session_id(scene: Scene) -> str:
    thief = Visitor(scene.app)
    scene.bob.get(scene.honest, 302)
    guess = secrets.token_urlsafe(32)
    thief.client.set_cookie("referralhub", guess)
    thief.get(scene.evil, 302)
    assert not scene.redis.exists(f"session:{guess}")
    scene.bob.sign_up()
    return "alice"


@trick
def a_planted_session(scene: Scene) -> str:
    thief = Visitor(scene.app)
    thief.get(scene.evil, 302)
    scene.bob.client.set_cookie("referralhub", thief.session_id())
    scene.bob.get(scene.honest, 302)
    scene.bob.sign_up()
    thief.get("/dashboard/", 302)  # the thief's copy is signed in nowhere
    assert scene.bob.session_id() != thief.session_id()
    thief.get(scene.evil, 302)
    return "alice"


@trick
def an_earlier_click(scene: Scene) -> str:
    scene.bob.get(scene.evil, 302)
    scene.clock.advance(minutes=1)
    scene.bob.get(scene.honest, 302)
    scene.bob.sign_up()
    return "alice"


@trick
def a_click_after_the_signup(scene: Scene) -> str:
    scene.bob.get(scene.honest, 302)
    scene.bob.sign_up()
    scene.bob.get(scene.evil, 302)
    return "alice"


@trick
def a_click_between_signing_out_and_in(scene: Scene) -> str:
    scene.bob.get(scene.honest, 302)
    scene.bob.sign_up()
    scene.bob.sign_out()
    scene.bob.get(scene.evil, 302)
    scene.bob.sign_in()
    scene.bob.confirm_address()
    return "alice"


@trick
def a_click_by_a_member_whom_nobody_brought(scene: Scene) -> None:
    scene.bob.sign_up()
    scene.bob.get(scene.evil, 302)
    scene.bob.sign_out()
    scene.bob.get(scene.evil, 302)
    scene.bob.sign_in()


@trick
def a_member_who_joined_later(scene: Scene) -> None:
    scene.bob.sign_up()
    late = scene.somebody("late")
    late.sign_up()
    scene.bob.get(path_of(late.link), 302)
    assert scene.records.all(Referral) == []


@trick
def odd_letters_in_the_link(scene: Scene) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in scene.evil_code)
    odd = ["%00", "%0a", "%e2%80%ae", "%e2%80%8b", "%20", ".", ";", "ⅷ", "%c0%80", "é"]
    for code in (wide, *(scene.evil_code + each for each in odd), *(each + scene.evil_code for each in odd)):
        scene.bob.get(f"/{code}/", 404)
    scene.bob.sign_up()


@trick
def odd_letters_in_a_typed_code(scene: Scene) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in scene.evil_code)
    for code in (wide, f"{scene.evil_code}\0", f"{scene.evil_code}\u202e", f"{scene.evil_code}' --", "ⅷ" * 8):
        assert scene.bob.fill_in_signup(422, referral_code=code).wrong_fields == {"referral_code"}
    scene.bob.sign_up()


@trick
def a_typed_code_of_a_closed_account(scene: Scene) -> str:
    scene.bob.get(scene.honest, 302)
    scene.close_mallorys_account()
    assert scene.bob.fill_in_signup(422, referral_code=scene.evil_code).wrong_fields == {"referral_code"}
    scene.bob.sign_up()
    return "alice"


@trick
def a_typed_code_of_a_deleted_account(scene: Scene) -> None:
    with scene.app.app_context():
        erasure.erase(MALLORY, FORMER_MEMBER, scene.clock())
    assert scene.bob.fill_in_signup(422, referral_code=scene.evil_code).wrong_fields == {"referral_code"}
    scene.bob.sign_up()


@trick
def a_link_of_an_account_that_was_closed_since(scene: Scene) -> str:
    scene.bob.get(scene.honest, 302)
    scene.bob.get(scene.evil, 302)
    scene.close_mallorys_account()
    scene.bob.sign_up()
    return "alice"


@trick
def a_click_of_longer_ago_than_the_window(scene: Scene) -> None:
    scene.bob.get(scene.evil, 302)
    scene.clock.advance(days=30, seconds=1)
    scene.bob.sign_up()


@trick
def a_form_left_open_in_another_tab(scene: Scene) -> str:
    scene.bob.get(scene.evil, 302)
    form = scene.bob.get("/signup").form("/signup")
    scene.clock.advance(minutes=1)
    scene.bob.get(scene.honest, 302)
    values = {"username": "bob", "email": scene.bob.email, "password": scene.bob.password}
    scene.bob.submit(form, **values, password_confirm=scene.bob.password)
    return "alice"


@trick
def the_back_button_and_the_form_once_more(scene: Scene) -> str:
    scene.bob.get(scene.honest, 302)
    form = scene.bob.get("/signup").form("/signup")
    values = {"username": "bob", "email": scene.bob.email, "password": scene.bob.password}
    scene.bob.submit(form, **values, password_confirm=scene.bob.password)
    scene.bob.get(scene.evil, 302)
    for changes in ({}, {"username": "bob2", "email": "bob2@example.com"}):
        scene.bob.submit(form, None, **(values | {"password_confirm": scene.bob.password} | changes))
    assert len(scene.records.all(User)) == 3
    assert len(scene.records.all(Referral)) == 1
    return "alice"


@trick
def fields_that_the_form_does_not_have(scene: Scene) -> str:
    scene.bob.get(scene.honest, 302)
    form = scene.bob.get("/signup").form("/signup")
    values = {box["name"]: box.attributes.get("value", "") for box in form.all("input[name]")}
    values |= {"username": "bob", "email": scene.bob.email, "password": scene.bob.password}
    values |= {"password_confirm": scene.bob.password, "referred_by_id": "2", "referrer_id": "2", "ref": "mallory"}
    scene.bob.post(f"/signup?referral_code={scene.evil_code}&ref={scene.evil_code}", values, 303)
    return "alice"


@trick
def a_visit_token_with_another_signature(scene: Scene) -> None:
    token = scene.token()
    for spoilt in (token[:-1], token + "x", token.rpartition(".")[0], token.swapcase(), "", ".", "ü"):
        assert "Referred by" not in scene.bob.get(f"/signup?visit={quote(spoilt)}").text
    scene.signup_with(f"{token}x", scene.bob)


@trick
def a_visit_token_with_another_code(scene: Scene) -> None:
    payload, signature = scene.token().rpartition(".")[0], scene.token(code=scene.honest.strip("/")).rpartition(".")[2]
    scene.signup_with(f"{payload}.{signature}", scene.bob)


@trick
def a_visit_token_of_another_secret(scene: Scene) -> None:
    scene.signup_with(scene.token(SECRET_KEY[::-1]), scene.bob)


@trick
def an_expired_visit_token(scene: Scene) -> None:
    token = scene.token()
    scene.clock.advance(days=30, seconds=1)
    scene.signup_with(token, scene.bob)


@trick
def an_invitations_token_for_a_visits(scene: Scene) -> None:
    scene.signup_with(invitations.token(MALLORY, SECRET_KEY), scene.bob)


@trick
def an_older_visit_token_next_to_a_click(scene: Scene) -> str:
    token = scene.token()
    scene.clock.advance(minutes=1)
    scene.bob.get(scene.honest, 302)
    scene.signup_with(token, scene.bob)
    return "alice"


@trick
def a_form_posted_by_another_site_with_a_stolen_token(scene: Scene) -> None:
    values = {"username": "bob", "email": scene.bob.email, "password": scene.bob.password, "visit": scene.token()}
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "https://localhost"):
        browser = Visitor(scene.app)
        browser.post("/signup", values | {"password_confirm": scene.bob.password}, 400, headers={"Origin": origin})
    assert len(scene.records.all(User)) == 2
    scene.bob.sign_up()


@trick
def a_forged_host(scene: Scene) -> str:
    for header in ("Host", "X-Forwarded-Host", "Forwarded"):
        answer = scene.bob.client.get(scene.honest, headers={header: "evil.example"})
        assert "evil.example" not in str(answer.headers)
    scene.bob.get(scene.honest, 302)
    scene.bob.client.environ_base["HTTP_X_FORWARDED_HOST"] = "evil.example"
    page = scene.bob.arrive()
    assert page.one("#referral-link")["value"].startswith("http://localhost/")
    scene.bob.post_office.deliver()
    (letter,) = scene.bob.post_office.letters(scene.bob.email)
    assert "evil.example" not in text_of(letter)
    return "alice"


@trick
def a_code_that_looks_like_anothers(scene: Scene) -> str:
    scene.choose(scene.alice, "alice-modern-will")
    scene.cannot_have(
        "alice-modern-will", "ALICE-MODERN-WILL", "alicemodernwill", "al-ice-mo-dern-will", "alice-modem-will",
        "a1ice-modern-wi11", "aIice-rnodern-vvill", "alice-m0dern-will", "аlice-modern-will", "alice‑modern‑will",
    )  # fmt: skip
    for nobodys in ("/a1ice-modern-will/", "/alice-modem-vvill/", "/alicemodernwill/"):
        scene.bob.get(nobodys, 404)
    scene.bob.get("/Alice-Modern-Will/", 302)
    scene.bob.sign_up()
    return "alice"


@trick
def anothers_drawn_code_in_other_letters(scene: Scene) -> str:
    def draw() -> None:
        db.session.get(Profile, ALICE).code = "0il1mw88"

    scene.records.change(draw)
    scene.cannot_have("0il1mw88", "0IL1MW88", "0il1-mw88", "0-i-l-1-m-w-8-8", "oillmw88", "olllrnvv88", "o-11l-rnw88")
    scene.bob.get("/0IL1mw88/", 302)
    scene.bob.sign_up()
    return "alice"


@trick
def the_code_of_an_account_that_was_deleted(scene: Scene) -> None:
    scene.choose(scene.alice, "alice-in-w")
    scene.bob.get("/alice-in-w/", 302)
    scene.alice.delete_account()
    scene.cannot_have("alice-in-w", "aliceinw", "a1ice-in-vv", scene.honest.strip("/"))
    assert "isn't active" in scene.bob.follow(scene.bob.get("/alice-in-w/", 302)).text
    assert scene.bob.fill_in_signup(422, referral_code="alice-in-w").wrong_fields == {"referral_code"}
    scene.bob.sign_up()


@trick
def the_name_of_a_page(scene: Scene) -> None:
    pages = {rule.rule.split("/")[1] for rule in scene.app.url_map.iter_rules()}
    scene.cannot_have(
        *(page for page in pages if page.isalpha() and page != "dev"), "dev-", "log-in", "s1gnup", "static"
    )
    for page in ("/signup", "/login", "/privacy"):
        assert "Referred by" not in scene.bob.get(page).text
    scene.bob.sign_up()


@trick
def a_code_that_is_given_up_for_another(scene: Scene) -> str:
    """Codes are never given up: what a member chose before is theirs, too."""
    scene.choose(scene.alice, "alice-in-w")
    scene.clock.now = (scene.clock.now.replace(day=1) + timedelta(days=31)).replace(day=1)
    scene.choose(scene.alice, "quite-another")
    scene.cannot_have("alice-in-w", "quite-another")
    scene.bob.get("/alice-in-w/", 302)
    scene.bob.sign_up()
    return "alice"


@trick
def a_typed_own_code_of_a_closed_account(scene: Scene) -> str:
    scene.choose(scene.mallory, "best-offer")
    scene.bob.get(scene.honest, 302)
    scene.bob.get("/best-offer/", 302)
    scene.close_mallorys_account()
    assert scene.bob.fill_in_signup(422, referral_code="best-offer").wrong_fields == {"referral_code"}
    scene.bob.sign_up()
    return "alice"


@trick
def a_visit_token_with_a_code_of_ones_own(scene: Scene) -> None:
    scene.choose(scene.mallory, "best-offer")
    scene.close_mallorys_account()
    scene.signup_with(scene.token(code="best-offer"), scene.bob)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", TRICKS, ids=lambda case: case.__name__)
def test_mallory_gets_no_credit(scene: Scene, case: Callable[[Scene], str | None]):
    whose = case(scene)
    bob = scene.records.one(Profile, user_id=scene.records.one(User, username="bob").id)
    assert bob.referred_by_id == (ALICE if whose else None)
    assert scene.records.all(Referral, referrer_id=MALLORY) == []
    assert [each.friend_id for each in scene.records.all(Referral)] == ([bob.id] if whose else [])
    assert not scene.redis.exists("session:")  # one that all would share


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
class TestConfirming:
    """Mallory's puppet has signed up by her link, with an address that she cannot read."""

    @pytest.fixture
    def puppet(self, scene: Scene) -> Person:
        puppet = scene.somebody("puppet")
        puppet.get(scene.evil, 302)
        puppet.sign_up()
        return puppet

    @staticmethod
    def nothing_earned(scene: Scene) -> None:
        assert scene.records.one(Referral).state is ReferralState.PENDING
        assert scene.records.all(RewardEntry) == []

    def test_a_token_confirms_only_the_address_it_was_sent_to(self, scene: Scene, puppet: Person):
        path = scene.mallory.verification_path()
        puppet.submit(puppet.get(path).form(path))
        self.nothing_earned(scene)

    def test_a_guessed_or_changed_token_confirms_nothing(self, scene: Scene, puppet: Person):
        path = scene.mallory.verification_path()
        token = puppet.get(path).form(path).one('[name="csrf_token"]')["value"]
        for guess in (secrets.token_urlsafe(32), f"{path[8:]}x", path[8:].swapcase(), "3", "%00"):
            puppet.post(f"/verify/{guess}", {"csrf_token": token}, 400)
        self.nothing_earned(scene)

    def test_a_letter_of_long_ago_confirms_nothing(self, scene: Scene, puppet: Person):
        path = puppet.verification_path()
        scene.clock.advance(days=8)
        puppet.submit(puppet.get(path).form(path), 400)
        self.nothing_earned(scene)

    def test_confirming_twice_earns_once(self, scene: Scene, puppet: Person):
        path = puppet.verification_path()
        form = puppet.get(path).form(path)
        for _ in range(3):
            puppet.submit(form)
        assert len(scene.records.all(RewardEntry, profile_id=MALLORY)) == 1


def test_a_visit_token_counts_for_one_account(scene: Scene):
    """Whether the accounts are made one after the other or at once."""
    token = scene.token()
    for name in ("first", "second"):
        scene.signup_with(token, scene.somebody(name))
    assert len(scene.records.all(Referral, referrer_id=MALLORY)) == 1

    token, people = scene.token(), [scene.somebody(f"twin{n}") for n in range(4)]
    forms = [person.get(f"/signup?visit={token}").form("/signup") for person in people]

    def sign_up(person: Person, form: Element) -> None:
        values = {"username": person.username, "email": person.email, "password": person.password}
        person.submit(form, **values, password_confirm=person.password)

    all_at_once([partial(sign_up, *pair) for pair in zip(people, forms, strict=True)])
    assert len(scene.records.all(User)) == 8
    assert len(scene.records.all(Referral, referrer_id=MALLORY)) == 2
    assert timedelta(0) <= scene.clock() - scene.records.all(Referral)[0].visited_at


def chosen(app: Flask, profile_id: int, code: str, now: datetime) -> str:
    """Let a member choose a code, and give what came of it."""
    with app.app_context():
        try:
            own_codes.choose(profile_id, code, (), now)
        except (AlreadyDone, Conflict) as error:
            return type(error).__name__
        return "chosen"


def test_of_those_who_choose_the_same_at_once_one_has_it(scene: Scene):
    """Or what looks the same."""
    for turn in range(6):
        now = (scene.clock().replace(day=1) + timedelta(days=32 * turn)).replace(day=1)
        wanted = (f"wanted-{'abcdef'[turn]}m", f"wanted{'abcdef'[turn]}rn")
        came = all_at_once(
            [partial(chosen, scene.app, *each, now) for each in zip((ALICE, MALLORY), wanted, strict=True)]
        )
        assert sorted(came) == ["OwnCodeTaken", "chosen"]
        assert len(scene.records.all(OwnCode)) == turn + 1


def test_of_many_that_one_member_chooses_at_once_one_counts(scene: Scene):
    wanted = [f"number-{letter}" for letter in "abcdefgh"]
    came = all_at_once([partial(chosen, scene.app, MALLORY, code, scene.clock()) for code in wanted])
    assert sorted(came) == ["OneOwnCodeAMonth"] * 7 + ["chosen"]
    assert scene.records.one(OwnCode).code in wanted


def test_the_same_chosen_twice_at_once_is_chosen(scene: Scene):
    came = all_at_once([partial(chosen, scene.app, MALLORY, "best-offer", scene.clock()) for _ in range(4)])
    assert sorted(came) == ["AlreadyDone"] * 3 + ["chosen"]
