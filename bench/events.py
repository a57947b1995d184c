"""Events: a shop's sales as they come and in batches, of customers who came by members' codes."""

import json
import sys
from itertools import count
from time import perf_counter

from bench.browser import post_json
from bench.load import Ask, Load, Sample, Script, paced
from bench.servers import run_for_json
from bench.sides import Side
from referralhub import create_app
from referralhub.models import Scope
from referralhub.services.integration import events, keys, members
from referralhub.services.integration.members import Given
from referralhub.services.integration.told import Customer, Told
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR

CUSTOMERS, REFERRERS = 500, 50
BATCH = 100  # events in one call
AT_ONCE = 4  # calls with batches
RATE, SHOPS = 50, 8  # sales a second, each told at once, over so many connections
WARM, SECONDS = 3.0, 10.0
SINGLE, BATCHES = f"single, {RATE} a second", f"in batches of {BATCH}"
RULES = {
    "qualifies_on": "purchase", "unit": "money", "currency": "EUR", "referrer_amount": 0, "referrer_share": 1000,
    "friend_amount": 500, "earning_events": None,
}  # fmt: skip
numbers = count(1)  # of sales: each is another one


def measure(side: Side, seconds: float = SECONDS) -> dict[str, Sample]:
    """Let a product tell of its sales: as fast as they are taken in, by the hundred; then one by one at a fixed rate.

    A sample of batches counts events, not calls.
    """
    key = run_for_json(side.environment, "bench.events")["key"]
    for length in (WARM, seconds):
        several = [_sales(key, BATCH, number * BATCH) for number in range(AT_ONCE)]
        batches = Load(side.server.port, several).run(length)[""]
    batches.latencies *= BATCH
    begin, every = perf_counter() + 0.1, SHOPS / RATE
    scripts = [
        paced(_sales(key, 1, number * CUSTOMERS // SHOPS), begin + number / RATE, every) for number in range(SHOPS)
    ]
    return {BATCHES: batches, SINGLE: Load(side.server.port, scripts).run(seconds, begin)[""]}


def _sales(key: str, number: int, start: int) -> Script:
    """Sell to all customers in turn, from the `start`-th on, to so many in each call."""
    for first in count(start, number):
        some = [_sale(place) for place in range(first, first + number)]
        yield Ask(post_json("/api/v1/events", some if number > 1 else some[0], f"Authorization: Bearer {key}"), (202,))


def _sale(place: int) -> dict[str, object]:
    who = {"external_id": f"customer{place * 7 % CUSTOMERS}"}
    return {"id": f"sale{next(numbers)}", "type": "purchase", "customer": who, "amount": 4_900, "currency": "EUR"}


def main() -> None:
    """Reward sales from now on, let customers have come by members' codes, and print a key."""
    app = create_app()
    with app.app_context():
        now = app.config["CLOCK"]()
        rules.change(RULES, now)
        _, secret = keys.create("bench", [Scope.EVENTS], OPERATOR, now)
        codes = [members.put(f"referrer{each}", Given(), OPERATOR, now)[0].code for each in range(REFERRERS)]
        for each in range(CUSTOMERS):
            told = Told(f"signup{each}", "signup", Customer(f"customer{each}"), code=codes[each % REFERRERS])
            # Who buys for the first time is judged: that is done once for each, and costs as much as ten more sales.
            bought = Told(f"first{each}", "purchase", Customer(f"customer{each}"), amount=4_900, currency="EUR")
            events.receive([told, bought], "default", OPERATOR, now)
    sys.stdout.write(json.dumps({"key": secret}))


if __name__ == "__main__":
    main()
