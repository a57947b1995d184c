"""Everything that a product can say and ask by the API: of one member, and of all."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text

from referralhub.extensions import db
from referralhub.models import EventState, ReferralState, RewardState
from referralhub.services.ledger.ranking import Period
from referralhub.services.program.rules import DEFAULT
from tests.functional.api.conftest import Shop
from tests.pages import Visitor
from tests.people import Person, path_of

# Sales are rewarded up to a limit, handed over at once, and made behind links to the product.
SALES: dict[str, Any] = {
    "qualifies_on": "purchase", "unit": "money", "currency": "EUR", "referrer_amount": 0, "referrer_share": 1000,
    "friend_amount": 500, "earning_events": None, "monthly_cap": 100_000, "handed_over": True, "hold_days": 0,
    "destination": "https://shop.example.com/welcome",
}  # fmt: skip
NEAR_THE_END = "1000"  # behind which a list of everybody's goes on
FRIEND = """
SELECT external_id FROM external_member JOIN profile USING (user_id)
WHERE referred_by_id = (SELECT id FROM profile WHERE user_id = :user_id) ORDER BY profile.id LIMIT 1
"""
REWARD = "SELECT max(id) FROM reward WHERE profile_id = (SELECT id FROM profile WHERE user_id = :user_id)"


def speak_of(shop: Shop, member: Person, number: int, sales: int) -> None:
    """Say and ask everything about one member, `number` being the member's own, who is credited for so many sales."""
    who = f"/members/customer-{number}"
    shop.ask("PUT", who, {"name": f"Customer {number}", "metadata": {"plan": "basic"}})
    shop.ask("GET", who)
    for part in ("referrals", "ledger", "claims"):
        turn_pages(shop, f"{who}/{part}")
    give(shop, who, number)
    link = path_of(shop.ask("POST", f"{who}/sign-in-links", expect=201)["url"])
    browser = Visitor(shop.app)
    browser.submit(browser.get(link).form(link))
    shop.ask("GET", f"/codes/{member.code}")
    confirmed = [each for each in shop.ask("GET", f"{who}/referrals")["referrals"] if each["state"] == "confirmed"]
    decide(shop, confirmed[0]["id"], "reverse")
    rules = {name: value for name, value in shop.ask("GET", "/program").items() if name in DEFAULT}
    shop.ask("PATCH", "/program", SALES)
    tell(shop, member, number, sales)
    hand_over(shop, number)
    shop.ask("PATCH", "/program", rules)
    for gone in (f"clicker-{number}", f"typist-{number}"):
        shop.ask("DELETE", f"/members/{gone}", expect=204)


def give(shop: Shop, who: str, number: int) -> None:
    """Give a member points, twice in vain, claim what there is for them, and hand it over."""
    gift = {"amount": 1000, "unit": "points", "reason": "a gift"}
    for _ in range(2):
        shop.ask("POST", f"{who}/adjustments", gift, 201, headers={"Idempotency-Key": f"gift-{number}"})
    for perk in shop.ask("GET", "/perks")["perks"]:
        claim = shop.ask("POST", f"{who}/claims", {"perk_id": perk["id"]}, 201)
    shop.ask("POST", f"/claims/{claim['id']}/fulfilled", headers={"Idempotency-Key": f"handed-{number}"})


def tell(shop: Shop, member: Person, number: int, sales: int) -> None:
    """Tell of a friend who clicked and one who typed a code, of what they and an old friend buy and give back."""
    clicker, typist = {"external_id": f"clicker-{number}"}, {"external_id": f"typist-{number}"}
    browser = {"ip": "198.51.100.7", "user_agent": "Mozilla/5.0 Firefox/140.0"}
    early = sale(f"early-{number}", clicker | {"organization_id": f"firm-of-{number}"})
    assert shop.ask("POST", "/track/sale", early, 202)["results"][0]["status"] == "kept"
    lead = {"id": f"lead-{number}", "click": click_on(member)}
    lead |= {"customer": clicker | browser | {"email": f"clicker-{number}@example.net", "name": "Cy"}}
    for _ in range(2):
        shop.ask("POST", "/track/lead", lead, 202)
    shop.ask(
        "PUT", f"/members/typist-{number}", {"email": f"typist-{number}@example.net", "code": f"typist-{number}"}, 201
    )
    typed = {"id": f"typed-{number}", "type": "signup", "customer": typist | browser, "code": member.code}
    shop.ask("POST", "/events", typed, 202)
    old = _one(shop, FRIEND, number)
    known = [clicker, typist, *([{"external_id": old}] if old else [])]
    many = [sale(f"sale-{number}-{n}", known[n % len(known)]) | {"type": "purchase"} for n in range(sales)]
    shop.ask("POST", "/events", many, 202)
    back = sale(f"back-{number}", clicker) | {"amount": 2450, "refund_of": f"sale-{number}-0"}
    assert shop.ask("POST", "/track/refund", back, 202)["results"][0]["status"] == "accepted"
    assert shop.ask("GET", f"/events/sale-{number}-0")["refunded"] == 2450


def sale(number: str, customer: dict[str, str]) -> dict[str, Any]:
    return {"id": number, "customer": customer, "amount": 4900, "currency": "EUR"}


def click_on(member: Person) -> str:
    """Follow the member's link to the product, and give what it is sent along."""
    page = Visitor(member.post_office.app, REMOTE_ADDR="198.51.100.7").get(path_of(member.link), 302)
    return parse_qs(urlsplit(page.location).query)["rh"][0]


def hand_over(shop: Shop, number: int) -> None:
    """Hand the member's newest reward over, at the second attempt."""
    reward = f"/rewards/{_one(shop, REWARD, number)}"
    shop.ask("GET", reward)
    shop.ask("POST", f"{reward}/failed", {"reason": "the account is closed"})
    shop.ask("POST", f"{reward}/fulfilled", {"reference": "payment 17"})


def decide(shop: Shop, referral_id: int, step: str) -> None:
    shop.ask("GET", f"/referrals/{referral_id}")
    key = {"Idempotency-Key": f"{step}-{referral_id}"}
    shop.ask("POST", f"/referrals/{referral_id}/{step}", {"reason": "looked at"}, headers=key)


def ask_about_all(shop: Shop, other: Shop, now: datetime) -> None:
    """Read every list of everybody's in each way, also as a product that has told nothing for long."""
    lately, long_ago = now - timedelta(days=7), now - timedelta(days=300)
    spans = [{}, {"created_from": lately}, {"created_to": long_ago}]
    spans += [{"created_from": at - timedelta(days=1), "created_to": at} for at in (lately, long_ago)]
    for span in spans:
        for active in ({}, {"active": "true"}, {"active": "false"}):
            turn_pages(shop, "/members", **span, **active)
        for state in ({}, *({"state": each.value} for each in ReferralState)):
            turn_pages(shop, "/referrals", **span, **state)
    for one in (shop, other):
        for type_ in ({}, *({"type": each} for each in ("signup", "purchase", "refund", "trial"))):
            for state in ({}, *({"state": each.value} for each in EventState)):
                turn_pages(one, "/events", **type_, **state)
    for state in ({}, *({"state": each.value} for each in RewardState)):
        turn_pages(shop, "/rewards", **state)
    for each in Period:
        shop.ask("GET", "/leaderboard", query_string={"period": each.value})
    for step in ("confirm", "reject"):
        decide(shop, shop.ask("GET", "/referrals?state=held")["referrals"][0]["id"], step)
    for path in ("/api/", "/api/v1/openapi.json"):
        assert shop.client.get(path).status_code == 200


def turn_pages(shop: Shop, path: str, **query: Any) -> None:
    """Read the first parts of a list, and one near its end."""
    query = {name: each.isoformat() if isinstance(each, datetime) else each for name, each in query.items()}
    for _ in range(3):
        after = shop.ask("GET", path, query_string=query)["next"]
        if after is None:
            return
        query["after"] = after
    shop.ask("GET", path, query_string=query | {"after": NEAR_THE_END})


def _one(shop: Shop, query: str, user_id: int) -> Any:
    with shop.app.app_context():
        return db.session.scalar(text(query), {"user_id": user_id})
