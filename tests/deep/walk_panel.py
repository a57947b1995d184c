"""What an admin sees and does where a product is connected: keys, events, webhooks, rewards, claims."""

from datetime import UTC, datetime, timedelta

from tests.deep.walk import token_of
from tests.people import Person

WEBHOOKS = "/admin/webhooks/"
PAGES = (
    "/admin/connection/", "/admin/api-keys/", WEBHOOKS, f"{WEBHOOKS}1/", f"{WEBHOOKS}deliveries/1000/",
    "/admin/rewards-due/file", "/admin/review/missing/", "/admin/texts/", "/admin/texts/invitation/de/",
    "/admin/brand/",
)  # fmt: skip


def look_after_the_connection(admin: Person) -> None:
    """Open each of these pages, and send their forms."""
    for path in PAGES:
        admin.get(path)
    admin.get(f"{WEBHOOKS}1/?after=2000")
    new = admin.submit(admin.get(WEBHOOKS).form(WEBHOOKS), 200, url="https://shop.example.com/new")
    assert new.one("[data-secret]").text
    one = f"{WEBHOOKS}1/"
    admin.submit(admin.get(one).form(f"{one}test"))
    admin.submit(admin.get(one).form(f"{one}rotate"), 200)
    admin.submit(admin.get(one).form(f"{one}types"), types="perk.claimed")
    until = datetime.now(UTC) - timedelta(days=3)
    span = {"since": f"{until - timedelta(hours=1):%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}
    admin.submit(admin.get(one).form(f"{one}replay"), **span, type="")
    again = f"{WEBHOOKS}deliveries/1000/"
    admin.submit(admin.get(again).form(f"{again}again"))
    admin.submit(admin.get(one).form(f"{one}remove"), sure="y")
    for step in ("failed", "due", "fulfilled"):
        said = {"step": step, "reward": ["1000", "1001"], "reason": "x", "reference": "run 12"}
        admin.post("/admin/rewards-due/decide", token_of(admin) | said, 303)
