"""What the dashboard tells beside the figures: how they came to be, by which channels, and what to do next."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import Channel, Reason, ReferralState, RewardKind, VisitDaily
from referralhub.services.history.days import DAYS
from referralhub.services.ledger import entries
from referralhub.services.mailing import subscriptions
from referralhub.services.perks import catalogue, claims
from referralhub.services.program import rules
from referralhub.services.referrals import invitations, lifecycle, statistics
from referralhub.services.referrals.statistics import Reading
from referralhub.services.shared import figure_changes
from referralhub.services.shared.audit import OPERATOR
from tests.conftest import SECRET_KEY
from tests.factories import befriend
from tests.functional.referrals.test_invitations import BY_A_PERSON, invite
from tests.pages import Page, Visitor
from tests.people import Clock, Person, link_in, path_of, user_named

HOME = "/dashboard/"


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


@pytest.fixture
def confirmed(alice: Person) -> Person:
    """A member with a confirmed address, who has just been shown her dashboard."""
    alice.sign_up()
    alice.confirm_address()
    alice.get(HOME)
    return alice


def read(app: Flask, now: datetime) -> Reading:
    """Read what there is to tell Alice, past Redis."""
    with app.app_context():
        return statistics.of_member(1, now)


def filled(*numbers: int) -> tuple[int, ...]:
    """Give thirty days, of which these are the last."""
    return (0,) * (DAYS - len(numbers)) + numbers


class TestDays:
    """What a figure was made of in the last thirty days."""

    def test_each_figure_has_its_own(self, app: Flask, alice: Person, clock: Clock, visitor: Visitor):
        alice.sign_up()
        befriend(app, "alice", 2, clock() - timedelta(days=2))
        befriend(app, "alice", 1, clock(), ReferralState.PENDING)
        befriend(app, "alice", 4, clock() - timedelta(days=31))
        visitor.get(path_of(alice.link), 302)
        alice.get(HOME)  # which books the visit
        history = read(app, clock()).story.history
        assert history.confirmed == filled(2, 0, 0)
        assert history.credited == filled(20, 0, 0)
        assert history.joined == filled(2, 0, 1)
        assert history.visits == filled(1)
        assert history.active == filled(2, 0, 1)

    def test_what_was_credited_is_in_the_unit_of_the_balance_and_nothing_that_was_spent(
        self, app: Flask, alice: Person, clock: Clock
    ):
        alice.sign_up()
        befriend(app, "alice", 3, clock())
        with app.app_context():
            for amount, unit in ((5, "points"), (700, "EUR")):
                entries.post(db.session(), 1, RewardKind.MILESTONE, amount, unit, clock(), mark=3)
            entries.post(db.session(), 1, RewardKind.REDEMPTION, -20, "points", clock())
            db.session.commit()
        assert read(app, clock()).story.history.credited == filled(35)

    def test_a_friend_counts_on_the_day_of_the_last_visit_here(self, app: Flask, alice: Person, clock: Clock, records):
        alice.sign_up()
        (name,) = befriend(app, "alice", 1, clock() - timedelta(days=3))
        assert read(app, clock()).story.history.active == filled(1, 0, 0, 0)
        records.change(lambda: setattr(user_named(name), "last_seen_at", clock()))
        assert read(app, clock()).story.history.active == filled(1)

    def test_a_day_begins_at_midnight_of_the_programs_zone(self, app: Flask, alice: Person, clock: Clock):
        with app.app_context():
            rules.change({"timezone": "Pacific/Auckland"}, clock())
        clock.now = datetime(2026, 7, 8, 11, 59, 59, tzinfo=UTC)  # a second before midnight there
        alice.sign_up()
        befriend(app, "alice", 1, clock())
        before = read(app, clock())
        assert before.story.history.confirmed == filled(1)
        assert before.until == clock() + timedelta(seconds=1)
        clock.advance(seconds=1)
        assert read(app, clock()).story.history.confirmed == filled(1, 0)

    def test_the_open_dashboard_hears_of_midnight(self, app: Flask, alice: Person, clock: Clock):
        clock.now = datetime(2026, 7, 8, 23, 59, 50, tzinfo=UTC)
        alice.sign_up()
        befriend(app, "alice", 1, clock())
        tag = alice.get(HOME).one("#stats")["data-hx-ptag"]
        alice.fragment("/dashboard/stats", 304, HX_PTag=tag)
        last = alice.fragment("/dashboard/stats").all("[data-trend]")[0].one("path")["d"]
        clock.advance(seconds=10)
        later = alice.fragment("/dashboard/stats", HX_PTag=tag)
        assert later.all("[data-trend]")[0].one("path")["d"] != last

    @pytest.mark.parametrize(
        ("zone", "today"),
        [
            ("Europe/Berlin", datetime(2026, 4, 12, 10, tzinfo=UTC)),  # summer time began on 29 March
            ("Europe/Berlin", datetime(2026, 11, 10, 10, tzinfo=UTC)),  # and ended on 25 October
            ("America/Santiago", datetime(2026, 9, 20, 10, tzinfo=UTC)),  # at midnight of 6 September
            ("Australia/Lord_Howe", datetime(2026, 4, 20, 10, tzinfo=UTC)),  # by half an hour
            ("Asia/Kathmandu", datetime(2026, 4, 20, 10, tzinfo=UTC)),
        ],
    )
    def test_also_where_clocks_are_changed(self, app: Flask, alice: Person, clock: Clock, zone: str, today: datetime):
        with app.app_context():
            rules.change({"timezone": zone}, clock())
        clock.now = today - timedelta(days=40)
        alice.sign_up()
        clock.now = today
        found = read(app, today)
        with app.app_context():
            here = today.astimezone(rules_zone())
            days = [here.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
            firsts = [first_of(day, here.tzinfo) for day in days]
        for first in firsts:
            befriend(app, "alice", 1, first)
            befriend(app, "alice", 1, first - timedelta(seconds=1))
        # Each day has its own first second, and the last one before the next day's.
        found = read(app, today)
        assert found.story.history.joined == (2,) * (DAYS - 1) + (1,)
        assert found.story.history.confirmed == found.story.history.joined

    def test_words_stand_for_the_pictures(self, app: Flask, alice: Person, clock: Clock):
        alice.sign_up()
        befriend(app, "alice", 2, clock())
        page = alice.get(HOME)
        assert [each.text.strip() for each in page.all("[data-trend]")] == [
            "2 in the last 30 days", "20 points credited in the last 30 days", "2 seen in the last 30 days",
            "2 joined in the last 30 days", "0 in the last 30 days",
        ]  # fmt: skip
        assert {svg["aria-hidden"] for trend in page.all("[data-trend]") for svg in trend.all("svg")} == {"true"}


def rules_zone() -> ZoneInfo:
    return ZoneInfo(rules.timezone())


def first_of(day: date, zone: tzinfo) -> datetime:
    """Find the first second of a day in a zone, by looking at each hour around it."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(zone).date() != day:
        moment += timedelta(minutes=15)
    return moment


class TestChannels:
    def figures(self, page: Page) -> list[tuple[str, int, int]]:
        rows = page.all("[data-by-channel]")
        return [(row["data-by-channel"], int(row["data-confirmed"]), int(row["data-visits"])) for row in rows]

    def test_are_counted_by_friends_and_by_visits(self, app: Flask, alice: Person, clock: Clock):
        alice.sign_up()
        befriend(app, "alice", 3, clock() - timedelta(days=200), channel=Channel.WHATSAPP)
        befriend(app, "alice", 2, clock(), channel=Channel.QR)
        befriend(app, "alice", 5, clock(), ReferralState.PENDING, Channel.X)
        for _ in range(2):
            Visitor(app).get(f"{path_of(alice.link)}?via=telegram", 302)
        page = alice.get(HOME)
        assert self.figures(page) == [("whatsapp", 3, 0), ("qr", 2, 0), ("telegram", 0, 2)]
        assert "WhatsApp brings you 3 of 5 friends." in page.text
        assert self.figures(alice.fragment("/dashboard/recent")) == self.figures(page)

    def test_only_visits_are_told_as_such(self, app: Flask, alice: Person):
        alice.sign_up()
        Visitor(app).get(f"{path_of(alice.link)}?via=reddit", 302)
        assert "Reddit brought 1 visit, and nobody who was confirmed yet." in alice.get(HOME).text

    def test_visits_of_long_ago_count_too(self, alice: Person, clock: Clock, records):
        alice.sign_up()

        def long_ago() -> None:
            day = clock().date() - timedelta(days=500)
            db.session.add(VisitDaily(profile_id=1, day=day, channel=Channel.SMS, visits=9, visitors=7, bots=0))
            figure_changes.note(db.session(), 1)

        records.change(long_ago)
        page = alice.get(HOME)
        assert self.figures(page) == [("sms", 0, 7)]
        assert page.stat("visits") == 7


class TestActivity:
    def events(self, page: Page) -> list[tuple[str, str]]:
        return [
            (each["data-event"], " ".join(each.one('[class="name"]').text.split())) for each in page.all("[data-event]")
        ]

    def test_is_told_in_words_the_newest_first(self, app: Flask, confirmed: Person, bob: Person, clock: Clock, admin):
        clock.advance(days=10)
        bob.click(confirmed.link)
        bob.sign_up()
        clock.advance(minutes=5)
        bob.confirm_address()
        clock.advance(minutes=5)
        with app.app_context():
            catalogue.add("Mug", "", clock(), unlocked_at=1)
            claims.redeem(1, 1, "key", clock())
        page = confirmed.get(HOME)
        assert self.events(page) == [
            ("claimed", "You claimed Mug just now"),
            ("badge", "New badge: First referral 5 min ago"),
            ("confirmed", "bob was confirmed 5 min ago"),
            ("joined", "bob joined by your link 10 min ago"),
        ]
        assert page.all("[data-event]")[2].one('[class="count"]').text == "+10 points"
        assert self.events(confirmed.fragment("/dashboard/recent")) == self.events(page)

    def test_has_what_is_no_success_too(self, app: Flask, alice: Person, clock: Clock):
        alice.sign_up()
        befriend(app, "alice", 1, clock())
        clock.advance(minutes=1)
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("a mistake"), clock())
            entries.post(db.session(), 1, RewardKind.ADJUSTMENT, -3, "points", clock(), note="a round figure")
            db.session.commit()
        found = self.events(alice.get(HOME))
        assert [event for event, _ in found] == ["adjustment", "reversed", "joined"]
        assert "Adjusted: a round figure" in found[0][1]

    def test_ends_with_the_sixth(self, app: Flask, alice: Person, clock: Clock):
        alice.sign_up()
        befriend(app, "alice", 30, clock() - timedelta(days=1))
        befriend(app, "alice", 12, clock())
        assert [event for event, _ in self.events(alice.get(HOME))] == ["confirmed"] * 6

    def test_finds_a_decision_on_one_who_came_long_before_the_others(self, app: Flask, alice: Person, clock: Clock):
        alice.sign_up()
        (old,) = befriend(app, "alice", 1, clock() - timedelta(days=20), ReferralState.HELD)
        befriend(app, "alice", 15, clock() - timedelta(days=1))
        with app.app_context():
            lifecycle.release(1, OPERATOR, Reason.stated("known"), clock())
        first = self.events(alice.get(HOME))[0]
        assert first == ("confirmed", f"{old} was confirmed just now")


def test_what_is_empty_says_how_it_is_filled(alice: Person):
    page = alice.arrive()
    assert len(page.all('[class="empty"]')) == 4
    assert "The first friend who joins by your link begins this list" in page.text
    assert "Use the buttons above" in page.text


class TestNextStep:
    """One suggestion at a time, the most urgent first; what has been done is not suggested again."""

    def step(self, person: Person) -> str | None:
        section = person.get(HOME).one("#next")
        alone = person.fragment("/dashboard/next").one("#next")
        assert section.attributes.get("data-step") == alone.attributes.get("data-step")
        assert ("hidden" in section.attributes) == ("data-step" not in section.attributes)
        return section.attributes.get("data-step")

    def add_mug(self, app: Flask, clock: Clock, **terms: object) -> None:
        with app.app_context():
            catalogue.add("Mug", "", clock(), **terms)

    def test_the_own_address_comes_first(self, app: Flask, alice: Person, clock: Clock):
        self.add_mug(app, clock, unlocked_at=1)
        alice.sign_up()
        befriend(app, "alice", 1, clock())
        assert self.step(alice) == "confirm"
        alice.confirm_address()
        assert self.step(alice) == "claim"

    def test_a_perk_that_is_reached_until_it_is_claimed(self, app: Flask, confirmed: Person, clock: Clock):
        befriend(app, "alice", 2, clock())
        self.add_mug(app, clock, unlocked_at=3)
        assert self.step(confirmed) == "climb"
        befriend(app, "alice", 1, clock())
        assert "Mug is there for you." in confirmed.get(HOME).text
        confirmed.submit(confirmed.get("/dashboard/rewards").form("/dashboard/perks/1/redeem"))
        assert self.step(confirmed) == "climb"

    @pytest.mark.parametrize(
        "terms", [{"price": 21}, {"price": 10, "unit": "EUR"}, {"unlocked_at": 3}, {"price": 5, "stock": 0}]
    )
    def test_no_perk_that_cannot_be_had(self, app: Flask, confirmed: Person, clock: Clock, terms: dict):
        befriend(app, "alice", 2, clock())
        self.add_mug(app, clock, **terms)
        assert self.step(confirmed) == "climb"

    def test_a_perk_that_can_be_paid_for(self, app: Flask, confirmed: Person, clock: Clock):
        befriend(app, "alice", 2, clock())
        self.add_mug(app, clock, price=20)
        assert self.step(confirmed) == "claim"

    def test_a_perk_that_is_withdrawn_or_sold_out_meanwhile(self, app: Flask, confirmed: Person, bob, clock: Clock):
        bob.sign_up()
        for who in ("alice", "bob"):
            befriend(app, who, 1, clock())
        for pieces in ({"stock": 1}, {"coupons": ["TEA"]}):
            with app.app_context():
                number = catalogue.add(f"Mug {pieces}", "", clock(), unlocked_at=1, **pieces)
            assert self.step(confirmed) == "claim"
            with app.app_context():
                catalogue.set_active(number, False, OPERATOR, clock())
            assert self.step(confirmed) == "climb"
            with app.app_context():
                catalogue.set_active(number, True, OPERATOR, clock())
            assert self.step(confirmed) == "claim"
            with app.app_context():
                claims.redeem(user_named("bob").profile.id, number, "bob", clock())
            assert self.step(confirmed) == "climb"

    def test_what_is_on_hold_pays_for_nothing_until_then(
        self, app: Flask, confirmed: Person, bob: Person, clock: Clock
    ):
        with app.app_context():
            rules.change({"hold_days": 40}, clock())
        self.add_mug(app, clock, price=10)
        bob.click(confirmed.link)
        bob.sign_up()
        bob.confirm_address()
        assert self.step(confirmed) == "climb"
        clock.advance(days=40, seconds=-1)
        with app.app_context():
            rules.change({"hold_days": 0}, clock())
        assert self.step(confirmed) == "climb"
        clock.advance(seconds=1)
        assert self.step(confirmed) == "claim"

    def test_a_friend_who_has_not_confirmed(self, confirmed: Person, bob: Person):
        bob.click(confirmed.link)
        bob.sign_up()
        page = confirmed.get(HOME)
        assert self.step(confirmed) == "nudge"
        assert "bob joined, but still has to confirm the address." in page.text
        assert page.one("#next").one("a")["href"] == "/dashboard/referrals?state=pending"
        bob.confirm_address()
        assert self.step(confirmed) == "climb"

    def test_no_friend_who_has_left(self, confirmed: Person, bob: Person):
        bob.click(confirmed.link)
        bob.sign_up()
        bob.delete_account()
        assert self.step(confirmed) == "climb"

    def test_sharing_for_the_first_time(self, app: Flask, confirmed: Person):
        assert self.step(confirmed) == "share"
        Visitor(app).get(path_of(confirmed.link), 302)
        assert self.step(confirmed) == "climb"

    def test_inviting_where_the_program_has_it_until_it_was_done(self, app: Flask, confirmed: Person, clock: Clock):
        Visitor(app).get(path_of(confirmed.link), 302)
        with app.app_context():
            rules.change({"email_invitations": True}, clock())
        assert self.step(confirmed) == "invite"
        invite(confirmed, "bo@example.net")
        assert self.step(confirmed) == "climb"
        clock.advance(days=31)
        assert self.step(confirmed) == "invite"

    def test_at_the_top_there_is_nothing_more_to_do(self, app: Flask, confirmed: Person, clock: Clock):
        befriend(app, "alice", 100, clock())
        assert self.step(confirmed) is None

    class TestOfAnInvitation:
        @pytest.fixture
        def looked(self, app: Flask, confirmed: Person, clock: Clock) -> Person:
            """A member whose invited friend has followed the link and left."""
            with app.app_context():
                rules.change({"email_invitations": True}, clock())
            befriend(app, "alice", 1, clock())
            invite(confirmed, "bo@example.net")
            confirmed.post_office.deliver()
            (letter,) = confirmed.post_office.letters("bo@example.net")
            Visitor(app).get(path_of(link_in(letter, f"/{confirmed.code}/")), 302, headers=BY_A_PERSON)
            return confirmed

        def step(self, person: Person) -> str | None:
            return person.get(HOME).one("#next").attributes.get("data-step")

        def test_that_was_looked_at_three_days_ago(self, looked: Person, clock: Clock):
            assert self.step(looked) == "climb"
            clock.advance(days=4)
            assert "bo@example.net looked at your invitation, but did not join." in looked.get(HOME).text
            looked.get("/dashboard/invite").form("/dashboard/invitations/1/remind")

        def test_that_was_reminded_of(self, app: Flask, looked: Person, clock: Clock):
            clock.advance(days=4)
            assert self.step(looked) == "remind"
            with app.app_context():
                invitations.remind(user_named("alice"), 1, clock())
            assert self.step(looked) == "climb"

        def test_that_was_refused(self, app: Flask, looked: Person, clock: Clock):
            clock.advance(days=4)
            assert self.step(looked) == "remind"
            with app.app_context():
                token = subscriptions.refusal_token("bo@example.net", SECRET_KEY)
                subscriptions.unsubscribe(token, SECRET_KEY, clock())
            assert self.step(looked) == "climb"

        def test_that_is_older_than_a_month(self, looked: Person, clock: Clock):
            clock.advance(days=31)
            assert self.step(looked) == "invite"


class TestQueries:
    @pytest.mark.parametrize("path", ["/dashboard/next", "/dashboard/recent", "/dashboard/stats"])
    def test_a_part_costs_two_at_most_and_one_when_nothing_changed(
        self, app: Flask, confirmed: Person, clock: Clock, count_queries, path: str
    ):
        befriend(app, "alice", 5, clock())
        for most in (2, 1):
            with count_queries() as statements:
                confirmed.fragment(path)
            assert len(statements) <= most, str(statements)

    def test_a_zone_that_was_not_known_of_costs_one_more(
        self, app: Flask, confirmed: Person, clock: Clock, count_queries
    ):
        with app.app_context():
            rules.change({"timezone": "Asia/Tokyo"}, clock())
            for at, number in ((clock(), 2), (clock().astimezone(rules_zone()), 1)):
                db.session.rollback()
                with count_queries() as statements:
                    statistics.of_member(1, at)
                assert len(statements) == number
