"""docs/connect.md: its recipes make events of what payment providers and shops send, and its links lead somewhere."""

import base64
import hmac
import re
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from referralhub.config import PROJECT

TEXT = (PROJECT / "docs/connect.md").read_text()
CODE = "\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page's lines define."""
    names = {"base64": base64, "hmac": hmac, "time": time, "datetime": datetime, "UTC": UTC, "Decimal": Decimal}
    exec(compile(CODE, "docs/connect.md", "exec"), names)
    return names


def customer(number: str, **more: str) -> dict[str, str]:
    return {"external_id": number, **more}


def test_stripe_two_partial_refunds_of_one_payment(page):
    payment = {
        "id": "pi_1",
        "customer": "cus_1",
        "amount_received": 4900,
        "currency": "eur",
        "metadata": {"rh": "CLICK"},
    }
    sold = {"id": "evt_1", "type": "payment_intent.succeeded", "created": 1767225600, "data": {"object": payment}}
    signup, purchase = page["stripe"](sold)
    assert (signup["click"], signup["customer"]) == ("CLICK", customer("cus_1"))
    about = {
        "id": "pi_1",
        "type": "purchase",
        "customer": customer("cus_1"),
        "occurred_at": "2026-01-01T00:00:00+00:00",
    }
    assert purchase == about | {"amount": 4900, "currency": "EUR"}
    amounts = []
    for number, (before, after) in enumerate([(0, 900), (900, 4900)], start=2):
        charge = {
            "id": "ch_1",
            "payment_intent": "pi_1",
            "customer": "cus_1",
            "amount_refunded": after,
            "currency": "eur",
        }
        data = {"object": charge, "previous_attributes": {"amount_refunded": before}}
        (refund,) = page["stripe"](
            {"id": f"evt_{number}", "type": "charge.refunded", "created": 1767225601, "data": data}
        )
        assert (refund["id"], refund["type"], refund["refund_of"]) == (f"evt_{number}", "refund", "pi_1")
        amounts.append(refund["amount"])
    assert amounts == [900, 4000]


def test_shopify_an_order_by_a_link_of_which_a_part_is_refunded(page):
    order = {
        "id": 9,
        "customer": {"id": 7, "email": "bo@example.com"},
        "note_attributes": [{"name": "rh", "value": "CLICK"}],
        "total_price": "49.00",
        "currency": "EUR",
        "created_at": "2026-01-01T01:00:00+01:00",
        "processed_at": "2026-01-01T01:00:01+01:00",
        "refunds": [],
    }
    signup, purchase = page["shopify"]("orders/paid", order)
    assert (signup["type"], signup["click"], signup["customer"]) == (
        "signup",
        "CLICK",
        customer("7", email="bo@example.com"),
    )
    assert (purchase["id"], purchase["amount"], purchase["customer"]) == ("9", 4900, customer("7"))
    paid_back = {"id": 5, "kind": "refund", "status": "success", "amount": "12.34", "currency": "EUR"}
    failed = paid_back | {"id": 6, "status": "failure"}
    order["refunds"] = [{"id": 4, "created_at": "2026-01-02T00:00:00Z", "transactions": [paid_back, failed]}]
    (refund,) = page["shopify"]("orders/updated", order)
    assert (refund["id"], refund["refund_of"], refund["amount"]) == ("5", "9", 1234)


@pytest.mark.parametrize(("number", "known_as"), [(7, "7"), (0, "bo@example.com")])
def test_woocommerce_customers_and_guests(page, number: int, known_as: str):
    order = {
        "id": 9,
        "customer_id": number,
        "billing": {"email": "Bo@example.com"},
        "meta_data": [{"key": "rh", "value": "CLICK"}],
        "total": "1200",
        "currency": "JPY",
        "date_created_gmt": "2026-01-01T00:00:00",
        "date_paid_gmt": None,
        "refunds": [],
    }
    assert list(page["woocommerce"](order)) == []  # not paid yet
    order |= {"date_paid_gmt": "2026-01-01T00:00:05", "refunds": [{"id": 3, "reason": "", "total": "-200"}]}
    signup, purchase, refund = page["woocommerce"](order)
    assert {each["customer"]["external_id"] for each in (signup, purchase, refund)} == {known_as}
    assert (purchase["amount"], purchase["occurred_at"]) == (1200, "2026-01-01T00:00:05Z")
    assert (refund["refund_of"], refund["amount"]) == (purchase["id"], 200)


def test_paddle_a_refund_counts_once_it_is_approved(page):
    sold = {
        "id": "txn_1",
        "customer_id": "ctm_1",
        "currency_code": "USD",
        "custom_data": {"rh": "CLICK"},
        "created_at": "2026-01-01T00:00:00Z",
        "details": {"totals": {"grand_total": "4900"}},
    }
    message = {"event_type": "transaction.completed", "occurred_at": "2026-01-01T00:00:09Z", "data": sold}
    signup, purchase = page["paddle"](message)
    assert (signup["click"], purchase["id"], purchase["amount"]) == ("CLICK", "txn_1", 4900)
    back = {
        "id": "adj_1",
        "action": "refund",
        "status": "pending_approval",
        "transaction_id": "txn_1",
        "customer_id": "ctm_1",
        "currency_code": "USD",
        "totals": {"total": "900"},
    }
    assert list(page["paddle"](message | {"event_type": "adjustment.created", "data": back})) == []
    (refund,) = page["paddle"](message | {"event_type": "adjustment.updated", "data": back | {"status": "approved"}})
    assert (refund["id"], refund["refund_of"], refund["amount"]) == ("adj_1", "txn_1", 900)


def test_a_signature_of_ours_is_known_and_an_old_or_a_changed_one_is_not(page):
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()

    def signed(body: bytes, at: float) -> dict[str, str]:
        text = f"msg_1.{int(at)}.".encode() + body
        mine = base64.b64encode(hmac.digest(b"k" * 32, text, "sha256")).decode()
        return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": f"v1,other v1,{mine}"}

    now = time.time()
    assert page["is_ours"](signed(b"{}", now), b"{}", secret)
    assert not page["is_ours"](signed(b"{}", now), b"{ }", secret)
    assert not page["is_ours"](signed(b"{}", now - 400), b"{}", secret)


def test_its_links_lead_somewhere():
    files = re.findall(r"\]\((\.\.?/[^)#]+)", TEXT)
    assert [name for name in files if not (PROJECT / "docs" / name).exists()] == []
    headings = {
        re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings


def test_the_shop_is_connected_in_under_60_lines():
    lines = (PROJECT / "examples/shop/referrals.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) < 60
