"""What a mail says, in both its parts."""

import html

import pytest
from flask import Flask

from referralhub import mail_content
from referralhub.extensions import db
from referralhub.models import (
    Channel,
    ClaimState,
    Invitation,
    InvitationState,
    MessageKind,
    OutboxMessage,
    ReferralClaim,
    User,
)
from referralhub.services.mailing import outbox
from tests.factories import befriend
from tests.people import Clock, Person, PostOffice, links_in, text_of

PAYLOADS: dict[MessageKind, dict[str, object]] = {
    MessageKind.VERIFY_ADDRESS: {},
    MessageKind.CHANGE_ADDRESS: {"address": "new@example.com"},
    MessageKind.ADDRESS_CHANGED: {"address": "old@example.com"},
    MessageKind.RESET_PASSWORD: {},
    MessageKind.PASSWORD_CHANGED: {},
    MessageKind.SIGN_IN_CHANGED: {"change": "two_factor_on"},
    MessageKind.FRIEND_JOINED: {"referral_id": 1},
    MessageKind.REFERRAL_CONFIRMED: {"referral_id": 1, "amount": 10, "unit": "points", "total": 1},
    MessageKind.REFERRAL_HELD: {"referral_id": 1},
    MessageKind.REFERRAL_REVERSED: {"referral_id": 1, "reason": "stolen", "total": 0},
    MessageKind.BADGE_EARNED: {"referral_id": 1, "badge": "first", "tier": "Silver", "total": 1},
    MessageKind.TIER_REACHED: {"referral_id": 1, "tier": "Silver", "total": 10},
    MessageKind.WEEKLY_DIGEST: {"visits": 3, "joined": 2, "confirmed": 1, "total": 7},
    MessageKind.REVIEW_REMINDER: {"waiting": 2},
    MessageKind.INVITATION: {"invitation_id": 1, "address": "bob@example.com"},
    MessageKind.INVITATION_REMINDER: {"invitation_id": 1, "address": "bob@example.com"},
    MessageKind.CLAIM_QUESTION: {"claim_id": 1},
    MessageKind.CLAIM_DECIDED: {"claim_id": 2, "state": "confirmed"},
    MessageKind.WEBHOOK_SWITCHED_OFF: {"site": "shop.example.com", "why": "gone"},
}
NAMES_FRIEND = {"referral_id", "claim_id"}


def invite_and_claim(clock: Clock) -> None:
    """Write an invitation and claims, as they are before their mail: member 2 says to have brought member 1."""
    db.session.add(
        Invitation(
            profile_id=1, address="bob@example.com", address_hash="0" * 64, words="Come along",
            state=InvitationState.QUEUED, changed=clock(), created=clock(),
        )
    )  # fmt: skip
    db.session.add_all(claims_of_the_friend(clock))


def claims_of_the_friend(clock: Clock) -> list[ReferralClaim]:
    """Make a claim that nobody has answered, and one that was decided."""
    said = {
        "claimant_id": 2, "joined_on": clock().date(), "channel": Channel.LINK, "words": "", "changed": clock(),
        "created": clock(),
    }  # fmt: skip
    return [
        ReferralClaim(**said, address="alice@example.com", state=ClaimState.ASKED, reason=""),
        ReferralClaim(**said, address="x", friend_id=1, state=ClaimState.CONFIRMED, reason="we asked", decided_by_id=1),
    ]


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_of_mail_can_be_written(app: Flask, queue, records, clock, kind: MessageKind):
    (friend,) = befriend(app, "alice", 1, clock())
    records.change(lambda: invite_and_claim(clock))
    payload = PAYLOADS[kind]
    queue("one", kind=kind, **payload)
    post_office = PostOffice(app)
    assert post_office.deliver() == 1
    (letter,) = post_office.letters(str(payload.get("address", "alice@example.com")))
    text, page = text_of(letter), html.unescape(letter.get_body(("html",)).get_content())
    assert letter["Subject"]
    assert "ReferralHub" in letter["From"]
    assert letter["Message-ID"]
    assert "alice" in text
    assert "alice" in page
    assert (friend in text) == (friend in page) == bool(NAMES_FRIEND & payload.keys())
    assert "http://localhost/" in text
    assert all(link in page for link in links_in(letter))
    assert "{" not in text
    assert "{{" not in page
    assert "None" not in text


def test_a_repeated_delivery_can_be_told_by_its_id(app: Flask, queue, records):
    queue("one", "two")
    with app.app_context():
        user = db.session.get(User, 1)
        first, second = (
            [mail_content.write(row, user)["Message-ID"] for _ in range(2)] for row in records.all(OutboxMessage)
        )
    assert first[0] == first[1] != second[0] == second[1]


def test_the_outbox_holds_no_token(alice: Person, records):
    alice.sign_up()
    token = alice.verification_path().removeprefix("/verify/")
    row = records.one(OutboxMessage)
    assert row.payload.keys() == {outbox.REQUEST}
    assert token not in str(vars(row))


def test_mail_cannot_be_given_headers_by_its_content(app: Flask, queue, records, clock):
    """User names have no line breaks; should one ever have, the mail is refused rather than sent to others."""
    (friend,) = befriend(app, "alice", 1, clock())
    records.change(lambda: _rename(friend, "x\r\nBcc: eve@example.com"))
    queue("one", kind=MessageKind.REFERRAL_CONFIRMED, **PAYLOADS[MessageKind.REFERRAL_CONFIRMED])
    with app.app_context():
        letter = mail_content.write(records.one(OutboxMessage), db.session.get(User, 1))
    assert "Bcc" not in letter.keys()  # noqa: SIM118 - headers, not a dict
    assert letter["To"] == "alice@example.com"
    assert b"\nBcc" not in letter.as_bytes().partition(b"\n\n")[0]


def _rename(before: str, after: str) -> None:
    db.session.scalars(db.select(User).filter_by(username=before)).one().username = after
