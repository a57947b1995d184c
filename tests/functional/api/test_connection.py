"""Whether a connection works, as the panel, the doctor and who watches are told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import RedisError
from redis.client import Pipeline
from sqlalchemy import delete, select, update

from referralhub.database import reading, transaction
from referralhub.models import Channel, Profile, Scope, VisitDaily, WebhookDelivery
from referralhub.services.integration import connection, keys, refusals
from referralhub.services.operations import metrics
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import endpoints
from tests.conftest import SECRET_KEY
from tests.doctors import examined, says
from tests.functional.api.conftest import Shop
from tests.functional.api.telling import event, refund, sale
from tests.pages import Page
from tests.people import Clock, Person, Records

PAGE = "/admin/connection/"
SALES = {"unit": "money", "currency": "EUR", "qualifies_on": "purchase", "referrer_amount": 0, "referrer_share": 1000}


@pytest.fixture
def change(app: Flask, clock: Clock) -> Callable[..., None]:
    def put(**values: Any) -> None:
        with app.app_context():
            rules.change(values, clock())

    return put


@pytest.fixture
def shop_of(clock: Clock) -> Callable[[Flask], Shop]:
    """Give a shop that uses this installation."""

    def make(app: Flask) -> Shop:
        with app.app_context():
            return Shop(app, keys.create("shop", Scope, OPERATOR, clock())[1])

    return make


def next_of(page: Page) -> str:
    """Name the step that is to be done next, and see that what comes before it is done."""
    step = page.one("[data-next]")["data-next"]
    every = [each["data-step"] for each in page.all("[data-step]")]
    assert [each["data-step"] for each in page.all("[data-done]")][: every.index(step)] == every[: every.index(step)]
    return step


def row(page: Page, name: str) -> list[str]:
    return [each.text.strip() for each in page.one(f'[data-seen="{name}"]').all("td")]


def arrive(app: Flask, clock: Clock) -> None:
    """Let an endpoint answer to a test."""
    with app.app_context():
        endpoints.add("https://shop.example.com/", (), OPERATOR, clock(), secret_key=SECRET_KEY, private=False)
        endpoints.test(1, OPERATOR, clock())
        with transaction() as session:
            session.execute(update(WebhookDelivery).values(next_try_at=None, delivered_at=clock()))


def test_the_first_hour(app, admin: Person, visitor, shop_with, change, records: Records, clock: Clock):
    page = admin.get(PAGE)
    assert next_of(page) == "key" and "api-keys create" in page.text
    assert row(page, "clicks") == ["never", "0", "0"] and "No call was refused" in page.text
    shop = shop_with(*Scope)
    page = admin.get(PAGE)
    assert next_of(page) == "member" and "curl -X PUT http://localhost/api/v1/members/42" in page.text
    assert "Bearer $KEY" in page.text
    code = shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)["code"]
    assert next_of(admin.get(PAGE)) == "destination"
    change(destination="https://shop.example.com/")
    assert next_of(admin.get(PAGE)) == "click"
    visitor.get(f"/{code}/", 302)
    records.visits()
    page = admin.get(PAGE)
    assert next_of(page) == "signup"
    assert row(page, "clicks")[1:] == ["1", "1"]
    shop.ask("POST", "/events", event("s", "signup", code=code), 202)
    page = admin.get(PAGE)
    assert next_of(page) == "credit" and "program set qualifies_on purchase" in page.text
    change(**SALES, handed_over=True)
    assert '"type": "purchase"' in admin.get(PAGE).text
    clock.advance(minutes=1)
    shop.ask("POST", "/events", event("s2", "signup", "cy", code=code), 202)
    shop.ask("POST", "/events", sale("1", who="cy"), 202)
    assert next_of(admin.get(PAGE)) == "webhook"
    arrive(app, clock)
    assert next_of(admin.get(PAGE)) == "fulfilled"
    (reward,) = shop.ask("GET", "/rewards")["rewards"]
    shop.ask("POST", f"/rewards/{reward['id']}/fulfilled", {})
    page = admin.get(PAGE)
    assert page.all("[data-next]") == [] and len(page.one("[data-all-done]").all("[data-done]")) == 8
    assert row(page, "signup") == ["just now", "2", "2"]
    assert row(page, "purchase") == row(page, "webhooks") == ["just now", "1", "1"]
    assert row(page, "refund") == ["never", "0", "0"]
    clock.advance(days=2)
    admin.submit(admin.get("/account/confirm").form("/account/confirm"), password=admin.password)
    assert row(admin.get(PAGE), "purchase") == ["2 days ago", "0", "1"]


def test_clicks_before_the_first_key_connect_nothing(app, admin: Person, alice: Person, shop_of, change, clock: Clock):
    alice.sign_up()

    def follow(days_ago: int, profile_id: int) -> None:
        with app.app_context(), transaction() as session:
            day = clock().date() - timedelta(days=days_ago)
            session.add(VisitDaily(profile_id=profile_id, day=day, channel=Channel.LINK, visits=1, visitors=1, bots=0))

    number = newest(app)
    follow(5, number)
    follow(0, number)  # perhaps after the key; nobody knows
    assert [each["data-step"] for each in admin.get(PAGE).all("[data-done]")] == []
    shop = shop_of(app)
    shop.ask("PUT", "/members/42", {}, 201)
    change(destination="https://shop.example.com/")
    page = admin.get(PAGE)
    assert next_of(page) == "click" and row(page, "clicks")[1:] == ["1", "2"]
    follow(0, number + 1)
    assert next_of(admin.get(PAGE)) == "signup"
    clock.advance(days=1)
    with app.app_context(), transaction() as session:
        session.execute(delete(VisitDaily).where(VisitDaily.profile_id == number + 1))
    admin.submit(admin.get("/account/confirm").form("/account/confirm"), password=admin.password)
    assert next_of(admin.get(PAGE)) == "click"
    follow(0, number)
    assert next_of(admin.get(PAGE)) == "signup"


def newest(app: Flask) -> int:
    """Give the number of the newest member's profile."""
    with app.app_context():
        return max(reading().scalars(select(Profile.id)))


def test_what_waits_is_told_by_reason(admin: Person, shop, change):
    change(**SALES)
    shop.ask("POST", "/events", [sale("1"), sale("2"), event("3", "signup", code="nobodys1")], 202)
    page = admin.get(PAGE)
    waits = {each["data-kept"]: each["data-number"] for each in page.all("[data-kept]")}
    assert waits == {"unknown_customer": "2", "unknown_code": "1"}
    assert "events list --kept" in page.text


class TestRefused:
    def told(self, admin: Person) -> dict[str, str]:
        return {each["data-refused"]: each.all("td")[1].text for each in admin.get(PAGE).all("[data-refused]")}

    def test_by_value_and_code_and_never_by_what_was_sent(self, app, admin: Person, shop, shop_with, change):
        change(**SALES)
        for _ in range(2):
            shop.ask("POST", "/events", sale("1", amount=10**13), 422)
        shop.ask("POST", "/events", [sale("2", currency="XXX"), sale("3"), {"id": "4"}], 202)
        shop.ask("POST", "/events", sale("5") | {"mallory@example.com": 1}, 422)
        shop.ask("POST", "/events", event("6", "signup", click="nonsense"), 202)
        shop.ask("POST", "/events", event("7", "visit", metadata={"carol@example.com": "\0"}), 422)
        shop.ask("GET", "/members?bob=1", None, 422)
        shop.ask("GET", "/members/7", None, 404)
        shop_with().ask("GET", "/members", None, 401)
        shop_with(Scope.READ).ask("PUT", "/members/1", {}, 403)
        shop.ask("POST", "/nothing", {}, 404)
        assert self.told(admin) == {
            "amount:range": "2", "currency:event_currency_unknown": "1", "customer:missing": "1",
            "unknown:unknown": "2", "click:click_broken": "1", "metadata:pattern": "1", ":key_missing": "1",
            ":scope_missing": "1", ":not_found": "1",
        }  # fmt: skip
        redis = app.extensions["redis"]
        assert "example.com" not in str([redis.hgetall(key) for key in redis.scan_iter("api:refused:*")])

    @pytest.mark.one_database
    def test_it_is_forgotten_after_a_week(self, app, admin: Person, shop, clock: Clock):
        shop.ask("POST", "/events", {}, 422)
        redis = app.extensions["redis"]
        assert 7 * 24 * 3600 < redis.ttl(next(redis.scan_iter("api:refused:*"))) <= refusals.KEPT
        clock.advance(days=6)
        assert len(refusals.read(redis, clock())) == 1
        clock.advance(days=1)
        assert refusals.read(redis, clock()) == []

    @pytest.mark.one_database
    def test_what_cannot_be_counted_is_answered_all_the_same(self, app, admin: Person, shop, monkeypatch):
        def away(*_: object, **__: object) -> None:
            raise RedisError

        monkeypatch.setattr(Pipeline, "execute", away)
        shop.ask("POST", "/events", {}, 422)
        assert "since Redis does not answer" in admin.get(PAGE).text


def test_the_page_takes_the_same_few_queries(app, admin: Person, shop, change, count_queries, clock: Clock):
    def statements() -> int:
        with count_queries() as sent:
            admin.get(PAGE)
        return len(sent)

    before = statements()
    change(**SALES)
    shop.ask("POST", "/events", [event(f"{n}", f"type_{n % 7}", f"{n}") for n in range(50)], 202)
    shop.ask("POST", "/events", [sale("s1"), refund("r1", 10, refund_of="s1"), event("c", "signup", code="no1")], 202)
    arrive(app, clock)
    with app.app_context():
        keys.create("another", Scope, OPERATOR, clock())
        assert len(connection.seen(clock())) == 10
    assert statements() == before


class TestWatching:
    def test_the_figures(self, app, shop, change, clock: Clock):
        change(**SALES, handed_over=True)
        code = shop.ask("PUT", "/members/42", {}, 201)["code"]
        sent = [event("s", "signup", code=code), sale("1"), refund("r", 100), sale("2", who="cy"), event("x", "visit")]
        shop.ask("POST", "/events", sent, 202)
        with app.app_context():
            found = metrics.read(clock())
        assert {key: number for key, number in found.events.items() if number} == {
            ("signup", "accepted"): 1, ("purchase", "accepted"): 1, ("purchase", "kept"): 1,
            ("refund", "accepted"): 1, ("other", "accepted"): 1,
        }  # fmt: skip
        assert found.conversions == 1
        assert {state: number for state, number in found.rewards.items() if number} == {"due": 1}

    @pytest.mark.one_database
    def test_events_that_are_stuck(self, settled: Flask, shop_of, clock: Clock):
        shop, say = shop_of(settled), lambda: examined(settled)["connection"]
        nobodys = [event("s", "signup", code="nobodys1"), sale("1", who="cy")]
        shop.ask("POST", "/events", nobodys, 202)
        assert say()["status"] == "ok"
        clock.advance(days=2)
        says(say(), "1 signups of the last 30 days wait for a member with the code", "hint")
        assert len(say()["remarks"]) == 1  # and not one about those of whom no signup is known
        clock.advance(days=30)
        assert say()["status"] == "ok"

    @pytest.mark.one_database
    def test_a_product_that_fell_silent(self, settled: Flask, shop_of, clock: Clock):
        shop, say = shop_of(settled), lambda: examined(settled)["connection"]
        shop.ask("POST", "/events", [sale(str(number)) for number in range(10)], 202)
        shop.ask("POST", "/events", [event(f"v{number}", "visit") for number in range(9)], 202)
        clock.advance(days=2)
        assert say()["status"] == "ok"
        clock.advance(days=2)
        says(say(), "No event of type purchase came since", "hint")
        assert len(say()["remarks"]) == 1
        with settled.app_context():
            keys.revoke(1, OPERATOR, clock())
        assert say()["status"] == "ok"

    @pytest.mark.one_database
    def test_clicks_of_which_nobody_signs_up(self, settled: Flask, shop_of, clock: Clock):
        shop = shop_of(settled)
        shop.ask("PUT", "/members/42", {}, 201)
        with settled.app_context():
            rules.change({"destination": "https://shop.example.com/"}, clock())
            with transaction() as session:
                day = clock().date()
                session.add(VisitDaily(profile_id=1, day=day, channel=Channel.LINK, visits=50, visitors=9, bots=0))
        says(examined(settled)["connection"], "followed 50 times within 7 days", "hint")
        shop.ask("POST", "/events", event("s", "signup"), 202)
        assert examined(settled)["connection"]["status"] == "ok"
