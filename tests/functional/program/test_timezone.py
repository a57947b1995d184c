"""Days, weeks and months of the program's time zone: cut where people there would, also when clocks are changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from referralhub.extensions import db
from referralhub.models import MessageKind, OutboxMessage, Profile, Program, Referral, RewardEntry, VisitDaily
from referralhub.services.growth import cohorts, funnel, headlines, monthly, ranges
from referralhub.services.growth.ranges import DateRange
from referralhub.services.ledger import leaderboard, ranking
from referralhub.services.ledger.ranking import Period
from referralhub.services.links import visits
from referralhub.services.mailing import digest
from referralhub.services.program import rules
from referralhub.services.shared.calendar import midnight, offsets
from tests.factories import befriend, member, members
from tests.growth import row_of, table
from tests.people import Person

SECOND = timedelta(seconds=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


class Place:
    """A zone, a day there in a month in which clocks were changed, and when that month and week began by UTC."""

    def __init__(self, zone: str, today: datetime, month: datetime, week: datetime) -> None:
        self.zone, self.today, self.month, self.week = ZoneInfo(zone), today, month, week

    @property
    def here(self) -> datetime:
        return self.today.astimezone(self.zone)


PLACES = [
    # Summer time ended on Sunday, 5 April, at 3 o'clock: the month began 13 hours before UTC's, and the week 12.
    Place("Pacific/Auckland", utc(2026, 4, 8, 9), utc(2026, 3, 31, 11), utc(2026, 4, 5, 12)),
    # Summer time began on Sunday, 8 March, at 2 o'clock: the month began 5 hours after UTC's, and the week 4.
    Place("America/New_York", utc(2026, 3, 12, 2), utc(2026, 3, 1, 5), utc(2026, 3, 9, 4)),
]


@pytest.fixture(params=PLACES, ids=lambda place: place.zone.key)
def place(request, app, clock) -> Place:
    clock.now = request.param.today
    with app.app_context():
        rules.change({"timezone": request.param.zone.key}, clock())
    return request.param


def command(app, *words: str, expect: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == expect, result.output
    return result.output


def boards(app, period: Period, now: datetime) -> list[list[tuple[str, int]]]:
    """Give who leads, by SQL, by Redis once it was told, and by Redis after all was written anew."""
    redis = app.extensions["redis"]
    with app.app_context():
        found = [ranking.from_sql(period, now)]
        leaderboard.catch_up(redis, now)
        found.append(leaderboard._from_redis(redis, period, now.astimezone(ZoneInfo(rules.timezone())), None, 10)[0])
        leaderboard.rebuild(redis, now)
        found.append(leaderboard.read(redis, period, now))
        assert leaderboard.differences(redis, now) == []
    return [[(each.name, each.referrals) for each in board.places] for board in found]


class TestTheLeaderboard:
    @pytest.fixture
    def friends(self, app, place: Place) -> None:
        """Alice's friends came in the first second of the month and of the week, Bob's in the last one before."""
        members(app, ["alice", "bob"], utc(2026, 1, 1))
        for start in (place.month, place.week):
            befriend(app, "bob", 1, start - SECOND)
            befriend(app, "alice", 1, start)

    @pytest.mark.usefixtures("friends")
    def test_begins_months_and_weeks_where_people_there_do(self, app, place: Place, visitor):
        # Both came in the week's turn within the month; the one before the month is not of it.
        assert boards(app, Period.MONTH, place.today) == [[("alice", 2), ("bob", 1)]] * 3
        assert boards(app, Period.WEEK, place.today) == [[("alice", 1)]] * 3
        assert visitor.get("/leaderboard?period=week").leaders == [(1, "alice", 1)]
        command(app, "ledger", "verify")
        command(app, "leaderboard", "rebuild")
        command(app, "ledger", "verify")

    @pytest.mark.usefixtures("friends")
    def test_ends_them_there_too(self, app, place: Place):
        with app.app_context():
            board = ranking.from_sql(Period.MONTH, place.today)
        assert board.until == midnight(date(2026, place.here.month + 1, 1), place.zone)
        assert board.until.astimezone(place.zone).hour == 0

    @pytest.mark.usefixtures("friends")
    def test_is_right_after_another_zone_and_back(self, app, place: Place, clock, visitor):
        redis = app.extensions["redis"]
        with app.app_context():
            leaderboard.catch_up(redis, clock())
            rules.change({"timezone": "UTC"}, clock())
        befriend(app, "bob", 2, place.today)
        expected = visitor.get("/leaderboard?period=week").leaders
        with app.app_context():
            leaderboard.catch_up(redis, clock())  # which tells the sets of UTC alone
            assert visitor.get("/leaderboard?period=week").leaders == expected
            assert leaderboard.differences(redis, clock()) == []
            rules.change({"timezone": place.zone.key}, clock())
        assert visitor.get("/leaderboard?period=week").leaders == [(1, "bob", 2), (2, "alice", 1)]
        with app.app_context():
            leaderboard.catch_up(redis, clock())
            assert leaderboard.differences(redis, clock()) == []
        assert visitor.get("/leaderboard?period=week").leaders == [(1, "bob", 2), (2, "alice", 1)]

    @pytest.mark.usefixtures("friends")
    def test_costs_no_query_more_than_in_utc(self, app, clock, visitor, count_queries, valkey):
        with app.app_context():
            leaderboard.rebuild(app.extensions["redis"], clock())
        visitor.get("/leaderboard?period=month")
        for key in valkey.client.keys("answer*"):
            valkey.client.delete(key)
        with count_queries() as statements:
            visitor.get("/leaderboard?period=month")
        assert len(statements) == 1, statements


class TestGrowth:
    def test_months_begin_there(self, app, place: Place, admin: Person):
        first = place.here.date().replace(day=1)
        members(app, ["last"], place.month - SECOND)
        members(app, ["early", "late"], place.month)
        days = DateRange(first - timedelta(days=40), place.here.date(), place.zone)
        with app.app_context():
            found = {month.start: month.organic for month in monthly.monthly(days, place.here.date())}
        assert found[first] == 3  # with who runs the program
        assert found[(first - timedelta(days=1)).replace(day=1)] == 1
        page = admin.get("/admin/")
        assert row_of(page, "monthly", "month", f"{first:%Y-%m}").all("td")[0].text == "3"
        (row,) = table(admin, "monthly", f"?from={first}&to={first}")
        assert row["organic"] == "3"
        assert f"{first:%b} 2026" in command(app, "growth", "report")
        assert f"{first:%Y-%m},3," in command(app, "growth", "report", "--csv")

    def test_days_of_a_range_begin_there(self, app, place: Place):
        """A friend who came at the last second of Saturday, and one of Sunday's, the day on which clocks changed."""
        member(app, "alice", utc(2026, 1, 1))
        sunday = place.week.astimezone(place.zone).date() - timedelta(days=1)
        befriend(app, "alice", 1, midnight(sunday, place.zone) - SECOND)
        befriend(app, "alice", 2, midnight(sunday, place.zone))
        befriend(app, "alice", 4, midnight(sunday + timedelta(days=1), place.zone) - SECOND)
        befriend(app, "alice", 8, midnight(sunday + timedelta(days=1), place.zone))
        with app.app_context():
            found = funnel.read(DateRange(sunday, sunday, place.zone), place.here)
        assert found.total.signups == 6

    def test_cohorts_and_headlines_are_of_its_months(self, app, place: Place):
        first = place.here.date().replace(day=1)
        members(app, ["before"], place.month - SECOND)
        members(app, ["after"], place.month)
        befriend(app, "before", 2, place.month + SECOND)
        befriend(app, "after", 1, place.month + SECOND)
        with app.app_context():
            months = monthly.monthly(ranges.usual(place.here), place.here.date())
            found = {cohort.month: cohort.windows[0].friends for cohort in cohorts.read(months, place.here).months}
            told = headlines.read("points", place.here)
        assert found[first] == 1
        assert found[(first - timedelta(days=1)).replace(day=1)] == 2
        assert (told.joined.now, told.joined.last_month) == (4, 1)

    @pytest.mark.parametrize("name", ["Pacific/Auckland", "America/New_York", "Asia/Kathmandu", "UTC"])
    def test_a_day_in_sql_is_the_day_there(self, app, name: str):
        zone = ZoneInfo(name)
        year = DateRange(date(2026, 1, 1), date(2026, 12, 31), zone)
        moments = [
            midnight(day, zone) + shift
            for day in (date(2026, month, each) for month in range(1, 13) for each in (1, 4, 5, 8, 9, 27, 28))
            for shift in (-SECOND, timedelta(), timedelta(hours=3))
        ]
        members(app, [f"member{number}" for number in range(len(moments))], utc(2026, 1, 1))
        with app.app_context():
            for profile, moment in zip(db.session.scalars(select(Profile).order_by(Profile.id)), moments, strict=True):
                profile.created = moment
            db.session.commit()
            rows = db.session.execute(
                select(Profile.created, ranges.local_day(Profile.created, year)).order_by(Profile.id)
            ).all()
        assert [day for _, day in rows] == [moment.astimezone(zone).date() for moment in moments]


class TestVisits:
    def test_are_booked_on_the_day_they_came_there(self, app, alice: Person, clock, visitor, records):
        command(app, "program", "set", "timezone", "Pacific/Auckland")
        alice.sign_up()
        clock.now = utc(2026, 9, 26, 11, 59)  # 23:59 on the last day before summer time
        for link in (alice.link,) * 2:
            visitor.get(f"/{link.rstrip('/').rpartition('/')[2]}/", 302)
        clock.now = utc(2026, 9, 26, 12, 0)
        visitor.get(f"/{alice.code}/", 302)
        clock.now = utc(2026, 9, 27, 10, 59, 59)  # after 23 hours of it
        visitor.get(f"/{alice.code}/", 302)
        clock.now = utc(2026, 9, 27, 11, 0)
        visitor.get(f"/{alice.code}/", 302)
        found = [(row.day, row.visits) for row in records.visits()]
        assert found == [(date(2026, 9, 26), 2), (date(2026, 9, 27), 2), (date(2026, 9, 28), 1)]

    def test_where_half_an_hour_counts(self, app, alice: Person, clock, visitor, records):
        command(app, "program", "set", "timezone", "Asia/Kathmandu")  # 5 hours and 45 minutes ahead
        alice.sign_up()
        code = alice.code
        for moment in (utc(2026, 5, 3, 18, 14, 59), utc(2026, 5, 3, 18, 15)):
            clock.now = moment
            visitor.get(f"/{code}/", 302)
        assert [row.day for row in records.visits()] == [date(2026, 5, 3), date(2026, 5, 4)]

    def test_are_kept_by_day_for_ninety_days_there(self, app, place: Place, records):
        member(app, "alice", utc(2025, 1, 1))
        edge = place.here.date() - visits.DAYS_KEPT

        def fill() -> None:
            for day in (edge - timedelta(days=1), edge):
                row = VisitDaily(profile_id=1, day=day, channel="link", visits=1, visitors=1, bots=0)
                db.session.add(row)

        records.change(fill)
        with app.app_context():
            visits.fold(place.here)
        assert [row.day for row in records.all(VisitDaily)] == [visits.FOLDED, edge]


def test_the_digest_is_of_the_week_there(app, place: Place, records):
    members(app, ["alice", "bob"], utc(2026, 1, 1))
    befriend(app, "alice", 1, place.week - SECOND)
    befriend(app, "bob", 1, place.week)
    with app.app_context():
        assert digest.queue_due(place.here) == 1
    (message,) = records.all(OutboxMessage, kind=MessageKind.WEEKLY_DIGEST)
    assert (message.user_id, message.payload["confirmed"]) == (1, 1)


def test_pages_and_filters_go_by_the_days_there(app, admin: Person, alice: Person, clock, records):
    command(app, "program", "set", "timezone", "America/New_York")
    clock.now = utc(2026, 3, 8, 4, 30)  # Saturday, 23:30
    alice.sign_up()
    befriend(app, "alice", 1, clock())
    assert "7 March" in alice.get("/dashboard/rewards").text
    clock.now = utc(2026, 3, 9, 12)
    (entry,) = records.all(RewardEntry)
    assert entry.created == utc(2026, 3, 8, 4, 30)
    listed = admin.get("/admin/rewards/?flt_written_since=2026-03-07&flt_written_until=2026-03-07").text
    assert "2026-03-07 23:30" in listed
    assert "2026-03-07 23:30" not in admin.get("/admin/rewards/?flt_written_since=2026-03-08").text


@pytest.mark.parametrize(("since", "state"), [("2026-03-03", "rejected"), ("2026-03-04", "confirmed")])
def test_a_customer_of_the_same_day_there_was_none_before(
    app, alice: Person, bob: Person, clock, records, tmp_path, since: str, state: str
):
    command(app, "program", "set", "timezone", "America/New_York")
    clock.now = utc(2026, 3, 5, 1)  # 20:00 on the fourth
    (tmp_path / "list.csv").write_text(f"email,customer_since\n{bob.email},{since}\n")
    command(app, "customers", "import", str(tmp_path / "list.csv"))
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.confirm_address()
    assert records.one(Referral).state == state


class TestSettingIt:
    def test_on_the_command_line_and_in_the_panel(self, app, admin: Person, records):
        assert '"timezone": "Europe/Berlin"' in command(app, "program", "set", "timezone", "Europe/Berlin", "--json")
        form = admin.get("/admin/program/edit").form("/admin/program/preview")
        assert form.one('[name="timezone"]')["value"] == "Europe/Berlin"
        command(app, "program", "preset", "paypal")
        assert records.all(Program)[-1].timezone == "Europe/Berlin"

    @pytest.mark.parametrize("name", ["Mars/Olympus_Mons", "europe/berlin", "CEST", "", "../../etc/passwd", "Europe"])
    def test_what_is_no_zone_is_refused(self, app, records, name: str):
        assert "IANA name" in command(app, "program", "set", "timezone", name, expect=1)
        records.one(Program)


@pytest.mark.parametrize(
    "name", ["Pacific/Auckland", "America/New_York", "Africa/Casablanca", "Asia/Kathmandu", "America/Santiago", "UTC"]
)
def test_the_clocks_of_a_zone_are_known_to_the_second(name: str):
    zone, since = ZoneInfo(name), date(2020, 1, 1)
    known = offsets(zone, since, date(2026, 12, 31))
    for change, offset in known[1:]:
        assert change.astimezone(zone).utcoffset() == offset
        assert (change - SECOND).astimezone(zone).utcoffset() != offset
    for hours in range(0, 7 * 365 * 24, 5):
        moment = midnight(since, UTC) + timedelta(hours=hours)
        offset = [offset for change, offset in known if change <= moment][-1]
        assert moment.astimezone(zone).utcoffset() == offset


def test_a_day_begins_later_where_midnight_is_left_out():
    """In Chile clocks are put forward at midnight, from Saturday straight to one o'clock on Sunday."""
    santiago = ZoneInfo("America/Santiago")
    assert midnight(date(2026, 9, 6), santiago) == utc(2026, 9, 6, 4)
    assert (midnight(date(2026, 9, 6), santiago) - SECOND).astimezone(santiago).day == 5
