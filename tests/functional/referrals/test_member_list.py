"""The page that lists a member's referrals, and the ledger beside it: reasons, filters, pages, and what they cost."""

import pytest

from tests.factories import befriend


def test_it_gives_the_reason_in_plain_words(joined, clock, alice, bob):
    assert "waiting for bob to confirm their address" in alice.get("/dashboard/referrals").text
    bob.confirm_address()
    day = f"{clock().day} {clock():%B}"
    assert f"confirmed on {day}: address verified, visit 0 s before signup" in alice.get("/dashboard/referrals").text


def test_it_filters_by_state_and_in_parts(credited, alice, charlie):
    charlie.click(alice.link)
    charlie.sign_up()
    assert alice.get("/dashboard/referrals?state=confirmed").referrals == [("bob", "confirmed")]
    assert alice.fragment("/dashboard/referrals?state=pending").referrals == [("charlie", "pending")]
    assert len(alice.get("/dashboard/referrals?state=nonsense").referrals) == 2


def test_it_is_paged(app, clock, alice):
    alice.sign_up()
    befriend(app, "alice", 25, clock())
    first = alice.get("/dashboard/referrals")
    second = alice.fragment("/dashboard/referrals?page=2")
    assert (len(first.referrals), len(second.referrals)) == (20, 5)
    assert not set(first.referrals) & set(second.referrals)
    ledger = alice.fragment("/dashboard/rewards?page=2")
    assert len(ledger.all("[data-entry]")) == 5


def test_a_strange_page_number_is_no_error(credited, alice, subtests):
    for path in ("/dashboard/referrals", "/dashboard/rewards"):
        for page in ("0", "-1", "x", "99999999999999999999"):
            with subtests.test(path=path, page=page):
                alice.get(f"{path}?page={page}")


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
