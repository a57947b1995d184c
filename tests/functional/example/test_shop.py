"""The example shop and ReferralHub in one process: what one sends, the other takes. As processes: tests/deep."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from examples.shop import app as shops
from examples.shop import database, referrals
from examples.shop.database import CUSTOMER, OWNER, PASSWORD
from examples.start import RULES
from referralhub.models import Scope, Unit
from referralhub.services.integration import keys
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import endpoints
from referralhub.services.webhooks.delivery import Answer, Delivery
from tests.conftest import SECRET_KEY
from tests.people import Clock
from tests.shops import BROWSER

ADA, BO = 2, 3  # the shop's numbers of its customers


@pytest.fixture
def secrets(app: Flask, clock: Clock) -> dict[str, str]:
    """What ReferralHub gives to the shop, after it was told of it."""
    with app.app_context():
        rules.change(RULES | {"unit": Unit.MONEY, "destination": "http://shop.test/"}, clock())
        key = keys.create("shop", [*Scope], OPERATOR, clock())[1]
        address = "https://shop.test/webhooks/referrals"
        secret = endpoints.add(address, [], OPERATOR, clock(), secret_key=SECRET_KEY, private=False)[1]
    return {"REFERRALHUB_KEY": key, "REFERRALHUB_SECRET": secret, "REFERRALHUB_URL": "http://localhost"}


@pytest.fixture
def shop(app: Flask, secrets: dict[str, str], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The shop, which asks the application of the test, and whose time is that of the test."""
    hub = app.test_client()

    def ask(method: str, url: str, json: object, headers: dict[str, str], timeout: int) -> requests.Response:
        sent = {} if json is None else {"json": json}
        given = hub.open(urlsplit(url).path, method=method, headers=headers, **sent)
        answer = requests.Response()
        answer.status_code, answer._content, answer.url = given.status_code, given.get_data(), url
        return answer

    told = {"time": lambda: clock().timestamp(), "gmtime": lambda: clock().utctimetuple(), "strftime": time.strftime}
    monkeypatch.setattr(referrals, "time", SimpleNamespace(**told))
    monkeypatch.setattr(requests, "request", ask)
    shop = shops.create_app(secrets | {"SECRET_KEY": "s", "SHOP_DATABASE": str(tmp_path / "shop.sqlite3")})
    shop.config["WTF_CSRF_ENABLED"] = False
    return shop


@pytest.fixture
def work(app: Flask, shop: Flask, clock: Clock) -> Callable[[], None]:
    """Let the shop send what waits there, and ReferralHub send what it has to tell of it, until there is no more."""

    def post(url: str, headers: dict[str, str], body: bytes) -> Answer:
        path, kind = urlsplit(url).path, "application/json"
        answer = shop.test_client().post(path, headers=headers, data=body, content_type=kind)
        return Answer(answer.status_code, answer.text)

    delivery = Delivery(post, clock, SECRET_KEY, hurry=5)

    def do() -> None:
        with shop.app_context():
            referrals.send(database.connection())
        with app.app_context():
            while delivery.run():
                pass

    return do


def signed_in(shop: Flask, email: str) -> FlaskClient:
    browser = shop.test_client()
    assert browser.post("/login", data={"email": email, "password": PASSWORD}).location == "/orders"
    return browser


def signed_up(shop: Flask, *, at: str = "/") -> FlaskClient:
    browser = shop.test_client()
    browser.get(at)
    browser.post("/signup", data={"name": "Bo", "email": "bo@example.com", "password": PASSWORD})
    return browser


def credits_in(shop: Flask) -> dict[int, int]:
    with shop.app_context():
        rows = database.rows("SELECT customer_id, sum(amount) AS cents FROM credit GROUP BY customer_id")
        return {row["customer_id"]: row["cents"] for row in rows}


def reasons_in(shop: Flask) -> list[tuple[str, str | None]]:
    with shop.app_context():
        return [(row["status"], row["reason"]) for row in database.rows("SELECT * FROM outbox ORDER BY id")]


@pytest.fixture
def link(app: Flask, shop: Flask) -> str:
    """The path of Ada's link, which she sees at ReferralHub."""
    led_to = signed_in(shop, CUSTOMER).post("/referrals").location
    assert "/sign-in/" in led_to
    with shop.app_context():
        return urlsplit(referrals.call("GET", f"/members/{ADA}").json()["link"]).path


@pytest.fixture
def buy(app: Flask, shop: Flask, link: str) -> Callable[[], None]:
    """Let Bo come by Ada's link, and buy a teapot."""

    def do() -> None:
        click = app.test_client().get(link, headers=BROWSER).location
        bo = signed_up(shop, at=click.removeprefix("http://shop.test"))
        assert bo.post("/checkout/teapot").location == "/orders"

    return do


def newest(shop: Flask, customer: int) -> tuple[str, int, int]:
    """Return the last line of a customer's ledger at ReferralHub."""
    with shop.app_context():
        entry = referrals.call("GET", f"/members/{customer}/ledger").json()["entries"][0]
    return entry["kind"], entry["amount"], entry["balance"]


def test_a_friend_by_a_link_brings_credit_and_a_refund_takes_none_of_it_back(shop, work, buy):
    buy()
    work()
    assert credits_in(shop) == {ADA: 490, BO: 500}
    signed_in(shop, OWNER).post("/office/orders/1/refund", data={"amount": "24.50"})
    work()
    assert reasons_in(shop) == [("accepted", None)] * 3
    assert newest(shop, ADA) == ("refund", -245, -245)
    assert newest(shop, BO) == ("refund", -250, -250)
    assert credits_in(shop) == {ADA: 490, BO: 500}


def test_a_reward_is_given_once_though_the_first_word_of_it_is_lost(shop, work, buy, clock, monkeypatch):
    ask, lost = requests.request, set()

    def losing(method: str, url: str, **options: object) -> requests.Response:
        if url.endswith("/fulfilled") and url not in lost:
            lost.add(url)
            raise requests.ConnectionError
        return ask(method, url, **options)

    monkeypatch.setattr(requests, "request", losing)
    buy()
    work()
    assert credits_in(shop) == {ADA: 490, BO: 500}
    assert newest(shop, ADA) == ("referrer", 490, 490)
    clock.advance(minutes=1)  # the message was not answered well, and comes again
    work()
    assert newest(shop, ADA) == ("payout", -490, 0)
    assert credits_in(shop) == {ADA: 490, BO: 500}


def test_a_code_at_the_checkout_counts_for_who_came_by_no_link(shop, work, link):
    code, bo = link.strip("/"), signed_up(shop)
    assert "Ada invited you: 5.00 €" in bo.get(f"/checkout/oolong?code={code}").text
    assert "Nobody has this code" in bo.get("/checkout/oolong?code=nobodys1").text
    bo.post("/checkout/oolong", data={"code": code})
    work()
    assert reasons_in(shop) == [("accepted", "not_referred"), ("accepted", None), ("accepted", None)]
    assert credits_in(shop) == {ADA: 180, BO: 500}


def test_what_waits_is_sent_when_there_is_an_answer_again(shop, work, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise requests.ConnectionError

    with monkeypatch.context() as hung_up:
        hung_up.setattr(requests, "request", away)
        signed_up(shop).post("/checkout/sencha")
        with pytest.raises(requests.ConnectionError):
            work()
    assert reasons_in(shop) == [(None, None)] * 2
    work()
    assert reasons_in(shop) == [("accepted", "not_referred")] * 2


def test_nobody_else_is_believed(shop):
    headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,made-up"}
    assert (
        shop.test_client().post("/webhooks/referrals", json={"type": "reward.due"}, headers=headers).status_code == 401
    )
