"""The growth page: signups, the funnel, top referrers, and any span of days."""

from datetime import UTC, date, datetime, timedelta

import pytest

from referralhub.extensions import db
from referralhub.models import (
    Channel,
    Profile,
    Referral,
    ReferralState,
    User,
    VisitDaily,
)
from referralhub.services.growth import monthly, ranges
from referralhub.services.growth.ranges import DateRange
from referralhub.services.links.visits import FOLDED
from tests.factories import befriend, member, members
from tests.growth import CSV_NAMES, MARCH, NOW, SPRING, cells, moment, row_of, table
from tests.people import Person

# What is about a form, and about the database in nothing that other tests are not.
one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def june(clock) -> None:
    """Before anybody is there: who runs the program joined and signed in today."""
    clock.now = NOW


def test_this_month_stands_against_the_last_by_the_same_time(app, admin: Person):
    member(app, "anna", moment(5, 1))
    befriend(app, "anna", 3, moment(5, 10))
    befriend(app, "anna", 4, moment(5, 20))  # May is half over by then, as June is now
    befriend(app, "anna", 5, moment(6, 2))
    tiles = {tile.one("dd")["data-figure"]: tile for tile in admin.get("/admin/").all("[data-tile]")}
    figures = {name: tile.one("dd")["data-value"] for name, tile in tiles.items()}
    assert figures | {"k": None} == {"members": "6", "referrals": "5", "credit": "50", "k": None}  # with the admin
    assert "+2 (66.7%) on the same time last month; 7 in all of last month" in tiles["referrals"].text
    assert "+20 points (66.7%) on the same time last month; 70 points" in tiles["credit"].text
    assert "+2 (50.0%) on the same time" in tiles["members"].text
    assert "14 members in all" in tiles["members"].text


class TestArticle:
    @pytest.fixture(autouse=True)
    def _article(self, app) -> None:
        assert app.test_cli_runner().invoke(args=["seed", "article"]).exit_code == 0

    def test_the_page_has_the_articles_table(self, admin: Person):
        page = admin.get(f"/admin/{SPRING}")
        rows = {row["data-month"]: cells(row) for row in page.one("#monthly").all("[data-month]")}
        assert rows == {
            "2026-01": ["127", "43", "33.9%", "0.34", "25.3%", "170"],
            "2026-02": ["298", "187", "62.8%", "0.63", "38.6%", "655"],
            "2026-03": ["401", "573", "142.9%", "1.43", "58.8%", "1,629"],
        }
        assert "March 2026: 401 organic and 573 referred" in page.one("#monthly").one('[role="img"]')["aria-label"]

    def test_so_has_the_csv(self, admin: Person):
        rows = table(admin, "monthly")
        assert [(row["month"], row["organic"], row["referred"]) for row in rows] == [
            ("2026-01", "127", "43"), ("2026-02", "298", "187"), ("2026-03", "401", "573"),
        ]  # fmt: skip
        assert [row["referred_per_organic"] for row in rows] == ["0.3386", "0.6275", "1.4289"]
        assert rows[-1]["members"] == "1629"

    def test_a_range_gives_whole_months_and_counts_members_of_before(self, admin: Person):
        page = admin.get("/admin/?from=2026-02-20&to=2026-02-21")
        (month,) = page.one("#monthly").all("[data-month]")
        assert cells(month) == ["298", "187", "62.8%", "0.63", "38.6%", "655"]


def test_a_month_in_which_nobody_joined_is_there_with_nothing(admin: Person, app):
    member(app, "alice", moment(1, 5))
    member(app, "bob", moment(4, 5))
    rows = admin.get("/admin/?from=2026-01-01&to=2026-05-31").one("#monthly").all("[data-month]")
    found = {row["data-month"]: (cells(row)[0], cells(row)[1], cells(row)[-1]) for row in rows}
    assert found == {
        "2026-01": ("1", "0", "1"), "2026-02": ("0", "0", "1"), "2026-03": ("0", "0", "1"),
        "2026-04": ("1", "0", "2"), "2026-05": ("0", "0", "2"),
    }  # fmt: skip
    lines = table(admin, "monthly", "?from=2026-01-01&to=2026-05-31")
    assert [(line["month"], line["members"], line["referred_per_organic"]) for line in lines][1:3] == [
        ("2026-02", "1", ""), ("2026-03", "1", ""),
    ]  # fmt: skip


def test_downloads_begin_with_the_mark_by_which_spreadsheets_know_accents(admin: Person, app):
    member(app, "alice", moment(1, 5))
    for path in ("growth/monthly.csv", "members/rows.csv", "rewards/rows.csv"):
        assert admin.file(f"/admin/{path}").get_data().startswith(b"\xef\xbb\xbf")


class TestFunnel:
    @pytest.fixture(autouse=True)
    def _visits(self, app, records) -> None:
        member(app, "alice", moment(1, 1))
        befriend(app, "alice", 4, moment(5, 10), channel=Channel.X)
        befriend(app, "alice", 1, moment(5, 12), ReferralState.PENDING, Channel.X)
        befriend(app, "alice", 1, moment(5, 12), ReferralState.HELD, Channel.X)
        befriend(app, "alice", 2, moment(5, 31, 23), channel=Channel.CODE)
        befriend(app, "alice", 3, moment(6, 1), channel=Channel.X)  # not in May any more
        friends = db.select(Profile.user_id).join(Referral, Referral.friend_id == Profile.id)
        waiting = friends.where(Referral.state == ReferralState.PENDING)

        def visits() -> None:
            for day, visitors in ((date(2026, 5, 1), 30), (date(2026, 5, 31), 18), (date(2026, 6, 1), 99)):
                db.session.add(_visit(day, visitors))
            db.session.add(_visit(FOLDED, 1000))
            db.session.execute(db.update(User).where(User.id.in_(waiting)).values(verified_at=None))

        records.change(visits)

    def test_the_stages_by_channel(self, admin: Person):
        page = admin.get("/admin/?from=2026-05-01&to=2026-05-31")
        assert cells(row_of(page, "funnel", "channel", "x")) == ["48", "6", "12.5%", "5 83.3%", "4 66.7%"]
        assert cells(row_of(page, "funnel", "channel", "code")) == ["0", "2", "–", "2 100.0%", "2 100.0%"]
        assert cells(row_of(page, "funnel", "channel", "all")) == ["48", "8", "16.7%", "7 87.5%", "6 75.0%"]
        assert "90 days" not in page.one("#funnel").text

    def test_the_same_as_csv(self, admin: Person):
        rows = table(admin, "funnel", "?from=2026-05-01&to=2026-05-31")
        assert [list(row.values()) for row in rows] == [
            ["x", "48", "6", "0.125", "5", "4"],
            ["code", "0", "2", "", "2", "2"],
            ["all", "48", "8", "0.1667", "7", "6"],
        ]

    def test_what_was_folded_is_in_no_range_and_older_signups_are_not_compared(self, admin: Person, records):
        def old() -> None:
            db.session.add(_visit(date(2026, 2, 1), 7))  # the worker has not folded it yet

        records.change(old)
        befriend(admin.post_office.app, "alice", 10, moment(2, 1), channel=Channel.X)
        assert "Nobody followed a link" in admin.get("/admin/?from=2000-01-01&to=2004-12-31").text
        page = admin.get("/admin/?from=2026-01-01&to=2026-05-31")
        assert cells(row_of(page, "funnel", "channel", "x"))[:3] == ["55", "16", "12.5%"]
        assert "since 17 March" in page.one("#funnel").text


def _visit(day: date, visitors: int) -> VisitDaily:
    return VisitDaily(profile_id=1, day=day, channel=Channel.X, visits=2 * visitors, visitors=visitors, bots=5)


class TestReferrers:
    def test_who_brought_the_most_in_the_range(self, admin: Person, app):
        for name in ("alice", "bob", "charlie"):
            member(app, name, moment(1, 1))
        befriend(app, "alice", 9, moment(2, 28))
        befriend(app, "bob", 1, moment(3, 1))
        befriend(app, "charlie", 3, moment(3, 31))
        befriend(app, "charlie", 5, moment(3, 31), ReferralState.HELD)
        page = admin.get(f"/admin/{MARCH}")
        rows = [(row["data-referrer"], *cells(row)) for row in page.one("#referrers").all("[data-referrer]")]
        assert rows == [("charlie", "3", "75.0%"), ("bob", "1", "25.0%")]

    def test_at_most_ten_are_named(self, admin: Person, app):
        members(app, [f"member{number}" for number in range(12)], moment(1, 1))
        for number in range(12):
            befriend(app, f"member{number}", 1, moment(3, 1))
        assert len(table(admin, "referrers", MARCH)) == 10

    def test_names_that_a_spreadsheet_would_run_are_defused(self, admin: Person, app, records):
        member(app, "alice", moment(1, 1))
        befriend(app, "alice", 1, moment(3, 1))
        evil = '=HYPERLINK("http://evil.example")'
        records.change(lambda: db.session.execute(db.update(User).values(display_name=evil)))
        assert table(admin, "referrers", MARCH)[0]["member"] == f"'{evil}"


class TestRange:
    @one_database
    @pytest.mark.parametrize(
        ("query", "field", "words"),
        [
            ("from=banana", "from", "Use a date such as"),
            ("from=2026-02-30", "from", "Use a date such as"),
            ("to=1999-12-31", "to", "from 2000 to 2100"),
            ("to=99999-01-01", "to", "Use a date such as"),
            ("from=20260101", "from", "Use a date such as"),
            ("from=2026-01-01%00", "from", "Use a date such as"),
            ("from=2026-03-01&to=2026-02-01", "to", "before the first day"),
            ("from=2021-01-01&to=2026-01-01", "to", "at most 5 years"),
        ],
    )
    def test_what_makes_no_range_is_explained_and_the_usual_one_is_shown(
        self, admin: Person, app, query: str, field: str, words: str
    ):
        member(app, "alice", moment(1, 1))
        page = admin.get(f"/admin/?{query}")
        assert words in page.error_at(field)
        assert page.wrong_fields == {field}
        assert "last twelve months instead" in page.text
        assert len(page.one("#monthly").all("[data-month]")) == 6  # January to June, whether anybody joined or not
        admin.get(f"/admin/growth/monthly.csv?{query}", 400)

    @one_database
    def test_the_usual_range_is_twelve_whole_months_and_this_one(self, admin: Person):
        page = admin.get("/admin/")
        assert page.one('[name="from"]')["value"] == "2025-06-01"
        assert page.one('[name="to"]')["value"] == "2026-06-15"
        assert ranges.usual(moment(1, 31)) == DateRange(date(2025, 1, 1), date(2026, 1, 31))

    @one_database
    def test_one_of_the_two_is_enough(self, admin: Person):
        page = admin.get("/admin/?from=2026-02-03&to=")
        assert page.one('[name="from"]')["value"] == "2026-02-03"
        assert page.one('[name="to"]')["value"] == "2026-06-15"
        assert admin.get("/admin/?from=2021-01-01&to=2025-12-31").wrong_fields == set()

    @one_database
    def test_the_range_goes_along_with_every_table(self, admin: Person, app):
        member(app, "alice", moment(1, 1))
        befriend(app, "alice", 1, moment(2, 1))
        page = admin.get(f"/admin/{SPRING}")
        links = [link["href"] for link in page.all("a[href]") if link["href"].endswith(f".csv{SPRING}")]
        assert sorted(links) == sorted(f"/admin/growth/{name}.csv{SPRING}" for name in CSV_NAMES)

    def test_before_anybody_joined(self, admin: Person):
        page = admin.get("/admin/?from=2020-01-01&to=2020-12-31")
        assert "Nobody joined in this time" in page.text
        for name in CSV_NAMES:
            rows = table(admin, name, "?from=2020-01-01&to=2020-12-31")
            assert [row for row in rows if row.get("channel") != "all"] == []

    @one_database
    def test_there_are_no_other_tables(self, admin: Person):
        for name in ("users", "", "MONTHLY", "monthly.csv", "..%2Fmonthly"):
            admin.get(f"/admin/growth/{name}.csv", 404)


def test_months_are_utc_whatever_the_database_thinks(app, database: str):
    member(app, "alice", datetime(2026, 1, 31, 23, 30, tzinfo=UTC))
    member(app, "bob", datetime(2026, 3, 1, 0, 30, tzinfo=UTC))
    with app.app_context():
        if database == "postgresql":
            db.session.execute(db.text("SET TIME ZONE 'Pacific/Kiritimati'"))
        assert [(month.month, month.organic) for month in monthly.monthly()] == [(1, 1), (2, 0), (3, 1)]
        if database == "postgresql":
            db.session.execute(db.text("SET TIME ZONE 'Pacific/Pago_Pago'"))
        assert [(month.month, month.organic) for month in monthly.monthly()] == [(1, 1), (2, 0), (3, 1)]


def test_as_many_queries_for_many_members_as_for_few(admin: Person, app, count_queries):
    def count() -> list[int]:
        numbers = []
        for path in ("/admin/", *(f"/admin/growth/{name}.csv" for name in CSV_NAMES)):
            with count_queries() as statements:
                admin.file(path)
            numbers.append(len(statements))
        return numbers

    member(app, "alice", NOW - timedelta(days=100))
    befriend(app, "alice", 3, NOW - timedelta(days=90))
    few = count()
    for days in range(1, 80, 8):
        befriend(app, "alice", 20, NOW - timedelta(days=days))
    assert count() == few
