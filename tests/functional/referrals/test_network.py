"""Who joined below a member, the link as a QR code, and what is said about privacy."""

import io

import pytest
import segno

from referralhub.extensions import db
from referralhub.models import Profile, User
from tests.factories import befriend
from tests.pages import Page, Visitor
from tests.people import Person


def generations(page: Page) -> list[tuple[int, int, int]]:
    """Read the table: steps away, people, and how many of them were seen in 30 days."""
    rows = page.all("[data-generation]")
    return [(int(r["data-generation"]), int(r["data-value"]), int(r.all("td")[1].text)) for r in rows]


def branches(page: Page) -> list[tuple[str, int]]:
    return [(each["data-username"], int(each.one('[class="count"]').text)) for each in page.all("[data-branch]")]


def test_each_generation_is_counted_and_nobody_elses(app, alice: Person, bob: Person, records, clock):
    alice.sign_up()
    bob.sign_up()
    first = befriend(app, "alice", 3, clock())
    second = befriend(app, first[0], 2, clock()) + befriend(app, first[1], 1, clock())
    befriend(app, second[0], 4, clock())
    befriend(app, "bob", 5, clock())

    def last_seen_long_ago() -> None:
        days = clock().replace(year=clock().year - 1)
        db.session.scalars(db.select(User).filter_by(username=second[0])).one().last_seen_at = days

    records.change(last_seen_long_ago)
    page = alice.get("/dashboard/network")
    assert generations(page) == [(1, 3, 3), (2, 3, 2), (3, 4, 4)]
    assert branches(page) == [(first[0], 2), (first[1], 1), (first[2], 0)]
    assert "10 people below you" in page.text
    assert generations(bob.get("/dashboard/network")) == [(1, 5, 5)]


def test_a_name_that_was_chosen_is_shown_and_one_that_is_gone_is_not(app, alice: Person, bob: Person, clock):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.delete_account()
    page = alice.get("/dashboard/network")
    assert branches(page) == [("A former member", 0)]
    assert "bob" not in page.text


def test_whoever_brought_nobody_is_told_what_will_be_here(alice: Person):
    alice.sign_up()
    page = alice.get("/dashboard/network")
    assert generations(page) == branches(page) == []
    assert "Nobody yet" in page.text


def test_it_costs_the_same_however_large(app, alice: Person, clock, count_queries):
    alice.sign_up()
    costs, above = [], "alice"
    for _ in range(3):
        (above, *_) = befriend(app, above, 30, clock())
        with count_queries() as statements:
            page = alice.get("/dashboard/network")
        costs.append(len(statements))
    assert len(generations(page)) == 3
    assert len(set(costs)) == 1 and costs[0] <= 4, costs


def test_a_chain_without_end_is_followed_ten_steps(app, alice: Person, records, clock):
    alice.sign_up()
    above = "alice"
    for _ in range(12):
        (above,) = befriend(app, above, 1, clock())
    assert generations(alice.get("/dashboard/network")) == [(step, 1, 1) for step in range(1, 11)]
    assert len(records.all(Profile)) == 13


def test_the_qr_code_is_the_link_with_its_channel(alice: Person):
    alice.sign_up()
    answer = alice.file("/dashboard/qr.svg")
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "no-store"
    expected = io.BytesIO()
    code = segno.make(f"{alice.link}?via=qr", error="m")
    code.save(expected, kind="svg", scale=8, border=4, light="#fff", xmldecl=False, title="ReferralHub")
    assert answer.data == expected.getvalue()


@pytest.mark.parametrize("path", ["/dashboard/network", "/dashboard/qr.svg"])
def test_visitors_are_sent_to_sign_in(visitor: Visitor, path: str):
    assert visitor.get(path, 302).location.startswith("/login")


def test_privacy_is_explained_to_everybody_and_makes_no_session(visitor: Visitor):
    page = visitor.get("/privacy")
    assert "30 days" in page.text
    assert visitor.session_id() is None
    assert "/privacy" in [anchor["href"] for anchor in visitor.get("/").all("a")]
