"""A program in which much has happened, another one for it to move to, and the command line of both."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import (
    ApiAnswer,
    ApiKey,
    Appeal,
    Avatar,
    Base,
    Channel,
    ClaimState,
    ExternalMember,
    Identity,
    MailRefusal,
    OwnText,
    Perk,
    RecoveryCode,
    Referral,
    ReferralClaim,
    ResetRequest,
    User,
    WebhookAttempt,
)
from referralhub.services.accounts import erasure
from referralhub.services.integration import events
from referralhub.services.integration.told import Customer, Told
from referralhub.services.links import own_codes
from referralhub.services.operations import archive
from referralhub.services.perks import claims
from referralhub.services.referrals import invitations
from referralhub.services.shared.audit import OPERATOR
from referralhub.words.referrals import FORMER_MEMBER
from tests.conftest import extra_database
from tests.people import Person, Records, user_named

BOUGHT = Customer("shop-7")
OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}


@pytest.fixture
def elsewhere(make_app, database: str, tmp_path: Path, request) -> Iterator[Flask]:
    """An application with a database of the other kind, migrated and with nothing in it."""
    with extra_database(OTHER[database], tmp_path, request, migrated=True) as url:
        yield make_app(database_url=url)


@pytest.fixture
def busy(run, app: Flask, admin: Person, alice: Person, bob: Person, charlie: Person, clock, tmp_path) -> None:
    """Much has happened: seeds, fraud cases, customers, a preset, claims, a reversal, an erasure; mail waits."""
    run("seed", "demo")
    run("seed", "article")
    run("seed", "bulk", "--members", "300")  # some of whom are held, rejected and reversed
    run("program", "preset", "paypal")
    (tmp_path / "coupons").write_text("TEA-1\nTEA-2\n")
    run("perks", "add", "Tea", "--price", "1500", "--unit", "us_cents", "--coupons", str(tmp_path / "coupons"))
    run("perks", "add", "Mug", "--price", "500", "--unit", "us_cents", "--stock", "3")
    (tmp_path / "customers.csv").write_text("email,customer_since\nx@example.com,2020-01-01\n")
    run("customers", "import", str(tmp_path / "customers.csv"))
    run("webhooks", "add", "https://shop.example.com/")  # which is told of what follows
    alice.sign_up()
    alice.confirm_address()
    for friend in (bob, charlie):
        friend.click(alice.link)
        friend.sign_up()
        friend.confirm_address()
    (tmp_path / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
    )
    run("brand", "set", "logo", str(tmp_path / "logo.svg"))
    run("program", "set", "currency", "BHD")
    run("program", "set", "timezone", "Pacific/Auckland")
    run("perks", "add", "Voucher", "--price", "20000", "--unit", "BHD")
    with app.app_context():
        inviter = user_named("alice")
        for perk_id in db.session.scalars(db.select(Perk.id).where(Perk.name.in_(["Tea", "Mug"]))):
            assert claims.redeem(inviter.profile.id, perk_id, f"form-{perk_id}", clock())
        invitations.invite(inviter, ["dora@example.com"], "Come and see", clock())
        own_codes.choose(inviter.profile.id, "alice", (), clock())
        inviter.profile.greeting = "Come along!"
        friend = Referral.friend_id == user_named("bob").profile.id
        brought = db.session.scalars(db.select(Referral.id).where(friend)).one()
        db.session.add_all(without_a_seed(inviter.id, clock()))
        db.session.add_all(told_by_members(brought, inviter.profile.id, clock()))
        db.session.commit()
        erasure.erase(user_named("charlie").id, FORMER_MEMBER, clock())
    run("referrals", "reverse", str(brought), "--reason", "the card was stolen")
    rules_of_a_shop = {"qualifies_on": "purchase", "earning_events": "none", "hold_days": "7", "handed_over": "true"}
    for key, value in rules_of_a_shop.items():
        run("program", "set", key, value)
    with app.app_context():
        before = clock() - timedelta(days=10)
        sale = {"customer": BOUGHT, "amount": 9000, "currency": "BHD"}
        told = [
            Told("1", "signup", BOUGHT, code="alice", occurred_at=before),
            Told("2", "purchase", **sale, occurred_at=before),
            Told("3", "purchase", **sale),  # on hold
        ]
        assert {each.status for each in events.receive(told, "shop", OPERATOR, clock())} == {"accepted"}
    run("program", "set", "qualifies_on", "confirmed_address")


def without_a_seed(user_id: int, now: datetime) -> list[Base]:
    """Make rows of the tables that only a phone, a provider, an admin or a stranger's click fills."""
    profile_id = db.session.get(User, user_id).profile.id
    db.session.add(ApiKey(name="shop", digest="0" * 64, beginning="rh_000000", scopes=["read"], created=now))
    db.session.flush()
    return [
        Avatar(profile_id=profile_id, digest="0" * 64, content=b"RIFF\0\xff", created=now),
        RecoveryCode(user_id=user_id, digest="0" * 64, created=now),
        Identity(user_id=user_id, issuer="https://login.example.org", subject="alice", created=now),
        MailRefusal(address_hash="0" * 64, created=now),
        ResetRequest(address="alice@example.com", minute=1, request_id="0" * 16),
        ApiAnswer(api_key_id=1, key="one", digest="0" * 64, status=201, body='{"id":1}', created=now),
        ExternalMember(user_id=user_id, external_id="42", details={"plan": "pro"}, created=now, updated=now),
        WebhookAttempt(delivery_id=1, status=200, milliseconds=12, said="thanks", at=now),
        OwnText(name="share", language="de", subject="Komm", body="Zu {brand}:", changed=now),
    ]


def told_by_members(referral_id: int, profile_id: int, now: datetime) -> list[Base]:
    """Make rows of what members say was not credited, or judged wrongly."""
    claimed = {"joined_on": now.date(), "channel": Channel.QR, "words": "At the fair", "reason": "", "changed": now}
    return [
        ReferralClaim(
            claimant_id=profile_id, address="dora@example.com", state=ClaimState.ASKED, created=now, **claimed
        ),
        Appeal(referral_id=referral_id, words="It was no robot.", created=now),
    ]


def command(app: Flask, *words: str, expect: int = 0) -> str:
    """Run a command in this application, and give what it says."""
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == expect, (result.output, result.exception)
    return result.output


def everything_of(app: Flask) -> dict[str, list[tuple]]:
    """Give every row that moves."""
    return {name: rows for name, rows in Records(app).everything().items() if name not in archive.FOR_REDIS}
