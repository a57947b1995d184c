"""Somebody of each kind, with rows of theirs that every path can name."""

from collections.abc import Iterator

from flask import Flask

from referralhub.dashboard.network import branch_token
from referralhub.models import Channel, Invitation, Referral, Scope, SignIn
from referralhub.services.accounts import administration, avatars, signup
from referralhub.services.integration import keys
from referralhub.services.perks import catalogue, claims
from referralhub.services.program import rules
from referralhub.services.recourse import missing
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import endpoints
from tests.pages import Visitor
from tests.people import Clock, Person, PostOffice, Records, user_named
from tests.pictures import picture

INVITE = "/dashboard/invite"


def everybody(app: Flask, post_office: PostOffice, clock: Clock) -> dict[str, Visitor]:
    """Give somebody without an account, Alice, Bob, and Grace who runs the program. Charlie came by Alice's link."""
    alice, bob, grace, charlie = (Person(app, post_office, name) for name in ("alice", "bob", "grace", "charlie"))
    with app.app_context():
        rules.change(rules.PRESETS["paypal"] | {"personal_landing": True}, clock())
        catalogue.add("Mug", "", clock(), price=10, unit="USD")
    for person in (alice, bob):
        person.sign_up()
        person.confirm_address()
    with app.app_context():
        avatars.put_up(1, avatars.clean(picture()), clock())
    preview = alice.submit(alice.get(INVITE).form(INVITE), 200, addresses="dan@example.com")
    alice.submit(preview.form(INVITE), send="yes")
    charlie.click(alice.link)
    charlie.sign_up()
    with app.app_context():
        administration.adjust(1, 100, "USD", "a present", "a-present", OPERATOR, clock())
        claims.redeem(1, 1, "the-first-one", clock())
        missing.claim(user_named("alice"), "nobody@example.org", clock().date(), Channel.LINK, "", clock())
        keys.create("shop", Scope, OPERATOR, clock())
        options = {"secret_key": app.config["SETTINGS"].secret_key, "private": False}
        endpoints.add("https://shop.example.com/webhooks", (), OPERATOR, clock(), **options)
        endpoints.test(1, OPERATOR, clock())
        signup.create_admin(grace.username, grace.email, grace.password, clock())
    grace.sign_in()
    return {"anonymous": Visitor(app), "owner": alice, "other": bob, "admin": grace}


def in_paths(people: dict[str, Visitor], records: Records) -> dict[str, object]:
    """Give a value for each part of a path: rows of Alice's."""
    return {
        "row_id": 1,
        "external_id": "42",
        "sign_in_id": records.all(SignIn, user_id=1)[0].id,
        "invitation_id": records.one(Invitation).id,
        "referral_id": records.one(Referral).id,
        "perk_id": 1,
        "reward_id": 1,
        "number": 1,
        "id": "1",
        "code": people["owner"].code,
        "token": "nonsense",
        "branch": _branch_of("charlie", records),
        "filename": "css/app.css",
        "step": "release",
        "decision": "confirm",
        "which": "monthly",
        "icon": "icon-192",
        "accent": "e5342b",
        "text": "invitation",
        "language": "de",
        "digest": "0" * 64,
        "extension": "png",
    }


def _branch_of(username: str, records: Records) -> str:
    """Give what stands for somebody's branch of a network in addresses."""
    with records.app.app_context():
        return branch_token(user_named(username).profile.id)


def routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Give method, rule and endpoint of each."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, rule.endpoint
