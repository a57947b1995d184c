"""In whichever order events come in, and however many at once, the end is the same."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from referralhub.database import transaction
from referralhub.models import Conversion, CustomerKind, Event, ExternalMember, Profile, RewardEntry
from referralhub.services.integration import event_customers
from tests.functional.api.telling import balances, event, sale, tell
from tests.people import Records, all_at_once


def test_sales_to_several_friends_of_one_member_at_once_are_all_credited(shop, app, signed_up, ask, records: Records):
    tell(
        shop,
        *[event(f"s{number}", "signup", f"c{number}", code=records.one(Profile, id=1).code) for number in range(8)],
    )
    tell(shop, *[sale(f"first{number}", 100, f"c{number}") for number in range(8)])

    def buy(number: int) -> None:
        client = app.test_client()
        for time in range(3):
            sent = client.post(
                "/api/v1/events", json=sale(f"{number}-{time}", 1000, f"c{number}"), headers=shop.headers
            )
            assert sent.status_code == 202, sent.text

    all_at_once([partial(buy, number) for number in range(8)])
    assert balances(records)[1, "EUR"] == 8 * 10 + 8 * 3 * 100
    assert ask("ledger", "verify")["drifts"] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_is_worked_on_is_waited_for(shop, app, signed_up, clock, records: Records):
    """Else of a signup and a sale at one moment neither would see the other. SQLite has one writer anyhow."""

    def buy() -> int:
        return app.test_client().post("/api/v1/events", json=sale("1"), headers=shop.headers).status_code

    with ThreadPoolExecutor(1) as other:
        with app.app_context(), transaction() as session:
            event_customers.lock(session, {(CustomerKind.PERSON, "bo")}, clock())
            later = other.submit(buy)
            with pytest.raises(NotYet):
                later.result(1)
        assert later.result() == 202
    assert balances(records)[1, "EUR"] == 1000


class Story:
    """What some customers did, under numbers of one beginning, and what became of it without that."""

    def __init__(self, prefix: str, codes: list[str], referrers: set[int], start: datetime) -> None:
        self.prefix, self.codes, self.referrers, self.start = prefix, codes, referrers, start

    def event(self, number: int, kind: str, who: str, hours: float, organization: str = "", **values: Any) -> dict:
        customer = {"external_id": self.prefix + who}
        if organization:
            customer["organization_id"] = self.prefix + organization
        at = (self.start + timedelta(hours=hours)).isoformat()
        refund_of = {"refund_of": f"{self.prefix}{values.pop('of')}"} if "of" in values else {}
        money = {"currency": "EUR"} if "amount" in values else {}
        return (
            {"id": f"{self.prefix}{number}", "type": kind, "customer": customer, "occurred_at": at}
            | money | refund_of | values
        )  # fmt: skip

    def events(self, seed: int) -> list[dict]:
        """Make up what six customers of two organizations did; with one seed it is the same."""
        chance, found = random.Random(seed), []
        for each in range(6):
            who, organization = f"c{each}", ["", "o1", "o2"][each % 3]

            def add(kind: str, at: int, who: str = who, organization: str = organization, **values: Any) -> None:
                found.append(self.event(len(found), kind, who, at, organization, **values))

            if each != 4:
                add("signup", 1, **({"code": self.codes[each % 2]} if each != 5 else {}))
            for _ in range(chance.randrange(1, 5)):
                hours = chance.randrange(2, 90)
                add("purchase", hours, amount=chance.choice([999, 3333, 10_000]), metadata={"plan": "pro"})
                number = len(found) - 1
                if chance.random() < 0.5:
                    add("refund", hours + chance.randrange(-1, 9), of=number, amount=chance.randrange(1, 9999))
                if chance.random() < 0.3:
                    add("refund", hours + chance.randrange(-1, 99), amount=chance.randrange(1, 9999))
            add("purchase", chance.randrange(2, 90), amount=500, metadata={"plan": "free"})
            add("trial.began", 1)
        return found

    def state(self, records: Records) -> dict[str, Any]:
        """Give all that matters, by the numbers without their beginning."""
        mine = {
            each.id: each.own_id.removeprefix(self.prefix)
            for each in records.all(Event)
            if each.own_id.startswith(self.prefix)
        }
        events = {mine[e.id]: (e.state.value, e.reason_code) for e in records.all(Event) if e.id in mine}
        rows = {
            mine[each.event_id]: (
                each.refunded, each.referrer_amount, each.friend_amount, each.reason_code,
            )
            for each in records.all(Conversion)
            if each.event_id in mine
        }  # fmt: skip
        numbers = {each.id: mine.get(each.event_id) for each in records.all(Conversion)}
        sums: dict[Any, int] = defaultdict(int)
        for entry in records.all(RewardEntry):
            number = numbers.get(entry.conversion_id)
            if number is not None:
                sums[number, "referrer" if entry.profile_id in self.referrers else "friend"] += entry.amount
        return {"events": events, "conversions": rows, "sums": {key: sum_ for key, sum_ in sums.items() if sum_}}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("caps", [{}, {"monthly_cap": 2500, "referral_cap": 1800, "earning_events": 3}])
def test_whatever_the_order_and_however_often_the_end_is_the_same(
    shop, program, clock, ask, records: Records, seed: int, caps: dict[str, int]
):
    program(**caps | {"condition": {"plan": "pro"}})
    clock.now = clock.now.replace(day=1, month=5, year=clock.now.year + 1)
    codes = [shop.ask("PUT", f"/members/{name}", {}, 201)["code"] for name in ("r1", "r2", "r3", "r4")]
    start = clock()
    clock.advance(days=20)
    chance = random.Random(seed)
    states = []
    for prefix, pair in (("a-", codes[:2]), ("b-", codes[2:])):
        story = Story(prefix, pair, {1, 2, 3, 4}, start)
        events = story.events(seed)
        if prefix == "b-":
            events += chance.choices(events, k=len(events))
            chance.shuffle(events)
        while events:
            size = chance.choice([1, 1, 2, 7])
            sent, events = events[:size], events[size:]
            shop.ask("POST", "/events", sent, 202)
        states.append(story.state(records))
    assert states[0] == states[1]
    assert ask("ledger", "verify")["drifts"] == []
    assert states[0]["sums"]


def test_many_at_once_are_each_taken_in_once(shop, app, program, code: str, ask, records: Records):
    program()
    tell(shop, event("0", "signup", code=code))
    events = [sale(str(number), 1000 + number, f"c{number % 3}") for number in range(1, 13)]
    events += [event(f"s{number}", "signup", f"c{number}", code=code) for number in range(3)]

    def send(seed: int) -> int:
        client, mixed = app.test_client(), events * 2
        random.Random(seed).shuffle(mixed)
        for start in range(0, len(mixed), 5):
            sent = client.post("/api/v1/events", json=mixed[start : start + 5], headers=shop.headers)
            assert sent.status_code == 202, sent.text
        return 0

    all_at_once([partial(send, seed) for seed in range(6)])
    assert balances(records)[1, "EUR"] == sum((1000 + number) // 10 for number in range(1, 13))
    assert len(records.all(ExternalMember)) == 4
    assert ask("ledger", "verify")["drifts"] == []
