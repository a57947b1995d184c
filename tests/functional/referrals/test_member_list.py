"""The page that lists a member's referrals, and the ledger beside it: reasons, filters, pages, and what they cost."""

import pytest

from referralhub.services.perks import catalogue, claims
from tests.factories import befriend
from tests.pages import Page
from tests.people import Person


def test_it_gives_the_reason_in_plain_words(clock, alice, bob):
    alice.sign_up()
    form = bob.click(alice.link).form("/signup")
    clock.advance(minutes=12)
    values = {"username": "bob", "email": bob.email, "password": bob.password, "password_confirm": bob.password}
    bob.submit(form, **values)
    assert "waiting for bob to confirm their address" in alice.get("/dashboard/referrals").text
    bob.confirm_address()
    day = f"{clock().day} {clock():%B}"
    assert f"confirmed on {day}: address verified, visit 12 min before signup" in alice.get("/dashboard/referrals").text


def test_it_filters_by_state_and_in_parts(credited, alice, charlie):
    charlie.click(alice.link)
    charlie.sign_up()
    assert alice.get("/dashboard/referrals?state=confirmed").referrals == [("bob", "confirmed")]
    assert alice.fragment("/dashboard/referrals?state=pending").referrals == [("charlie", "pending")]
    assert len(alice.get("/dashboard/referrals?state=nonsense").referrals) == 2


def linked(page: Page, words: str) -> str:
    """Give where the one link with these words leads; nowhere if there is none."""
    found = [anchor["href"] for anchor in page.all("a") if anchor.text == words]
    assert len(found) <= 1, found
    return found[0] if found else ""


def walk(member: Person, path: str, marks: str) -> list[str]:
    """Follow "Older" from part to part as one without JavaScript, and give what was shown, in this order."""
    shown, parts = [], 0
    while path:
        page = member.get(path)
        assert member.fragment(path).all(marks), path
        shown += [each.text for each in page.all(marks)]
        assert bool(linked(page, "Newest")) == (parts > 0)
        path, parts = linked(page, "Older"), parts + 1
    return shown


@pytest.fixture
def names(app, clock, alice) -> list[str]:
    """Alice and her 45 friends, the newest first, all of the same moment."""
    alice.sign_up()
    return befriend(app, "alice", 45, clock())[::-1]


def test_parts_of_the_list_follow_each_other(alice, names):
    shown = walk(alice, "/dashboard/referrals", "[data-referral]")
    assert [text.split()[1] for text in shown] == names
    shown = walk(alice, "/dashboard/referrals?state=confirmed", "[data-referral]")
    assert [text.split()[1] for text in shown] == names


def test_parts_of_the_ledger_follow_each_other(alice, names):
    shown = walk(alice, "/dashboard/rewards", "[data-entry]")
    assert [text.split()[0] for text in shown] == names


def test_parts_of_what_was_claimed_follow_each_other(app, alice, names, clock):
    with app.app_context():
        catalogue.add("Tea", "", clock(), price=1)
        for number in range(45):
            claims.redeem(1, 1, f"claim-{number}", clock())
    first = alice.get("/dashboard/rewards")
    second = alice.get("/dashboard/rewards?claims_after=26")
    older = [anchor["href"] for anchor in first.all("a") if anchor.text == "Older"]
    assert "/dashboard/rewards?claims_after=26" in older
    assert [len(page.all("[data-claim]")) for page in (first, second)] == [20, 20]
    assert len(alice.get("/dashboard/rewards?claims_after=6").all("[data-claim]")) == 5


def test_who_joins_meanwhile_moves_nobody_to_the_next_part(app, alice, names, clock):
    older = linked(alice.get("/dashboard/referrals"), "Older")
    befriend(app, "alice", 7, clock())
    assert [name for name, _ in alice.get(older).referrals] == names[20:40]


def test_a_part_behind_somebody_elses_row_shows_nothing_of_theirs(app, alice, names, bob, clock):
    bob.sign_up()
    befriend(app, "bob", 3, clock())
    assert [name for name, _ in alice.get("/dashboard/referrals?after=48").referrals] == names[:20]


def test_what_is_no_row_is_no_error_and_the_first_part(alice, names, subtests):
    for path in ("/dashboard/referrals", "/dashboard/rewards", "/dashboard/invite"):
        for after in ("0", "-1", "x", "", "2147483648", "99999999999999999999"):
            with subtests.test(path=path, after=after):
                page = alice.get(f"{path}?after={after}")
                assert not linked(page, "Newest")
    assert [name for name, _ in alice.get("/dashboard/referrals?after=x").referrals] == names[:20]


@pytest.mark.parametrize("path", ["/dashboard/referrals", "/dashboard/rewards"])
def test_the_number_of_queries_does_not_grow(app, clock, alice, count_queries, path: str):
    alice.sign_up()
    befriend(app, "alice", 2, clock())
    with count_queries() as few:
        alice.get(path)
    befriend(app, "alice", 198, clock())
    with count_queries() as many:
        alice.get(path)
    assert len(few) == len(many) <= 9, many
