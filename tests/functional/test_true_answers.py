"""Redis goes before or after the commit of whatever can be sent: the answer is true, and a retry is answered well.

An answer of 503 says that nothing was done; then nothing was. Any other answer says what was done.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

from referralhub.extensions import db
from referralhub.models import (
    Invitation,
    MessageKind,
    OutboxMessage,
    Reason,
    Referral,
    ReferralState,
    Scope,
    WebhookDelivery,
    WebhookEndpoint,
)
from referralhub.services.accounts import administration
from referralhub.services.brand import logos, versions
from referralhub.services.integration import keys, members
from referralhub.services.mailing import subscriptions
from referralhub.services.perks import catalogue, claims
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import endpoints
from tests.claims import CLAIMS, question_path
from tests.functional.program.test_admin_program import send
from tests.pages import Visitor
from tests.people import Person, PostOffice, Records
from tests.pictures import picture
from tests.servers import Valkey
from tests.two_factor import SETTINGS as TWO_FACTOR
from tests.two_factor import App, set_up

Sent = tuple[Visitor, str, dict[str, str | bytes]]  # who sends what where; bytes are a file


@dataclass
class World:
    """Grace runs the program. Alice is a member, Bob a friend who is held, and Charlie one who has yet to confirm."""

    app: Flask
    records: Records
    grace: Person
    alice: Person
    bob: Person
    charlie: Person
    dora: Person

    def form(self, who: Person, page: str, action: str = "", **values: str) -> Sent:
        action = action or page
        return who, action, who.filled_in(who.get(page).form(action), **values)

    def token(self, who: Person, page: str, action: str, **values: str) -> Sent:
        """Send fields that the page's form has for a script to fill in, or as buttons."""
        return who, action, {"csrf_token": who.get(page).all('[name="csrf_token"]')[0]["value"], **values}


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


@pytest.fixture
def world(
    app: Flask,
    records: Records,
    admin: Person,
    alice: Person,
    bob: Person,
    charlie: Person,
    post_office: PostOffice,
    clock,
) -> World:
    with app.app_context():
        rules.change(rules.PRESETS["paypal"], clock())
    alice.sign_up()
    alice.confirm_address()
    alice.submit(alice.get("/dashboard/invite").form("/dashboard/invite"), 200, addresses="dan@example.com")
    world = World(app, records, admin, alice, bob, charlie, Person(app, post_office, "dora"))
    _, path, values = invite(world, "dan@example.com")
    alice.post(path, values, 303)
    post_office.deliver()
    clock.advance(days=4)
    for friend in (bob, charlie):
        friend.email = f"{friend.username}@gmail.com"
        friend.click(alice.link)
        friend.follow(friend.fill_in_signup(topic="https://example.com" if friend is bob else ""))
    bob.confirm_address()
    with app.app_context():
        administration.adjust(2, 100_000, "USD", "a present", "a-present", OPERATOR, clock())
        catalogue.add("Mug", "", clock(), price=10, unit="USD", stock=5)
        catalogue.add("Ticket", "", clock(), price=10, unit="USD", coupons=["one", "two"])
        claims.redeem(2, 1, "the-first-one", clock())
        given_up = {"attempts": 9, "last_error": "550 no", "created": clock(), "payload": {}, "user_id": 2}
        db.session.add(OutboxMessage(key="given up", kind=MessageKind.FRIEND_JOINED, **given_up))
        db.session.commit()
    assert [each.state for each in records.all(Referral)] == [ReferralState.HELD, ReferralState.PENDING]
    admin.submit(admin.get("/account/confirm").form("/account/confirm"), password=admin.password)
    clock.advance(minutes=2)  # past what is done once a minute
    return world


def invite(world: World, addresses: str) -> Sent:
    path = "/dashboard/invite"
    looked = world.alice.submit(world.alice.get(path).form(path), 200, addresses=addresses)
    return world.alice, path, world.alice.filled_in(looked.form(path), send="yes")


def signup(world: World) -> Sent:
    dora = world.dora
    dora.click(world.alice.link)
    names = {"username": "dora", "email": dora.email, "password": dora.password, "password_confirm": dora.password}
    return world.form(dora, "/signup", **names)


def join(world: World) -> Sent:
    with world.app.app_context():
        rules.change({"personal_landing": True}, world.app.config["CLOCK"]())
    dora = world.dora
    dora.click(world.alice.link)
    names = {"username": "dora", "email": dora.email, "password": dora.password, "password_confirm": dora.password}
    return world.form(dora, "/join", **names)


def signup_without_a_cookie(world: World) -> Sent:
    """The form was shown while Redis was away: its address has the visit, and its browser names the page."""
    who, path, values = signup(world)
    world.dora.client.delete_cookie("referralhub")
    return who, path, values | {"without_session": "1"}


def login(world: World) -> Sent:
    twin = world.alice.in_another_browser()
    return world.form(twin, "/login", username="alice", password=twin.password)


def reset(world: World) -> Sent:
    twin = world.alice.in_another_browser()
    twin.submit(twin.get("/password/forgot").form("/password/forgot"), 200, email=twin.email)
    path = twin.mailed_path("/password/reset/")
    return world.form(twin, path, password="quite another one", password_confirm="quite another one")


def new_address(world: World) -> Sent:
    form = world.alice.get("/account/email").form("/account/email")
    world.alice.submit(form, email="alice@example.org", password=world.alice.password)
    return world.form(world.alice, world.alice.mailed_path("/account/email/", to="alice@example.org"))


def unsubscribe(world: World) -> Sent:
    token = subscriptions.muting_token(2, MessageKind.FRIEND_JOINED, world.app.config["SECRET_KEY"])
    return Visitor(world.app), f"/account/unsubscribe/{token}", {"List-Unsubscribe": "One-Click"}


def end_session(world: World) -> Sent:
    world.alice.in_another_browser().sign_in()
    action = world.alice.get("/account/sessions").all("form[action]")[1]["action"]
    return world.form(world.alice, "/account/sessions", action)


def end_others(world: World) -> Sent:
    world.alice.in_another_browser().sign_in()
    return world.form(world.alice, "/account/sessions", "/account/sessions/end-others")


def remind(world: World) -> Sent:
    number = world.records.one(Invitation).id
    return world.form(world.alice, "/dashboard/invite", f"/dashboard/invitations/{number}/remind")


def again(world: World) -> Sent:
    number = world.records.one(OutboxMessage, key="given up").id
    return world.form(world.grace, "/admin/mail/", f"/admin/mail/{number}/again")


def switch_on(world: World) -> Sent:
    who, path, values = ACTIONS["POST /admin/members/<row:row_id>/active"](world)
    who.post(path, values, 303)
    return world.form(who, "/admin/members/4/", "/admin/members/4/active/again", **{"active-reason": "well"})


def offer_again(world: World) -> Sent:
    world.grace.submit(world.grace.get("/admin/perks/1/").form("/admin/perks/1/off"))
    return world.form(world.grace, "/admin/perks/1/", "/admin/perks/1/on")


def correct(world: World) -> Sent:
    page, code = "/admin/members/2/", {"correct-code": world.grace.code, "correct-reason": "she said so"}
    return world.form(world.grace, page, f"{page}referrer", **code)


def load_customers(world: World) -> Sent:
    who, path, values = world.form(world.grace, "/admin/customers/")
    return who, path, values | {"file": b"email,customer_since\nx@example.com,2020-01-01\n"}


def reward_is_due(world: World) -> None:
    """Let Alice be owed something that a product hands over."""
    clock = world.app.config["CLOCK"]
    with world.app.app_context():
        rules.change({"handed_over": True}, clock())
        administration.adjust(2, 500, "USD", "a present", "another-present", OPERATOR, clock())


def hand_over(world: World) -> Sent:
    reward_is_due(world)
    done = {"reward": "1", "step": "fulfilled", "reference": "invoice 7"}
    return world.token(world.grace, "/admin/rewards-due/", "/admin/rewards-due/decide", **done)


def load_rewards(world: World) -> Sent:
    reward_is_due(world)
    who, path, values = world.form(world.grace, "/admin/rewards-due/file")
    return who, path, values | {"file": b"id,state,reference\n1,fulfilled,invoice 7\n"}


def fresh(values: dict[str, str | bytes]) -> dict[str, object]:
    """Return what is sent, with files that can be read once more."""
    return {
        name: (io.BytesIO(value), "a file.csv") if isinstance(value, bytes) else value for name, value in values.items()
    }


def put_text_back(world: World) -> Sent:
    world.grace.submit(world.grace.get(TEXT).form(TEXT), subject="Our own", body=BODY)
    return world.form(world.grace, TEXT, f"{TEXT}original")


def put_up_logo(world: World) -> Sent:
    who, path, values = world.form(world.grace, "/admin/brand/", "/admin/brand/logo")
    picture = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
    return who, path, values | {"logo": picture}


def take_down_logo(world: World) -> Sent:
    with world.app.app_context():
        picture = logos.clean(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>')
        versions.put_in_force({"logo": picture}, world.app.config["CLOCK"]())
    who, _, values = world.form(world.grace, "/admin/brand/", "/admin/brand/logo")
    return who, "/admin/brand/logo/remove", values


def put_up_picture(world: World) -> Sent:
    who, path, values = world.form(world.alice, "/account/profile", "/account/picture")
    return who, path, values | {"picture": picture()}


def take_down_picture(world: World) -> Sent:
    who, path, values = put_up_picture(world)
    who.client.post(path, data=fresh(values))
    return who, f"{path}/remove", {"csrf_token": str(values["csrf_token"])}


def clear_profile(world: World) -> Sent:
    who, path, values = put_up_picture(world)
    who.client.post(path, data=fresh(values))
    page = "/admin/members/2/"
    return world.form(world.grace, page, f"{page}profile", **{"profile-reason": "not a picture of hers"})


def put_in_force(world: World) -> Sent:
    return (
        world.grace,
        "/admin/program/",
        world.grace.filled_in(send(world.grace, hold_days="9").form("/admin/program/")),
    )


def of_alice(page: str, action: str = "", **values: str) -> Callable[[World], Sent]:
    return lambda world: world.form(world.alice, page, action, **values)


def of_grace(page: str, action: str = "", **values: str) -> Callable[[World], Sent]:
    return lambda world: world.form(world.grace, page, action, **values)


def with_app(world: World) -> App:
    return set_up(world.alice, world.app.config["CLOCK"])[0]


def turn_on(world: World) -> Sent:
    page = world.alice.get(TWO_FACTOR)
    app = App(page.one("#totp-secret")["data-secret"], world.app.config["CLOCK"])
    return world.form(world.alice, TWO_FACTOR, code=app.code(), password=PASSWORD)


def turn_off(world: World) -> Sent:
    code = with_app(world).next_code()
    return world.form(world.alice, TWO_FACTOR, f"{TWO_FACTOR}/off", code=code, password=PASSWORD)


def renew_codes(world: World) -> Sent:
    with_app(world)
    return world.form(world.alice, TWO_FACTOR, f"{TWO_FACTOR}/codes", **{"codes-password": PASSWORD})


def give_code(world: World) -> Sent:
    app, twin = with_app(world), world.alice.in_another_browser()
    twin.sign_in()
    return world.form(twin, "/login/code", code=app.next_code())


def enter_code(world: World) -> Sent:
    world.dora.sign_up()
    return world.form(world.dora, "/account/referrer", referral_code=world.alice.code)


def claim(world: World) -> Sent:
    day = f"{world.app.config['CLOCK']():%Y-%m-%d}"
    return world.form(world.alice, CLAIMS, email=world.dora.email, joined_on=day, channel="link")


def answer(world: World) -> Sent:
    world.dora.sign_up()
    world.dora.confirm_address()
    who, path, values = claim(world)
    who.post(path, values, 303)
    path = question_path(world.dora)
    who, path, values = world.form(Visitor(world.app), path)
    return who, path, values | {"answer": "yes"}


def decide_claim(world: World) -> Sent:
    who, path, values = answer(world)
    who.post(path, values, 303)
    page = "/admin/review/missing/1/"
    return world.form(world.grace, page, f"{page}confirm", reason="asked them")


def appeal(world: World) -> Sent:
    with world.app.app_context():
        lifecycle.reject(1, OPERATOR, Reason.stated("a robot"), world.app.config["CLOCK"]())
    page = "/dashboard/referrals"
    return world.form(world.alice, page, f"{page}/1/appeal", words="It was Bob.")


def revoke_key(world: World) -> Sent:
    with world.app.app_context():
        keys.create("shop", [Scope.READ], OPERATOR, world.app.config["CLOCK"]())
    return world.form(world.grace, "/admin/api-keys/", "/admin/api-keys/1/revoke")


def enter_by_link(world: World) -> Sent:
    clock = world.app.config["CLOCK"]
    with world.app.app_context():
        members.put("42", members.Given(), OPERATOR, clock())
        token, _ = members.sign_in_token("42", OPERATOR, clock())
    visitor = Visitor(world.app)
    return visitor, f"/sign-in/{token}", visitor.filled_in(visitor.get(f"/sign-in/{token}").form(f"/sign-in/{token}"))


def of_webhook(what: str, off: bool = False, **values: str) -> Callable[[World], Sent]:
    """Do something with the webhook of a shop, which has been told of one member."""

    def action(world: World) -> Sent:
        clock = world.app.config["CLOCK"]
        with world.app.app_context():
            options = {"secret_key": world.app.config["SETTINGS"].secret_key, "private": False}
            endpoints.add("https://shop.example.com/webhooks", (), OPERATOR, clock(), **options)
            members.put("42", members.Given(), OPERATOR, clock())
            for delivery in db.session.scalars(db.select(WebhookDelivery)):
                delivery.delivered_at, delivery.next_try_at = clock(), None
            if off:
                db.session.get_one(WebhookEndpoint, 1).is_active = False
            db.session.commit()
        if what == "deliveries":
            return world.form(world.grace, "/admin/webhooks/deliveries/1/", "/admin/webhooks/deliveries/1/again")
        return world.form(world.grace, "/admin/webhooks/1/", f"/admin/webhooks/1/{what}", **values)

    return action


PASSWORD = "alice likes tea"
TEXT, BODY = "/admin/texts/friend_joined/de/", "Zur Übersicht: {dashboard_url}"
ACTIONS: dict[str, Callable[[World], Sent]] = {
    "POST /join": join,
    "POST /dashboard/share-text": of_alice("/dashboard/", "/dashboard/share-text", text="Come and see."),
    "POST /signup": signup,
    "POST /signup without a cookie": signup_without_a_cookie,
    "POST /login": login,
    "POST /login/code": give_code,
    "POST /logout": of_alice("/dashboard/", "/logout"),
    "POST /password/forgot": lambda world: world.form(
        Person(world.app, world.alice.post_office, "x"), "/password/forgot", email="alice@example.com"
    ),
    "POST /password/reset/<token>": reset,
    "POST /sign-in/<token>": enter_by_link,
    "POST /verify/<token>": lambda world: world.form(world.charlie, world.charlie.verification_path()),
    "POST /verify/resend": lambda world: world.form(world.charlie, "/dashboard/", "/verify/resend"),
    "POST /account/code": of_alice("/account/code", code="alice-l"),
    "POST /account/confirm": of_alice("/account/confirm", password=PASSWORD),
    "POST /account/delete": of_alice("/account/data", "/account/delete", password=PASSWORD),
    "POST /account/email": of_alice("/account/email", email="alice@example.org", password=PASSWORD),
    "POST /account/email/<token>": new_address,
    "POST /account/language": lambda world: world.form(world.alice, "/account/language", language="de"),
    "POST /account/notifications": lambda world: world.token(
        world.alice, "/account/notifications", "/account/notifications"
    ),
    "POST /account/password": of_alice(
        "/account/password", password=PASSWORD, new_password="quite another", new_password_confirm="quite another"
    ),
    "POST /account/picture": put_up_picture,
    "POST /account/picture/remove": take_down_picture,
    "POST /account/profile": of_alice("/account/profile", display_name="Alice L."),
    "POST /account/referrer": enter_code,
    "POST /account/sessions/<row(bits=63):sign_in_id>/end": end_session,
    "POST /account/sessions/end-others": end_others,
    "POST /account/two-factor": turn_on,
    "POST /account/two-factor/codes": renew_codes,
    "POST /account/two-factor/off": turn_off,
    "POST /account/unsubscribe/<token>": unsubscribe,
    "POST /claims/<token>": answer,
    "POST /dashboard/claims": claim,
    "POST /dashboard/referrals/<row:referral_id>/appeal": appeal,
    "POST /dashboard/invite": lambda world: invite(world, "eve@example.com"),
    "POST /dashboard/invitations/<row:invitation_id>/remind": remind,
    "POST /dashboard/perks/<row:perk_id>/redeem": of_alice("/dashboard/rewards", "/dashboard/perks/1/redeem"),
    "POST /admin/api-keys/": of_grace("/admin/api-keys/", name="shop", scopes="read"),
    "POST /admin/api-keys/<row:row_id>/revoke": revoke_key,
    "POST /admin/brand/": of_grace("/admin/brand/", name="Tomato Club", accent="#e5342b"),
    "POST /admin/brand/logo": put_up_logo,
    "POST /admin/brand/logo/remove": take_down_logo,
    "POST /admin/claims/<row:row_id>/fulfil": of_grace("/admin/claims/", "/admin/claims/1/fulfil"),
    "POST /admin/costs": of_grace("/admin/", "/admin/costs", paid_customer_cost="12"),
    "POST /admin/customers/": load_customers,
    "POST /admin/mail/<row:row_id>/again": again,
    "POST /admin/mail/again": of_grace("/admin/mail/", "/admin/mail/again"),
    "POST /admin/members/<row:row_id>/active": of_grace(
        "/admin/members/4/", "/admin/members/4/active", **{"active-reason": "a robot"}
    ),
    "POST /admin/members/<row:row_id>/active/again": switch_on,
    "POST /admin/members/<row:row_id>/adjust": of_grace(
        "/admin/members/3/", "/admin/members/3/adjust", **{"adjust-amount": "5", "adjust-reason": "a present"}
    ),
    "POST /admin/members/<row:row_id>/profile": clear_profile,
    "POST /admin/members/<row:row_id>/referrer": correct,
    "POST /admin/members/<row:row_id>/verification": of_grace("/admin/members/4/", "/admin/members/4/verification"),
    "POST /admin/perks/<row:row_id>/coupons": of_grace("/admin/perks/2/", "/admin/perks/2/coupons", coupons="three"),
    "POST /admin/perks/<row:row_id>/off": of_grace("/admin/perks/1/", "/admin/perks/1/off"),
    "POST /admin/perks/<row:row_id>/on": offer_again,
    "POST /admin/perks/<row:row_id>/stock": of_grace("/admin/perks/1/", "/admin/perks/1/stock", pieces="3"),
    "POST /admin/perks/new": of_grace("/admin/perks/new", name="Cap", price="5", unit="USD"),
    "POST /admin/program/": put_in_force,
    "POST /admin/referrals/<row:row_id>/<any(hold, release, reject, reverse):step>": of_grace(
        "/admin/referrals/1/", "/admin/referrals/1/release", reason="a friend indeed"
    ),
    "POST /admin/review/": lambda world: world.token(
        world.grace, "/admin/review/", "/admin/review/", case="1", step="confirm", reason="a friend indeed"
    ),
    "POST /admin/review/missing/<row:row_id>/<any(confirm, reject):decision>": decide_claim,
    "POST /admin/texts/<text>/<language>/": of_grace(TEXT, subject="Our own", body=BODY),
    "POST /admin/texts/<text>/<language>/original": put_text_back,
    "POST /admin/rewards-due/decide": hand_over,
    "POST /admin/rewards-due/file": load_rewards,
    "POST /admin/webhooks/": of_grace("/admin/webhooks/", url="https://shop.example.com/webhooks"),
    "POST /admin/webhooks/<row:row_id>/on": of_webhook("on", off=True),
    "POST /admin/webhooks/<row:row_id>/remove": of_webhook("remove", sure="y"),
    "POST /admin/webhooks/<row:row_id>/replay": of_webhook(
        "replay", since="2020-01-01T00:00", until="2100-01-01T00:00", type=""
    ),
    "POST /admin/webhooks/<row:row_id>/rotate": of_webhook("rotate"),
    "POST /admin/webhooks/<row:row_id>/test": of_webhook("test"),
    "POST /admin/webhooks/<row:row_id>/types": of_webhook("types", types="reward.due"),
    "POST /admin/webhooks/deliveries/<row:row_id>/again": of_webhook("deliveries"),
}
ONE_MORE = {  # tables to which a retry may add
    "POST /login": {"sign_in", "sighting"},
    "POST /join": {"sign_in", "sighting"},
    "POST /signup": {"sign_in", "sighting"},
    "POST /signup without a cookie": {"sign_in", "sighting"},
    "POST /password/reset/<token>": {"sign_in", "sighting"},
    "POST /admin/api-keys/": {"api_key", "audit_log"},  # of the first one the secret may not have been seen
    "POST /account/email": {"outbox"},  # the newer of two mails has the link that works
    "POST /account/two-factor/codes": {"recovery_code", "outbox"},  # the codes that were shown last are those that work
}
NOTHING_IS_WRITTEN = {
    "POST /dashboard/share-text/preview",
    "POST /admin/brand/preview", "POST /admin/program/edit", "POST /admin/program/preview",
    "POST /admin/texts/<text>/<language>/mail", "POST /admin/texts/<text>/<language>/preview",
}  # fmt: skip


def test_the_table_has_whatever_can_be_sent(app: Flask):
    unsafe = {f"POST {rule.rule}" for rule in app.url_map.iter_rules() if "POST" in rule.methods}
    unsafe = {each for each in unsafe if not each.startswith("POST /api/")}  # what programs send is in `api/`
    assert unsafe == {action for action in ACTIONS if "without" not in action} | NOTHING_IS_WRITTEN


@contextmanager
def redis_goes(app: Flask, valkey: Valkey, moment: str) -> Iterator[None]:
    """Take Redis away at the first commit of something new: `before_commit` or `after_commit`."""
    with app.app_context():
        engine = db.engine
    written: list[str] = []

    def note(_connection, _cursor, statement: str, *_) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    def go(_session) -> None:
        if written and valkey.process:
            valkey.stop()

    event.listen(engine, "before_cursor_execute", note)
    event.listen(db.session, moment, go, insert=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)
        event.remove(db.session, moment, go)
        if not valkey.process:
            valkey.start()


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.one_database
def test_the_answer_is_true(world: World, valkey: Valkey, action: str, moment: str):
    who, path, values = ACTIONS[action](world)
    headers = {"Origin": "http://localhost"}

    def send() -> TestResponse:
        return who.client.post(path, data=fresh(values), headers=headers)

    before = world.records.everything()
    if moment == "before_commit":  # once is enough
        with valkey.away():
            refused = send()
        if action != "POST /account/unsubscribe/<token>":  # which needs no session
            assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
            assert world.records.everything() == before
    with redis_goes(world.app, valkey, moment):
        answer = send()
    after = world.records.everything()
    assert (answer.status_code == 503) == (after == before), answer.get_data(as_text=True)
    assert answer.status_code in {200, 303, 503}
    if answer.status_code == 200:
        assert "Nothing was" not in answer.get_data(as_text=True)

    retried = send()
    assert retried.status_code in {200, 302, 303}, retried.get_data(as_text=True)
    if after != before:
        again = world.records.everything()
        assert {table for table in again if again[table] != after[table]} <= ONE_MORE.get(action, set())
