"""In the made-up language the panel has no English left: whatever admins read there is data, or can be translated."""

import calendar
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.extensions import db
from referralhub.languages import LANGUAGES
from referralhub.models import (
    Appeal,
    AuditLine,
    Channel,
    ClaimState,
    Coupon,
    ExternalMember,
    Invitation,
    InvitationState,
    MessageKind,
    OutboxMessage,
    Perk,
    Profile,
    Program,
    Reason,
    Referral,
    ReferralClaim,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    Role,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookOff,
)
from referralhub.pseudo import PADDING, pseudo
from referralhub.services.accounts import administration
from referralhub.services.integration import members as outside_members
from referralhub.services.perks import catalogue, claims
from referralhub.services.program.rules import PRESETS
from referralhub.services.recourse import appeals, decisions
from referralhub.services.referrals import customers
from referralhub.services.shared import audit, currencies
from referralhub.services.shared.audit import OPERATOR, SYSTEM, Actor
from referralhub.services.webhooks import endpoints
from referralhub.words.amounts import unit_name
from referralhub.words.letter_texts import LETTERS
from tests.factories import befriend, members
from tests.pages import Element, Page
from tests.people import Person, user_named

pytestmark = pytest.mark.one_database

WORD = re.compile(r"[\w.@-]*[A-Za-z]{3,}[\w.@-]*")
SHOWN = ("aria-label", "title", "placeholder", "alt")
LISTS = ("members", "referrals", "rewards", "perks", "claims", "invitations", "mail", "audit")
# The same in every language: our name, names of things, what one types, the site, and the end of a masked address.
NAMES = (
    "ReferralHub English Deutsch CSV UTF-8 UTC flask customers import email customer_since http://localhost .com "
    "shop.example.com state reference reason fulfilled failed"
)
# Columns with what people and machines wrote, which nobody translates.
DATA = (
    User.username, User.email, Profile.code, Perk.name, Perk.description, Coupon.code, Invitation.address,
    OutboxMessage.address, OutboxMessage.last_error, Profile.greeting, RewardEntry.note, AuditLine.action,
    AuditLine.reason, AuditLine.digest, Program.name, ReferralClaim.words, ReferralClaim.reason, Appeal.words,
    ExternalMember.external_id,
)  # fmt: skip


def words(texts: Iterable[str]) -> set[str]:
    return {word.strip(".-") for text in texts for word in WORD.findall(text)}


def is_of_its_own(element: Element) -> bool:
    """Whether it says that it is in another language than the page, or in none."""
    return element.tag != "html" and bool({"lang", "translate"} & element.attributes.keys())


def texts_of(element: Element) -> Iterator[str]:
    """Yield all that can be read in an element, or heard, but for what says that it is in a language of its own."""
    yield from (element.attributes[name] for name in SHOWN if name in element.attributes)
    for child in element.children:
        if isinstance(child, str):
            yield child
        elif child.tag not in ("script", "style") and not is_of_its_own(child):
            yield from texts_of(child)


def is_on_page(page: Page, text: str) -> bool:
    return pseudo(text).rstrip(PADDING).strip() in page.text


@pytest.fixture
def panel(run, app: Flask, post_office, bob: Person, clock) -> Person:
    """The admin of the demo, whose browser asks for the made-up language, after a busy time."""
    run("seed", "demo")
    befriend(app, DEMO_MEMBER, 1, clock(), ReferralState.REJECTED)
    members(app, ["dora", "eve", "finn", "gus"], clock())
    with app.app_context():
        _be_busy(clock)
        link = f"/{user_named(DEMO_MEMBER).profile.code}/"
    bob.click(link)
    bob.follow(bob.fill_in_signup(topic="https://example.com"))  # which people do not see
    bob.confirm_address()
    admin = Person(app, post_office, DEMO_ADMIN, HTTP_ACCEPT_LANGUAGE="en-XA")
    admin.password = DEMO_PASSWORD
    admin.sign_in()
    return admin


def _be_busy(clock) -> None:
    """Write rows of every kind that a list shows, and a line of the audit log for every action."""
    now, admin, mira = clock(), user_named(DEMO_ADMIN), user_named(DEMO_MEMBER)
    mug = catalogue.add("Mug", "For coffee.", now, price=10, stock=5)
    catalogue.add("Sticker", "", now, unlocked_at=1)
    code = catalogue.add("Voucher", "", now, price=5, coupons=["AAA-111", "BBB-222"])
    catalogue.add("Poster", "", now, price=2000, unit="USD")
    for number, perk in enumerate((mug, mug, code)):
        claims.redeem(mira.profile.id, perk, f"key-{number}", now)
    actor = Actor(Role.ADMIN, admin.id)
    claims.fulfil(4, actor, now)  # three are those of the demo
    administration.adjust(mira.id, 70, "USD", "a gift", "key-4", OPERATOR, now)
    customers.load(customers.read(["email,customer_since\n", "kim@example.com,2026-01-31\n"], now.date()), actor, now)
    for state in InvitationState:
        values = {"address": f"{state.value}@example.com", "address_hash": state.value, "words": ""}
        db.session.add(Invitation(profile_id=mira.profile.id, state=state, created=now, changed=now, **values))
    _complain(mira, actor, now)
    states = ({"next_try_at": now}, {"delivered_at": now}, {"attempts": 9, "last_error": "550 <no>"}, {})
    for number, kind in enumerate(MessageKind):
        values = {"attempts": 1, "address": None} | states[number % len(states)]
        db.session.add(OutboxMessage(key=kind.value, user_id=mira.id, kind=kind, payload={}, created=now, **values))
    _tell(actor, now)
    values = {"mailed": True, "two_factor": False, "identity": True, "referrer": None, "handed_over": True}
    audit.record(db.session(), SYSTEM, "member.made_up", "member", mira.id, {}, values, now)
    db.session.commit()


def _tell(actor: Actor, now: datetime) -> None:
    """Let a shop be told of something, which arrived, was given up and waits; and others be switched off."""
    options = {"secret_key": "a secret for tests alone", "private": False}
    for number, why in enumerate((None, *WebhookOff, None), 1):
        made, _secret = endpoints.add(f"https://shop.example.com/{number}", (), actor, now, **options)
        made.is_active, made.off_because, made.failing_since = why is None, why, now if number > 1 else None
    db.session.commit()
    for number in range(3):
        outside_members.put(f"number-{number}", outside_members.Given(), actor, now)
    mine = db.session.scalars(db.select(WebhookDelivery).filter_by(endpoint_id=1).order_by(WebhookDelivery.id)).all()
    mine[0].delivered_at, mine[0].next_try_at, mine[1].next_try_at = now, None, None
    for delivery, status in zip(mine, (200, None), strict=False):
        values = {"status": status, "milliseconds": 12, "said": "", "at": now}
        db.session.add(WebhookAttempt(delivery_id=delivery.id, **values))
    db.session.commit()


def _complain(mira: User, actor: Actor, now: datetime) -> None:
    """Let a member miss friends, as far as that can come, and appeal; two claims and the appeal wait."""
    newest = db.session.scalars(db.select(Profile.id).order_by(Profile.id.desc()).limit(4)).all()
    for number, state in enumerate((*ClaimState, ClaimState.AGREED)):
        friend = None if state in (ClaimState.ASKED, ClaimState.EXPIRED) else newest[number % 4]
        day = now.date() - timedelta(days=number)
        values = {"channel": Channel.QR, "words": "We met.", "reason": "", "changed": now, "created": now}
        claim = ReferralClaim(claimant_id=mira.profile.id, friend_id=friend, joined_on=day, state=state, **values)
        db.session.add(claim)
    db.session.commit()
    waiting = db.session.scalars(db.select(ReferralClaim.id).filter_by(state=ClaimState.AGREED)).all()
    decisions.reject(waiting[0], Reason.stated("spam"), actor, now)
    rejected = db.session.scalars(db.select(Referral).filter_by(state=ReferralState.REJECTED)).first()
    appeals.file(rejected.id, rejected.referrer_id, "We met.", now)


@pytest.fixture
def left(app: Flask, panel: Person):
    """Give the English words on a page that are no data."""
    tiers = [str(tier["name"]) for rules in PRESETS.values() for tier in rules["tiers"]]
    known = words(
        [
            NAMES,
            *PRESETS,
            *tiers,
            *(f"{code} {unit_name(code)}" for code in currencies.codes()),
            *calendar.month_name,
            *calendar.month_abbr,
        ]
    )

    def find(page: Page) -> set[str]:
        with app.app_context():
            data = [text for column in DATA for text in db.session.scalars(db.select(column).distinct()) if text]
            stated = [event.reason_values.get("text", "") for event in db.session.scalars(db.select(ReferralEvent))]
        return words(texts_of(page.root)) - known - words([*data, *stated])

    return find


def paths(app: Flask) -> Iterator[str]:
    """Yield the address of every page of the panel, for each row that has one, and each list turned and narrowed."""
    site = app.url_map.bind("localhost")
    with app.app_context():
        models = {"members": User, "referrals": Referral, "perks": Perk}
        ids = {f"admin_{name}.show": list(db.session.scalars(db.select(model.id))) for name, model in models.items()}
        others = {"admin_review.claim": ReferralClaim, "admin_webhooks.show": WebhookEndpoint}
        for name, model in (others | {"admin_webhooks.delivery": WebhookDelivery}).items():
            ids[name] = list(db.session.scalars(db.select(model.id)))
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin/") and "GET" in rule.methods and not rule.rule.endswith(".csv"):
            if "row_id" in rule.arguments:
                yield from (site.build(rule.endpoint, {"row_id": row}) for row in ids[rule.endpoint])
            elif not rule.arguments:
                yield site.build(rule.endpoint)
    yield from (f"/admin/texts/{name}/{language}/" for name in LETTERS for language in LANGUAGES)
    yield from (f"/admin/{name}/?{asked}" for name in LISTS for asked in ("search=nothing-like-it", "sort=0&desc=1"))
    yield from (f"/admin/program/edit?preset={name}" for name in PRESETS)
    yield from (
        "/admin/?from=2026-01-01&to=2020-01-01",
        "/admin/?from=2015-01-01&to=2015-03-01",
        "/admin/members/?page=1",
    )


def test_every_page(app: Flask, panel: Person, left):
    found = {path: left(panel.get(path)) for path in paths(app)}
    assert len(found) > 80
    assert {path: some for path, some in found.items() if some} == {}


REFUSED = (  # forms of which everything is refused
    ("/admin/members/3/", "/admin/members/3/adjust", {"adjust-amount": "many", "adjust-reason": ""}),
    ("/admin/members/3/", "/admin/members/3/referrer", {"correct-code": "", "correct-reason": ""}),
    ("/admin/members/3/", "/admin/members/3/active", {"active-reason": "x" * 201}),
    ("/admin/perks/new", "/admin/perks/new", {}),
    ("/admin/perks/new", "/admin/perks/new", {"name": "x", "price": "1", "unlocked_at": "1", "stock": "-1"}),
    ("/admin/perks/4/", "/admin/perks/4/stock", {"pieces": ""}),
    ("/admin/perks/6/", "/admin/perks/6/coupons", {"coupons": " "}),
    ("/admin/customers/", "/admin/customers/", {}),
    ("/admin/program/edit", "/admin/program/preview", {"name": "", "tiers": "x"}),
    ("/admin/", "/admin/costs", {"paid_customer_cost": "x", "thousand_units_cost": "1.5"}),
    ("/admin/review/", "/admin/review/", {"reason": ""}),
    ("/admin/texts/invitation/de/", "/admin/texts/invitation/de/", {"subject": "", "body": "{"}),
    ("/admin/texts/share/en/", "/admin/texts/share/en/", {"subject": "\x07", "body": "x" * 1001}),
    ("/admin/review/", "/admin/review/", {"reason": "none is ticked"}),
    ("/admin/webhooks/", "/admin/webhooks/", {"url": ""}),
    ("/admin/webhooks/", "/admin/webhooks/", {"url": "https://localhost/"}),
    ("/admin/webhooks/1/", "/admin/webhooks/1/remove", {}),
    ("/admin/webhooks/1/", "/admin/webhooks/1/replay", {"since": "", "until": "soon"}),
)  # fmt: skip


def test_what_forms_say_is_wrong(panel: Person, left):
    for path, action, values in REFUSED:
        form = panel.get(path).form(action)
        chosen = {each["name"]: each.all("option")[0]["value"] for each in form.all("select")}
        page = panel.submit(form, 422, **(chosen | values))
        assert page.all(".notice"), path
        assert left(page) == set(), path


def test_wrong_lines_of_a_list_of_customers(panel: Person, left):
    form = panel.get("/admin/customers/").form("/admin/customers/")
    for text in (b"email,customer_since\nno address,2026-01-31\nbo@example.com,soon\n", b"email\n"):
        values = {"csrf_token": form.one('[name="csrf_token"]')["value"], "file": (io.BytesIO(text), "list.csv")}
        assert left(panel.post("/admin/customers/", values, 422)) == set()
    values["file"] = (io.BytesIO(b"email,customer_since\nbo@example.com,2026-01-31\n"), "list.csv")
    page = panel.post("/admin/customers/", values | {"check": "yes"}, 200)
    assert is_on_page(page, "Nothing was changed. Loading this list would give: ")
    assert left(page) == set()


def test_looking_at_a_change_of_the_rules(panel: Person, left):
    changed = {
        "name": "Ours", "unit": "megabytes", "currency": "USD", "referrer_amount": "500",
        "friend_amount": "0", "member_cap": "16,000",
        "hold_days": "14", "window_days": "1", "touch": "first", "tiers": "0 Bronze", "milestones": "5 = 10\n7",
        "destination": "", "friend_coupon": "", "qualifies_on": "purchase", "least_amount": "20",
        "condition": "plan = pro", "friend_share": "10", "earning_events": "3", "earning_months": "1",
        "handed_over": "y",
    }  # fmt: skip
    page = panel.submit(panel.get("/admin/program/edit").form("/admin/program/preview"), 200, **changed)
    assert is_on_page(page, "Look before you change the rules")
    assert left(page) == {"Ours", "purchase", "plan", "pro"}
    panel.submit(page.form("/admin/program/"))
    assert left(panel.get("/admin/program/")) == {"purchase", "plan", "pro"}
    assert left(panel.get("/admin/audit/")) == {"confirmed_address", "purchase", "plan", "pro"}


def test_notices(panel: Person, left, records):
    """What the panel says when something was done; by the number of the notice on the page that follows."""
    held = next(each.id for each in records.all(Referral) if each.state == "held")
    agreed = next(each.id for each in records.all(ReferralClaim) if each.state == "agreed")
    token = panel.get("/admin/").all('[name="csrf_token"]')[0]["value"]
    key = "a-key-of-this-form"
    adjusted = {"amount": "5", "unit": "points", "reason": "spam", "key": key}
    for path, values in (
        ("/admin/members/3/active", {"active-reason": "spam"}),
        ("/admin/members/3/active/again", {"active-reason": "not spam"}),
        ("/admin/members/3/verification", {}),
        ("/admin/members/3/adjust", {f"adjust-{name}": each for name, each in adjusted.items()}),
        ("/admin/perks/4/stock", {"pieces": "3", "key": key}),
        ("/admin/perks/4/stock", {"pieces": "3", "key": key}),
        ("/admin/perks/6/coupons", {"coupons": "CCC-333", "key": key}),
        ("/admin/perks/4/off", {}),
        ("/admin/perks/4/on", {}),
        ("/admin/claims/5/fulfil", {}),
        ("/admin/mail/again", {}),
        ("/admin/mail/again", {}),
        ("/admin/texts/share/en/", {"subject": "spam", "body": "spam"}),
        ("/admin/texts/share/en/", {"subject": "spam", "body": "spam"}),
        ("/admin/texts/share/en/original", {}),
        ("/admin/texts/share/en/original", {}),
        ("/admin/costs", {"paid_customer_cost": "40"}),
        ("/admin/review/", {"case": str(held), "step": "confirm", "reason": "spam"}),
        ("/admin/review/", {"case": str(held), "step": "confirm", "reason": "spam"}),
        (f"/admin/referrals/{held}/reverse", {"reason": "spam"}),
        (f"/admin/review/missing/{agreed}/confirm", {"reason": "spam"}),
        (f"/admin/review/missing/{agreed}/confirm", {"reason": "spam"}),
        ("/admin/webhooks/", {"url": "https://shop.example.com/1"}),
        ("/admin/webhooks/1/test", {"key": key}),
        ("/admin/webhooks/2/test", {"key": key}),
        ("/admin/webhooks/1/types", {"types": "reward.due"}),
        ("/admin/webhooks/1/types", {"types": "reward.due"}),
        ("/admin/webhooks/2/on", {}),
        ("/admin/webhooks/2/on", {}),
        ("/admin/webhooks/1/replay", {"since": "2020-01-01T00:00", "until": "2020-01-02T00:00", "type": ""}),
        ("/admin/webhooks/1/replay", {"since": "2020-01-01T00:00", "until": "2100-01-02T00:00", "type": ""}),
        ("/admin/webhooks/deliveries/1/again", {}),
        ("/admin/webhooks/2/remove", {"sure": "y"}),
        ("/admin/webhooks/2/remove", {"sure": "y"}),
    ):  # fmt: skip
        page = panel.follow(panel.post(path, {"csrf_token": token, **values}, 303))
        assert page.all(".notice"), path
        assert left(page) - {"spam", "not"} == set(), path


def test_addresses_and_spreadsheets_stay_english(panel: Person):
    def taken(name: str, language: str) -> tuple[list[str], list[str]]:
        panel.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        fields = [field["name"] for tag in ("select", "input") for field in panel.get(f"/admin/{name}/").all(tag)]
        return fields, panel.file(f"/admin/{name}/rows.csv").get_data(as_text=True).splitlines()

    for name in LISTS:
        assert taken(name, "en-XA") == taken(name, "en")
    assert "flt_joined_since" in taken("members", "en-XA")[0]
