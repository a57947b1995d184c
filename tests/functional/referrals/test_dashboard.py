"""The dashboard: the member's link and figures, and the parts that update themselves."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from referralhub.extensions import db
from referralhub.models import ReferralState, User
from tests.factories import befriend
from tests.pages import Page, Visitor
from tests.people import Person


def test_a_new_member_sees_the_link_and_zeros(alice: Person):
    page = alice.arrive()
    link = page.one("#referral-link")
    assert link.tag == "input"
    assert link["value"] == f"http://localhost/{link['value'].split('/')[3]}/"
    for name in ("total_referrals", "rewards", "active_network", "pending", "visits"):
        assert page.stat(name) == 0
    assert page.one("[data-tier]")["data-tier"] == "Bronze"
    progress = page.one("progress")
    assert (float(progress["value"]), float(progress["max"])) == (0, 10)
    assert page.referrals == []
    assert page.leaders == []


def test_figures_tier_and_progress_follow_the_referrals(app, alice: Person, clock):
    alice.sign_up()
    befriend(app, "alice", 12, clock())
    befriend(app, "alice", 3, clock(), ReferralState.PENDING)
    befriend(app, "alice", 2, clock() - timedelta(days=40))
    page = alice.get("/dashboard/")
    assert page.stat("total_referrals") == 14
    assert page.stat("rewards") == 140
    assert page.stat("pending") == 3
    assert page.stat("active_network") == 15  # two have not been seen for 30 days
    assert page.one("[data-tier]")["data-tier"] == "Silver"
    progress = page.one("progress")
    assert float(progress["value"]) / float(progress["max"]) == pytest.approx(4 / 40)


def test_the_highest_tier_is_full(app, alice: Person, clock):
    alice.sign_up()
    befriend(app, "alice", 100, clock())
    page = alice.get("/dashboard/")
    assert page.one("[data-tier]")["data-tier"] == "Diamond"
    assert page.one("progress")["value"] == page.one("progress")["max"]


def test_recent_referrals_are_the_newest_with_their_state(app, alice: Person, clock):
    alice.sign_up()
    old = befriend(app, "alice", 1, clock() - timedelta(days=2))
    new = befriend(app, "alice", 1, clock(), ReferralState.PENDING)
    expected = [(new[0], "pending"), (old[0], "confirmed")]
    assert alice.get("/dashboard/").referrals == expected
    assert alice.fragment("/dashboard/recent").referrals == expected
    befriend(app, "alice", 20, clock())
    assert len(alice.get("/dashboard/").referrals) == 5


def test_one_member_sees_nothing_of_another(app, alice: Person, bob: Person, clock):
    alice.sign_up()
    bob.sign_up()
    befriend(app, "alice", 3, clock(), ReferralState.PENDING)
    page = bob.get("/dashboard/")
    assert (page.stat("pending"), page.stat("active_network"), page.referrals) == (0, 0, [])


def test_share_buttons_carry_the_link_and_their_channel(alice: Person):
    page = alice.arrive()
    link = page.one("#referral-link")["value"]
    channels = [anchor["data-channel"] for anchor in page.all("a[data-channel]")]
    assert set(channels) >= {"x", "facebook", "email", "whatsapp", "linkedin"}
    for anchor in page.all("a[data-channel]"):
        values = " ".join(" ".join(v) for v in parse_qs(urlsplit(anchor["href"]).query).values())
        assert f"{link}?via={anchor['data-channel']}" in values
        assert "noopener" in anchor["rel"]


class TestStatsFragment:
    """What the open dashboard asks for every few seconds."""

    def test_unchanged_figures_are_not_sent_again(self, alice: Person):
        alice.sign_up()
        first = alice.fragment("/dashboard/stats")
        tag = first.headers["HX-PTag"]
        unchanged = alice.fragment("/dashboard/stats", expect=304, HX_PTag=tag)
        assert unchanged.response.data == b""
        assert unchanged.headers["HX-PTag"] == tag
        assert "HX-Trigger" not in unchanged.headers
        alice.get("/dashboard/stats", 304, headers={"If-None-Match": first.headers["ETag"]})

    def test_the_dashboard_already_carries_the_tag_of_its_figures(self, alice: Person):
        page = alice.arrive()
        tag = page.one("#stats")["data-hx-ptag"]
        alice.fragment("/dashboard/stats", expect=304, HX_PTag=tag)

    def test_a_confirmation_changes_tag_and_figures_and_tells_the_page(self, alice: Person, bob: Person):
        page = alice.arrive()
        tag = page.one("#stats")["data-hx-ptag"]
        bob.click(alice.link)
        bob.sign_up()
        waiting = alice.fragment("/dashboard/stats", HX_PTag=tag)
        assert waiting.stat("pending") == 1
        bob.confirm_address()
        confirmed = alice.fragment("/dashboard/stats", HX_PTag=waiting.headers["HX-PTag"])
        assert (confirmed.stat("total_referrals"), confirmed.stat("rewards"), confirmed.stat("pending")) == (1, 10, 0)
        assert confirmed.headers["HX-PTag"] not in {tag, waiting.headers["HX-PTag"]}
        assert confirmed.headers["HX-Trigger"] == "stats-changed"

    def test_fragment_and_page_show_the_same(self, app, alice: Person, clock):
        alice.sign_up()
        befriend(app, "alice", 2, clock())
        page, fragment = alice.get("/dashboard/"), alice.fragment("/dashboard/stats")
        assert page.one("#stats") == fragment.one("#stats")


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/stats", "/dashboard/recent"])
def test_visitors_are_sent_to_sign_in(visitor: Visitor, path: str):
    answer = visitor.get(path, 302)
    assert answer.location.startswith("/login")


@pytest.mark.parametrize("path", ["/dashboard/stats", "/dashboard/recent"])
def test_htmx_is_told_to_load_the_sign_in_form(visitor: Visitor, path: str):
    answer = visitor.fragment(path, expect=401)
    target = urlsplit(answer.headers["HX-Redirect"])
    assert (target.path, parse_qs(target.query)["next"]) == ("/login", ["/dashboard/"])


def test_a_session_of_a_deleted_member_is_no_member(alice: Person, valkey):
    alice.sign_up()
    alice.get("/dashboard/")
    valkey.client.flushdb()
    alice.get("/dashboard/", 302)


class TestQueries:
    """A page costs the same number of statements however many referrals there are."""

    @pytest.fixture
    def costs(self, app, alice: Person, clock, count_queries):
        alice.arrive()  # where her figures are read for the first time

        def at_two_sizes(path: str, look) -> tuple[int, int]:
            counts = []
            for more in (2, 198):
                befriend(app, "alice", more, clock())
                with count_queries() as statements:
                    look(path)
                counts.append(len(statements))
            return counts[0], counts[1]

        return at_two_sizes

    def test_changed_stats_cost_two_at_most(self, costs, alice: Person):
        assert max(costs("/dashboard/stats", alice.fragment)) <= 2  # member, figures

    def test_dashboard_costs_three_at_most(self, costs, alice: Person, valkey):
        def cold(path: str) -> Page:
            for key in ("figures*", "answer*", "leaderboard:told"):
                for each in valkey.client.keys(key):
                    valkey.client.delete(each)
            return alice.get(path)

        for look in (alice.get, cold):
            assert max(costs("/dashboard/", look)) <= 3  # member, figures with the newest friends, leaderboard

    def test_recent_costs_two(self, costs, alice: Person):
        assert costs("/dashboard/recent", alice.fragment) == (2, 2)

    @pytest.mark.parametrize("period", ["all", "month", "week"])
    def test_leaderboard_costs_three_at_most(self, costs, alice: Person, period: str):
        few, many = costs(f"/leaderboard?period={period}", alice.get)
        assert few == many <= 3  # member, leaderboard; each few seconds, what Redis missed


def test_a_switched_off_friend_still_counts_for_the_referrer(app, alice: Person, clock, records):
    alice.sign_up()
    (friend,) = befriend(app, "alice", 1, clock())

    def switch_off() -> None:
        db.session.scalars(db.select(User).filter_by(username=friend)).one().is_active = False

    records.change(switch_off)
    assert alice.get("/dashboard/").stat("total_referrals") == 1
