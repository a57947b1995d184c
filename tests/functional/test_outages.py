"""Redis or the database is away: a plain page at once, nothing half done, and all is well when it is back."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from referralhub import database as database_ways
from referralhub.models import Channel, OutboxMessage, Profile, Referral, ReferralState, User
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared.figure_changes import TRUSTED
from referralhub.sessions import visit_tokens
from tests.pages import Element, Page, Visitor
from tests.people import Person, PostOffice, path_of
from tests.servers import wait_until

NEEDS_NOTHING = ("/healthz", "/static/css/app.css")
SECONDS = 1.0

Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["redis gone", "redis hangs"])
def redis_outage(request: pytest.FixtureRequest, valkey) -> Outage:
    return {"redis gone": valkey.away, "redis hangs": valkey.hanging}[request.param]


@pytest.fixture
def database_outage(database: str, database_url: str, instance: Path, request: pytest.FixtureRequest) -> Outage:
    if database == "postgresql":
        return request.getfixturevalue("postgresql").away

    @contextmanager
    def moved_away() -> Iterator[None]:
        file = instance / "referralhub.sqlite3"
        file.rename(instance / "elsewhere")
        try:
            yield
        finally:
            assert not file.exists(), "an empty database took its place"
            (instance / "elsewhere").rename(file)

    return moved_away


# Where nothing is written, Redis is taken away on one database: what it does then is never sent to either.
where_nothing_is_written = pytest.mark.parametrize(
    ("database", "outage"),
    [
        ("sqlite", "redis gone"),
        ("sqlite", "redis hangs"),
        ("sqlite", "database gone"),
        ("postgresql", "database gone"),
    ],
    indirect=True,
)


@pytest.fixture(params=["redis gone", "redis hangs", "database gone"])
def outage(request: pytest.FixtureRequest, valkey) -> Outage:
    if request.param == "database gone":
        return request.getfixturevalue("database_outage")
    return {"redis gone": valkey.away, "redis hangs": valkey.hanging}[request.param]


def promptly(look: Callable[[], Page]) -> Page:
    """Look, and be answered in time; a machine that is busy with something else gets two more tries."""
    times = []
    for _ in range(3):
        begun = time.monotonic()
        page = look()
        times.append(time.monotonic() - begun)
        if times[-1] < SECONDS:
            return page
    raise AssertionError(f"it took {times} seconds")


def is_plainly_unavailable(page: Page) -> None:
    assert page.status == 503
    assert "can't reach our database" in page.text
    assert page.headers["Retry-After"] == "5"  # whatever else is counted here
    assert not page.all("form")
    assert page.headers["Cache-Control"] == "no-store"


@where_nothing_is_written
@pytest.mark.parametrize("path", ["/dashboard/", "/leaderboard"])
def test_a_member_sees_a_plain_page(alice: Person, outage: Outage, path: str, valkey):
    alice.sign_up()
    alice.get("/dashboard/")
    valkey.client.delete(TRUSTED)  # as after some seconds: pages are not believed without the database for longer
    with outage():
        is_plainly_unavailable(promptly(lambda: alice.get(path, 503)))
        is_plainly_unavailable(promptly(lambda: alice.get(path, 503)))
    alice.get(path)


@where_nothing_is_written
def test_the_open_dashboard_gets_an_error_it_can_ignore_and_then_its_figures(alice: Person, outage: Outage, valkey):
    alice.sign_up()
    tag = alice.fragment("/dashboard/stats").headers["HX-PTag"]
    valkey.client.delete(TRUSTED)  # as after seconds: figures are not believed without the database for longer
    with outage():
        for path in ("/dashboard/stats", "/dashboard/recent"):
            answer = promptly(lambda path=path: alice.fragment(path, expect=503, HX_PTag=tag))
            assert "HX-PTag" not in answer.headers
            assert "HX-Trigger" not in answer.headers
    alice.fragment("/dashboard/stats", expect=304, HX_PTag=tag)


def test_signing_up_and_in_wait_for_better_times_and_write_nothing(
    alice: Person, bob: Person, charlie: Person, outage: Outage, records
):
    alice.sign_up()
    bob.click(alice.link)
    signup, login = bob.get("/signup").form("/signup"), charlie.get("/login").form("/login")
    values = {"username": "bob", "email": bob.email, "password": bob.password, "password_confirm": bob.password}
    before = records.everything()
    with outage():
        is_plainly_unavailable(promptly(lambda: bob.submit(signup, 503, **values)))
        is_plainly_unavailable(promptly(lambda: charlie.submit(login, 503, username="alice", password=alice.password)))
    assert records.everything() == before


def signup_while_redis_is_away(outage: Outage, friend: Person, link: str) -> Element:
    """Follow a link during an outage; gives the form that is shown then."""
    with outage():
        arrived = promptly(lambda: friend.get(path_of(link), 302))
        assert urlsplit(arrived.location).path == "/signup"
        page = promptly(lambda: friend.follow(arrived))
    assert "Referred by alice" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in page.headers  # there is no session to name
    form = page.form("/signup")
    assert unsealed(friend, form).code == link.split("/")[3]
    return form


def unsealed(friend: Person, form: Element) -> FollowedLink:
    app = friend.client.application
    token = form.one('[name="visit"]')["value"]
    return visit_tokens.unseal(token, app.config["SECRET_KEY"], app.config["CLOCK"]())


def fill_in(friend: Person, form: Element, expect: int = 303, **values: str) -> Page:
    usual = {"username": friend.username, "email": friend.email, "password": friend.password}
    return friend.submit(form, expect, **(usual | {"password_confirm": friend.password} | values))


def test_a_friend_who_comes_while_redis_is_away_is_credited(alice: Person, bob: Person, redis_outage: Outage, records):
    alice.sign_up()
    form = signup_while_redis_is_away(redis_outage, bob, f"{alice.link}?via=whatsapp")
    assert records.visits() == []  # a click that could not be remembered is not counted either
    assert bob.follow(fill_in(bob, form)).one("#referral-link")
    referral = records.one(Referral)
    assert (referral.referrer_id, referral.channel) == (1, Channel.WHATSAPP)
    bob.confirm_address()
    assert alice.get("/dashboard/").stat("total_referrals") == 1


@pytest.mark.one_database
def test_the_form_shown_while_redis_was_away_can_be_corrected_and_sent_again(
    alice: Person, bob: Person, valkey, records
):
    alice.sign_up()
    form = signup_while_redis_is_away(valkey.away, bob, alice.link)
    page = fill_in(bob, form, 422, password_confirm="not the same")
    assert "Referred by alice" in page.text
    fill_in(bob, page.form("/signup"))
    assert records.one(Referral).referrer_id == 1


def test_the_form_shown_while_redis_was_away_works_for_who_had_a_session_before(
    alice: Person, bob: Person, valkey, records
):
    """The session that comes back has a token of its own, which that form does not know."""
    alice.sign_up()
    bob.get("/signup")
    form = signup_while_redis_is_away(valkey.away, bob, alice.link)
    values = {box["name"]: box.attributes.get("value", "") for box in form.all("input[name]")}
    values |= {"username": "bob", "email": bob.email, "password": bob.password, "password_confirm": bob.password}
    bob.post("/signup", values, 303, headers={"Origin": "http://localhost"})
    assert records.one(Referral).referrer_id == 1


def used_before(friend: Person, form: Element) -> None:
    first = Person(friend.post_office.app, friend.post_office, "first")
    fill_in(first, form)
    first.client.delete_cookie("referralhub")


def tampered(friend: Person, form: Element) -> None:
    form.one('[name="visit"]').attributes["value"] += "x"
    form.one('[name="csrf_token"]').attributes["value"] = (
        friend.get("/signup").form("/signup").one('[name="csrf_token"]')["value"]
    )


def too_old(friend: Person, form: Element) -> None:
    friend.post_office.app.config["CLOCK"].advance(days=31)
    tampered(friend, form)


@pytest.mark.parametrize("spoil", [used_before, tampered, too_old], ids=lambda spoil: spoil.__name__)
@pytest.mark.one_database
def test_a_token_that_is_spoilt_gives_an_account_and_no_credit(
    alice: Person, bob: Person, valkey, records, spoil: Callable[[Person, Element], None]
):
    alice.sign_up()
    form = signup_while_redis_is_away(valkey.away, bob, alice.link)
    spoil(bob, form)
    fill_in(bob, form)
    user = records.one(User, username="bob")
    assert records.one(Profile, user_id=user.id).referred_by_id is None
    assert records.all(Referral, friend_id=user.id) == []


@pytest.mark.one_database
def test_a_dead_link_leads_home_while_redis_is_away(bob: Person, valkey):
    with valkey.away():
        assert bob.get("/zzzzzzzz/", 302).location == "/"


@pytest.mark.one_database
def test_crawlers_get_their_preview_while_redis_is_away(alice: Person, visitor: Visitor, redis_outage: Outage):
    alice.sign_up()
    path = path_of(alice.link)
    with redis_outage():
        page = promptly(lambda: visitor.get(path, headers={"User-Agent": "Twitterbot/1.0"}))
    assert "alice invites you" in page.one("title").text


def test_a_link_does_not_work_without_the_database(alice: Person, bob: Person, database_outage: Outage):
    alice.sign_up()
    path = path_of(alice.link)
    with database_outage():
        is_plainly_unavailable(promptly(lambda: bob.get(path, 503)))
        is_plainly_unavailable(promptly(lambda: bob.get("/", 503)))
    assert "alice" in bob.click(path).text


def test_a_session_outlives_the_databases_absence(alice: Person, bob: Person, database_outage: Outage, records):
    """The link that was followed before is still known after."""
    alice.sign_up()
    bob.click(alice.link)
    form = bob.get("/signup").form("/signup")
    values = {"username": "bob", "email": bob.email, "password": bob.password, "password_confirm": bob.password}
    with database_outage():
        bob.submit(form, 503, **values)
    bob.submit(form, 303, **values)
    assert records.one(Referral).referrer_id == 1


def test_confirming_again_after_an_outage_credits_once(alice: Person, bob: Person, outage: Outage, valkey, records):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    path = bob.verification_path()
    form = bob.get(path).form(path)
    with outage():
        bob.submit(form, 503)
    assert records.one(Referral).state is ReferralState.PENDING
    if not bob.session_id() or not valkey.client.exists(f"session:{bob.session_id()}"):
        form = bob.get(path).form(path)  # the suite's Redis keeps nothing on disk: the page must be opened again
    bob.submit(form)
    assert records.one(Referral).state is ReferralState.CONFIRMED


@pytest.mark.one_database
def test_health_tells_which_service_is_away(visitor: Visitor, redis_outage: Outage):
    with redis_outage():
        assert promptly(lambda: visitor.get("/healthz")).response.json == {"status": "ok"}
        ready = promptly(lambda: visitor.get("/readyz", 503)).response.json
        assert ready == {"database": "ok", "redis": "unreachable"}
    assert visitor.get("/readyz").response.json == {"database": "ok", "redis": "ok"}


def test_health_tells_that_the_database_is_away(visitor: Visitor, database_outage: Outage):
    visitor.get("/readyz")
    with database_outage():
        assert promptly(lambda: visitor.get("/healthz")).response.json == {"status": "ok"}
        ready = promptly(lambda: visitor.get("/readyz", 503)).response.json
        assert ready == {"database": "unreachable", "redis": "ok"}
    assert visitor.get("/readyz").response.json == {"database": "ok", "redis": "ok"}


@pytest.mark.one_database
def test_a_silent_redis_is_waited_for_once(alice: Person, bob: Person, visitor: Visitor, valkey):
    """Not once for each touch, nor for each request: with a few threads all the site would stand still."""
    alice.sign_up()
    link = path_of(alice.link)
    with valkey.hanging():
        alice.get("/dashboard/", 503)
        begun = time.monotonic()
        for _ in range(5):
            alice.get("/dashboard/", 503)
            bob.get(link, 302)
            visitor.get("/signup")
            visitor.get("/readyz", 503)
        assert time.monotonic() - begun < SECONDS
    wait_until(lambda: visitor.get("/readyz", None).status == 200, "Redis is found back by itself", patience=SECONDS)
    alice.get("/dashboard/")


@where_nothing_is_written
@pytest.mark.parametrize("path", NEEDS_NOTHING)
def test_what_needs_no_service_needs_none(visitor: Visitor, outage: Outage, path: str):
    with outage():
        assert visitor.file(path).status_code == 200


def test_an_application_that_starts_without_redis_serves_when_it_comes(make_app, valkey):
    with valkey.away():
        visitor = Visitor(make_app())
        visitor.get("/healthz")
        is_plainly_unavailable(visitor.get("/login", 503))
        visitor.get("/signup")  # a friend may come in these minutes
    visitor.get("/login")


def test_mail_queued_while_redis_is_away_is_delivered_by_the_sweep(
    app, alice: Person, redis_outage: Outage, records, clock
):
    """The worker is woken through Redis, but the outbox knows what there is to do."""
    from referralhub.services.accounts import signup

    with redis_outage(), app.app_context():
        signup.sign_up("alice", "alice@example.com", alice.password, None, clock())
    assert records.one(OutboxMessage).delivered_at is None
    assert PostOffice(app).deliver() == 1
    alice.sign_in()
    alice.confirm_address()
    assert records.one(User).verified_at is not None


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_sqlite_file_that_comes_back_is_the_one_that_is_used(alice: Person, database_outage: Outage, records):
    """A connection kept from before must not go on writing into a file that was moved away."""
    alice.sign_up()
    with database_outage():
        alice.get("/dashboard/", 503)
    alice.get("/dashboard/")
    assert records.one(User).username == "alice"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_waits_too_long_for_another_writer_is_told_so(make_app, instance: Path, monkeypatch):
    """As while an import fills the file: a plain page and a sentence, no error of ours."""
    monkeypatch.setattr(database_ways, "SQLITE_WAITS", 0.2)
    app = make_app()
    alice = Person(app, PostOffice(app), "alice")
    form = alice.get("/signup").form("/signup")
    with closing(sqlite3.connect(instance / "referralhub.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        is_plainly_unavailable(fill_in(alice, form, 503))
        refused = app.test_cli_runner().invoke(args=["program", "set", "hold_days", "3"])
        other.rollback()
    assert (refused.exit_code, refused.stderr) == (1, "Error: A service does not answer: database is locked\n")
    assert fill_in(alice, form).location == "/dashboard/"
