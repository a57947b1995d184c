"""Friends as the fraud rules meet them: the form they fill in, and what the rules made of it."""

from typing import Any

from referralhub.models import ReferralEvent
from tests.people import Clock, Person, Records

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Safari/604.1"


def join(friend: Person, link: str, clock: Clock, seconds: int = 40, **values: str) -> None:
    """Follow a link, fill in the form in this time, and confirm the address."""
    form = friend.click(link).form("/signup")
    clock.advance(seconds=seconds)
    details = {"username": friend.username, "email": friend.email, "password": friend.password}
    friend.submit(form, **(details | {"password_confirm": friend.password} | values))
    friend.confirm_address()


def verdict(records: Records) -> dict[str, Any]:
    return records.all(ReferralEvent)[-1].evidence["assessment"]
