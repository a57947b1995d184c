"""What a shop says of its customers, and what comes of it."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from referralhub.models import RewardEntry
from tests.people import Clock, Records

PURCHASES: dict[str, Any] = {
    "qualifies_on": "purchase", "unit": "money", "currency": "EUR", "referrer_amount": 0, "referrer_share": 1000,
    "friend_amount": 500, "earning_events": None,
}  # fmt: skip


def event(number: str, kind: str, who: str = "bo", **values: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "customer": {"external_id": who}} | values


def sale(number: str, amount: int = 10_000, who: str = "bo", **values: Any) -> dict[str, Any]:
    return event(number, "purchase", who, **({"amount": amount, "currency": "EUR"} | values))


def refund(number: str, amount: int, who: str = "bo", **values: Any) -> dict[str, Any]:
    return event(number, "refund", who, amount=amount, currency="EUR", **values)


def tell(shop, *events: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Send events, and give what became of each."""
    body = events[0] if len(events) == 1 else list(events)
    found = shop.ask("POST", "/events", body, 202)["results"]
    assert [each["id"] for each in found] == [each["id"] for each in events]
    return [(each["status"], each.get("reason")) for each in found]


def why(shop, number: str) -> tuple[str, str | None]:
    found = shop.ask("GET", f"/events/{number}")
    return found["state"], found["reason"]


def ledger(records: Records) -> list[tuple[int, str, int, str]]:
    return [(each.profile_id, each.kind.value, each.amount, each.unit) for each in records.all(RewardEntry)]


def balances(records: Records) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = defaultdict(int)
    for profile_id, _, amount, unit in ledger(records):
        found[profile_id, unit] += amount
    return dict(found)


def iso(clock: Clock, **ago: float) -> str:
    return (clock() - timedelta(**ago)).isoformat()
