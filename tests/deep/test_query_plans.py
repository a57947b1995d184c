"""With a million members each page and form finds its rows by index, and those of a typical member read little."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub import create_app
from referralhub.clock import system_clock
from referralhub.extensions import db
from referralhub.models import ONLY_PRODUCT, Scope
from referralhub.services.accounts import signup
from referralhub.services.integration import keys
from referralhub.services.ledger import leaderboard
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from tests.conftest import make_settings
from tests.deep import walk, walk_api, walk_panel
from tests.deep.conftest import Million
from tests.deep.plans import Plan, Plans
from tests.functional.api.conftest import Shop
from tests.functional.sample.test_growth import look_at_tables
from tests.people import Person, PostOffice

pytestmark = pytest.mark.deep

YEAR = (Path(__file__).parent / "busy_year.sql").read_text(encoding="utf-8")
GROWS = 10_000  # rows; a table with more has them because there are many members
# Tables that have few rows however many members there are: what the operator sets, whom an admin is to a provider, and
# what waits for moments only. A version of the rules or the brand is a row, and so is each key that was withdrawn.
SMALL = {
    "alembic_version", "api_key", "brand", "logo", "own_text", "perk", "program", "webhook_endpoint",
    "identity",
    "daily_salt", "figure_change", "leaderboard_change", "reset_request",
}  # fmt: skip
LARGE = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > :rows
"""
LITTLE = 500  # blocks of 8 kB, for one statement
PART = 1000  # for 21 rows and what belongs to each: both members of a referral, their accounts and numbers, the reason
FOR_GROWTH = {
    "ix_profile_created_referred_by_id", "ix_profile_id_created", "ix_referral_referrer_state_created",
    "ix_reward_entry_created", "ix_user_unverified", "ix_profile_ranking", "ix_referral_state_decided",
}  # fmt: skip
GROWTH_READS = 100_000  # blocks, for all of its statements
# Endpoints: what adds up the whole program, of which the API's call is looked at below, and files.
NOT_OF_MEMBERS = {"metrics.scrape", "api.get_growth", "static"}
# Of those who came by nobody and brought nobody: some below one of them, and some below each of these.
WIRE = """
WITH free AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place FROM (
        SELECT id FROM profile WHERE referred_by_id IS NULL AND id > :top
        AND NOT EXISTS (SELECT FROM profile friend WHERE friend.referred_by_id = profile.id) ORDER BY id LIMIT :people
    ) found
)
UPDATE profile SET referred_by_id = coalesce(above.id, :top)
FROM free LEFT JOIN free above ON free.place > :each AND above.place = (free.place - 1) / :each
WHERE profile.id = free.id
"""
PEOPLE = 100_000  # in such a network
SALES = {"heavy": 100, "typical": 6}  # which are told of in one call
PRODUCTS = (ONLY_PRODUCT, "app")  # the second one has not told anything for long
WHO = {
    "heavy": "SELECT user_id FROM profile WHERE listed ORDER BY referral_count DESC, id LIMIT 1",
    "typical": "SELECT user_id FROM profile WHERE listed AND referral_count = 3 AND id > 500000 ORDER BY id LIMIT 1",
}


@dataclass
class Installation:
    """The program with a million members, what is heard of its plans, and which routes were asked for."""

    app: Flask
    plans: Plans
    large: set[str]
    asked: set[tuple[str, str]]
    keys: dict[str, str]  # of products

    def shop(self, product: str = ONLY_PRODUCT) -> Shop:
        """Give a product that uses the API."""
        return Shop(self.app, self.keys[product])

    def found_for(self, action: Callable[[], object]) -> list[Plan]:
        """Do something, and give the plans by which it was carried out."""
        self.plans.found = []
        action()
        return self.plans.found

    def read_through(self, plans: Iterable[Plan]) -> dict[str, set[str]]:
        """Name the statements that read a large table from end to end, each once, where it took longest."""
        slowest = {plan.statement: plan for plan in sorted(plans, key=lambda plan: plan.milliseconds)}
        return {str(plan): read for plan in slowest.values() if (read := plan.read_through() & self.large)}


@pytest.fixture(scope="module")
def installation(million: Million, valkey, tmp_path_factory) -> Iterator[Installation]:
    folder, plans, asked = tmp_path_factory.mktemp("plans"), Plans(), set()
    app = create_app(make_settings(million.url, valkey.url, folder, ratelimit_enabled=False))
    with app.app_context():
        with db.engine.begin() as connection:
            connection.connection.driver_connection.execute(YEAR)
        rules.change({"email_invitations": True, "personal_landing": True}, system_clock())
        products = {each: keys.create(each, Scope, OPERATOR, system_clock(), product=each)[1] for each in PRODUCTS}
        signup.create_admin("warden", "warden@example.com", "warden likes tea", system_clock())
        leaderboard.rebuild(app.extensions["redis"], system_clock())
        look_at_tables()
        db.engine.dispose()
        plans.listen(db.engine)
        large = set(db.session.scalars(text(LARGE), {"rows": GROWS}))
    inner, routes = app.wsgi_app, app.url_map.bind("localhost")

    def asking(environ: dict[str, Any], start_response: Any) -> Any:
        query = environ["QUERY_STRING"] and f"?{environ['QUERY_STRING']}"
        plans.page = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{query}"
        endpoint, _ = routes.match(environ["PATH_INFO"], environ["REQUEST_METHOD"])
        asked.add((environ["REQUEST_METHOD"], endpoint))
        answer = inner(environ, start_response)
        if environ["REQUEST_METHOD"] != "GET":  # what the worker is woken for; until it is done, places are counted
            with app.app_context():
                leaderboard.catch_up(app.extensions["redis"], system_clock())
        return answer

    app.wsgi_app = asking
    yield Installation(app, plans, large, asked, products)
    with app.app_context():
        db.engine.dispose()
    app.extensions["redis"].close()


@pytest.fixture(scope="module")
def walked(installation: Installation) -> dict[str, list[Plan]]:
    """Everything that was done for the member who brought the most, and for one who brought three; and for products."""
    of_members = {who: installation.found_for(partial(do_everything, installation, who)) for who in WHO}
    products = (installation.shop(each) for each in PRODUCTS)
    return of_members | {"all": installation.found_for(lambda: walk_api.ask_about_all(*products, system_clock()))}


def do_everything(installation: Installation, who: str) -> None:
    """Let a member, and the product of which they are a customer, do everything that there is to do."""
    app = installation.app
    post_office = PostOffice(app)
    with app.app_context():
        user_id = db.session.scalar(text(WHO[who]))
    member = walk.known_as(post_office, user_id)
    member.sign_in()
    walk.look_around(member)
    walk.fill_in_forms(member, user_id)
    friend = walk.bring(member, f"friend-of-{who}")
    walk.look_around(friend)
    walk_api.speak_of(installation.shop(), member, user_id, SALES[who])
    friend.delete_account()
    member.delete_account()


def test_each_table_is_large_here_or_known_to_be_small(installation: Installation):
    assert installation.large | SMALL == {*db.metadata.tables, "alembic_version"}
    assert not installation.large & SMALL


def test_each_route_was_asked_for(installation: Installation, walked: dict[str, list[Plan]]):
    routes = {
        (method, rule.endpoint)
        for rule in installation.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith("admin") and rule.endpoint not in NOT_OF_MEMBERS
    }
    assert routes - installation.asked == set()


@pytest.mark.parametrize("who", [*WHO, "all"])
def test_no_table_that_grows_is_read_through(installation: Installation, walked, capfd, who: str):
    slowest = sorted(walked[who], key=lambda plan: -plan.milliseconds)[:5]
    with capfd.disabled():
        sys.stdout.write(f"\n{len(walked[who])} statements; the slowest:\n")
        sys.stdout.write("".join(f"{plan!s:.150}\n" for plan in slowest))
    assert installation.read_through(walked[who]) == {}


def test_a_page_of_a_typical_member_reads_little(walked: dict[str, list[Plan]]):
    assert [str(plan) for plan in walked["typical"] if plan.blocks > LITTLE] == []


def test_a_part_of_a_list_of_everybodys_reads_little(walked: dict[str, list[Plan]]):
    assert [str(plan) for plan in walked["all"] if plan.blocks > PART] == []


@pytest.mark.parametrize("table", ["referral", "reward_entry", "reward", "redemption", "invitation"])
def test_no_part_of_a_list_reads_much_more_than_the_first(walked: dict[str, list[Plan]], table: str):
    parts = [
        plan.blocks
        for plan in walked["heavy"]
        if plan.page.startswith("GET ")
        and plan.statement.startswith(f"SELECT {table}.id")
        and f"ORDER BY {table}.id DESC" in plan.statement
    ]
    assert len(parts) > 5
    assert max(parts) <= 2 * parts[0], parts


def test_the_growth_page_adds_up_what_indexes_have(installation: Installation, capfd):
    """By the plans, as a clock would measure who else is at work: it read 133,000 blocks before."""
    admin = Person(installation.app, PostOffice(installation.app), "warden")
    admin.sign_in()
    plans = installation.found_for(partial(admin.get, "/admin/"))
    with capfd.disabled():
        sys.stdout.write("\n" + "".join(f"{plan!s:.150}\n" for plan in plans))
    assert set().union(*(plan.indexes() for plan in plans)) >= FOR_GROWTH
    assert sum(plan.blocks for plan in plans) < GROWTH_READS
    told = installation.found_for(partial(installation.shop().ask, "GET", "/growth"))
    assert sum(plan.blocks for plan in told) < GROWTH_READS


def test_the_pages_about_a_product_find_what_they_show_by_index(installation: Installation, capfd):
    admin = Person(installation.app, PostOffice(installation.app), "warden")
    admin.sign_in()
    plans = installation.found_for(partial(walk_panel.look_after_the_connection, admin))
    with capfd.disabled():
        slowest = sorted(plans, key=lambda plan: -plan.milliseconds)[:5]
        sys.stdout.write("\n" + "".join(f"{plan!s:.150}\n" for plan in slowest))
    assert installation.read_through(plans) == {}


@pytest.mark.parametrize(
    ("index", "table", "page"),
    [
        ("ix_signup_facts_sighting_id", "signup_facts", "/account/export"),
        ("ix_profile_friends", "profile", "/dashboard/network"),
        ("ix_sign_in_user_id", "sign_in", "/account/sessions"),
    ],
)
def test_a_lost_index_is_noticed(installation: Installation, index: str, table: str, page: str):
    admin = Person(installation.app, PostOffice(installation.app), "warden")
    admin.sign_in()
    with installation.app.app_context(), db.engine.connect() as connection:
        made = connection.scalar(text("SELECT pg_get_indexdef(CAST(:index AS regclass))"), {"index": index})
        connection.execute(text(f"DROP INDEX {index}"))
        connection.commit()
        plans = installation.found_for(partial(admin.file, page))
        connection.execute(text(made))
        connection.commit()
    assert {table} in installation.read_through(plans).values()


@pytest.mark.parametrize("each", [10, PEOPLE], ids=["deep", "broad"])
def test_a_network_of_very_many_is_found_by_index_and_counted_once_in_a_while(
    installation: Installation, capfd, each: int
):
    """How many friends somebody has on average tells nothing of one with a hundred thousand: no plan may go by it."""
    member = _with_network(installation.app, each)
    plans = installation.found_for(partial(member.get, walk.NETWORK))
    page = member.get(walk.NETWORK)
    assert sum(int(row["data-value"]) for row in page.all("[data-generation]")) >= PEOPLE
    again = installation.found_for(partial(member.get, walk.NETWORK))
    assert len([plan for plan in plans if "number < " in plan.statement]) == 1
    assert not [plan for plan in again if "number < " in plan.statement]
    parts = [anchor["href"] for anchor in page.all("a") if anchor.text == "More"]
    rest = installation.found_for(lambda: [member.get(link) for link in [*walk.branches(member), *parts]])
    with capfd.disabled():
        slowest = sorted([*plans, *rest], key=lambda plan: -plan.milliseconds)[:4]
        sys.stdout.write("\n" + "".join(f"{plan!s:.150}\n" for plan in slowest))
    assert installation.read_through([*plans, *again, *rest]) == {}


def _with_network(app: Flask, each: int) -> Person:
    """Put very many below somebody who came by nobody, `each` below each, and give whoever has them now."""
    with app.app_context():
        free = text("SELECT id, user_id FROM profile WHERE referred_by_id IS NULL ORDER BY id OFFSET :each LIMIT 1")
        top = db.session.execute(free, {"each": each % 7}).one()
        db.session.execute(text(WIRE), {"top": top.id, "people": PEOPLE, "each": each})
        db.session.commit()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE profile"))
    member = walk.known_as(PostOffice(app), top.user_id)
    member.sign_in()
    return member
