"""Test keys write to a test program: the same application once more, of which the real one does not see a trace."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from redis import DataError
from sqlalchemy import text

from referralhub import test_database, test_program
from referralhub.api.operations import OPERATIONS
from referralhub.extensions import db, huey
from referralhub.models import AuditLine, Referral, ReferralState, Scope, User
from referralhub.services.integration import keys
from referralhub.services.shared.audit import OPERATOR
from referralhub.tasks import deliver_mail, sweep_outbox
from referralhub.test_program import MOUNT, REDIS_PREFIX, TestProgram
from tests.functional.api.conftest import Shop
from tests.people import Person, PostOffice, Records, all_at_once, path_of

BODIES = {"put_member": {"email": "ann@example.com"}}  # of calls that take more than {}


@pytest.fixture
def beside(app: Flask) -> Iterator[TestProgram]:
    """What is beside the application; after the test nothing."""
    program: TestProgram = app.extensions["test_program"]
    yield program
    if program.is_there():
        with app.app_context():
            program.delete(OPERATOR, app.config["CLOCK"]())
    with program.app.app_context():
        db.engine.dispose()


@pytest.fixture
def test_shop(app: Flask, beside: TestProgram, clock) -> Shop:
    """A shop with a test key that is good for everything."""
    with app.app_context():
        return Shop(app, test_program.create_key("shop", [*Scope], OPERATOR, clock(), for_tests=True)[1])


@pytest.fixture
def test_records(beside: TestProgram) -> Records:
    return Records(beside.app)


def call_everything(app: Flask, secret: str, below: str = "/api") -> set[int]:
    """Make every call of the API with this key, and give the statuses of the answers."""
    client, statuses = app.test_client(), set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPERATIONS:
            path = re.sub(r"<[^>]+>", "42", rule.rule).replace("/api", below, 1)
            body = BODIES.get(rule.endpoint.rpartition(".")[2], {})
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                sent = {"json": body} if OPERATIONS[rule.endpoint].takes else {}
                answer = client.open(path, method=method, headers={"Authorization": f"Bearer {secret}"}, **sent)
                assert answer.status_code < 500
                statuses.add(answer.status_code)
    return statuses


def in_redis(valkey, ours: bool) -> dict[bytes, bytes]:
    """Give what is in Redis of the test program, or of everybody else; jobs that wait are everybody's."""
    names = [name for name in valkey.client.scan_iter() if not name.startswith((b"huey.", b"metrics:"))]
    return {name: valkey.client.dump(name) for name in names if name.startswith(REDIS_PREFIX.encode()) is ours}


def test_no_call_with_a_test_key_touches_the_real_program(app, test_shop, records, test_records, valkey):
    secret = test_shop.headers["Authorization"].removeprefix("Bearer ")
    assert secret.startswith("rh_test_")
    before, in_redis_before = records.everything(), in_redis(valkey, ours=False)
    assert {200, 201} <= call_everything(app, secret)
    assert {200} <= call_everything(app, secret, f"{MOUNT}/api")
    assert records.everything() == before
    assert in_redis(valkey, ours=False) == in_redis_before
    assert in_redis(valkey, ours=True)
    assert test_records.all(User)


def test_no_call_with_a_real_key_touches_the_test_program(app, shop, test_shop, test_records, records, valkey):
    secret = shop.headers["Authorization"].removeprefix("Bearer ")
    before, in_redis_before = test_records.everything(), in_redis(valkey, ours=True)
    assert {200, 201} <= call_everything(app, secret)
    assert records.all(User)
    assert test_records.everything() == before
    assert in_redis(valkey, ours=True) == in_redis_before
    without_key = {200, 404}  # what codes are asked for
    assert call_everything(app, secret, f"{MOUNT}/api") <= {401} | without_key
    assert test_records.everything() == before


def test_a_friend_comes_by_a_link_of_the_test_program_and_is_credited_there(
    app, beside, test_shop, records, test_records, bob, clock, monkeypatch
):
    monkeypatch.setattr(Person, "root", MOUNT)
    before = records.everything()
    made = test_shop.ask("PUT", "/members/42", {"email": "ann@example.com"}, 201)
    assert made["link"] == f"http://localhost{MOUNT}/{made['code']}/"
    assert test_shop.ask("GET", f"/codes/{made['code']}")["valid"]
    friend = Person(app, PostOffice(beside.app), "bob")
    page = friend.click(made["link"])
    assert "Nothing here counts" in page.one('[role="note"]').text
    answer = friend.fill_in_signup()
    assert f"Path={MOUNT};" in f"{answer.headers['Set-Cookie']};"
    friend.confirm_address()
    assert test_records.one(Referral).state is ReferralState.CONFIRMED
    assert test_shop.ask("GET", "/members/42")["statistics"]["total_referrals"] == 1
    link = test_shop.ask("POST", "/members/42/sign-in-links", expect=201)["url"]
    ann = Person(app, friend.post_office, "ann")
    ann.submit(ann.get(path_of(link)).form(path_of(link)))
    assert ann.get(f"{MOUNT}/dashboard/").one('[data-stat="total_referrals"]')["data-value"] == "1"

    assert records.everything() == before
    assert "Test program" not in bob.get("/").text
    assert bob.get(path_of(made["link"]).removeprefix(MOUNT), 302).location == "/"  # to the real one it is no code
    assert friend.get("/dashboard/", 302).location.startswith("/login")  # and its member is nobody's


def test_it_begins_with_the_rules_in_force_and_goes_with_all_that_is_in_it(
    app, beside, ask, run, records, admin, valkey, clock
):
    run("program", "set", "referrer_amount", "77")
    assert ask("test-program", "delete", "--yes") == {"deleted": True, "changed": False}
    made = ask("api-keys", "create", "--test", "--name", "shop", "--scope", "read,manage")
    assert (made["test"], made["id"]) == (True, "test-1")
    real = ask("api-keys", "create", "--name", "shop", "--scope", "read")
    shop = Shop(app, made["key"])
    assert shop.ask("GET", "/program")["referrer_amount"] == 77
    shop.ask("PUT", "/members/42", {"email": "ann@example.com"}, 201)
    assert [each["id"] for each in ask("api-keys", "list")["keys"]] == [real["id"], "test-1"]

    before, in_redis_before = records.everything(), in_redis(valkey, ours=False)
    run("test-program", "delete", typed="n\n", expect=1)
    shop.ask("GET", "/members/42")
    assert ask("test-program", "delete", "--yes") == {"deleted": True, "changed": True}
    assert not in_redis(valkey, ours=True)
    assert in_redis(valkey, ours=False) == in_redis_before
    after = records.everything()
    assert [row for row in after.pop("audit_log") if row not in before["audit_log"]]
    assert after == {name: rows for name, rows in before.items() if name != "audit_log"}
    assert records.all(AuditLine)[-1].action == "test_program.delete"
    shop.ask("GET", "/members/42", expect=401)
    Shop(app, real["key"]).ask("GET", "/program")
    assert app.test_client().get(f"{MOUNT}/login").status_code == 404

    again = ask("api-keys", "create", "--test", "--name", "shop", "--scope", "read")
    Shop(app, again["key"]).ask("GET", "/members/42", expect=404)
    ask("api-keys", "revoke", again["id"])
    assert ask("api-keys", "revoke", again["id"]) == {"id": again["id"], "revoked": True, "changed": False}
    Shop(app, real["key"]).ask("GET", "/program")  # whose number is the same
    Shop(app, again["key"]).ask("GET", "/program", expect=401)
    run("api-keys", "revoke", "test-x", expect=2)


def test_who_makes_it_at_the_same_time_makes_one(app, beside, clock):
    def make_key() -> str:
        with app.app_context():
            return test_program.create_key("shop", [*Scope], OPERATOR, clock(), for_tests=True)[1]

    for secret in all_at_once([make_key] * 3):
        Shop(app, secret).ask("GET", "/program")
    with beside.app.app_context():
        assert sorted(key.id for key in keys.every()) == [1, 2, 3]


def test_room_for_it_is_made_once(app, beside):
    with app.app_context():
        engine = db.engine
    made = all_at_once([lambda: test_database.make_room(engine)] * 4)
    assert made.count(True) == (1 if engine.dialect.name == "postgresql" else 4)  # of a file, who migrates makes it
    with app.app_context(), engine.begin() as connection:
        test_database.delete(connection)


def test_the_worker_does_its_jobs_each_in_its_program(app, beside, test_shop, records, clock, post_office):
    huey.init_app(app)
    huey.storage.flush_all()
    before = records.everything()
    with beside.app.app_context():
        huey.enqueue(deliver_mail.s())
    friend = Person(app, PostOffice(beside.app), "bob")
    friend.root = MOUNT
    friend.sign_up()  # which wakes the worker once more
    jobs = [huey.dequeue() for _ in range(huey.pending_count())]
    assert [job.id.startswith("test:") for job in jobs] == [True, True]
    for job in jobs:
        huey.execute(job)
    assert [letter["To"] for letter in friend.post_office.letters("bob@example.com")] == ["bob@example.com"]
    assert not post_office.letters("bob@example.com")

    huey.enqueue(sweep_outbox.task_class())  # as by the clock
    assert [huey.dequeue().id.startswith("test:") for _ in range(huey.pending_count())] == [False, True]
    with app.app_context():
        beside.delete(OPERATOR, clock())
    assert huey.execute(jobs[0]) is None
    assert records.everything().keys() == before.keys()


def test_migrating_brings_both_up_to_date(app, beside, test_shop, run, database):
    def revisions() -> list[str]:
        found = []
        for each in (app, beside.app):
            with each.app_context():
                found.append(db.session.scalar(text("SELECT version_num FROM alembic_version")))
        return found

    newest = revisions()
    run("db", "downgrade", "0025")
    assert revisions() == ["0025", "0025"]
    run("db", "upgrade")
    assert revisions() == newest


def test_in_the_panel_test_keys_are_made_and_withdrawn_beside_the_others(app, beside, admin):
    form = admin.get("/admin/api-keys/").form("/admin/api-keys/")
    page = admin.submit(form, 200, name="trial", scopes="read", for_tests="y")
    shop = Shop(app, page.one("[data-key]").text)
    shop.ask("GET", "/program")
    page = admin.get("/admin/api-keys/")
    assert "test-program delete" in page.text
    admin.submit(page.form("/admin/api-keys/1/revoke"))
    shop.ask("GET", "/program", expect=401)


class TestWhatIsApart:
    pytestmark = pytest.mark.one_database

    def test_a_command_whose_keys_are_not_known_is_refused(self, beside):
        with pytest.raises(DataError):
            beside.app.extensions["redis"].execute_command("RENAME", "a", "b")

    def test_who_is_a_member_of_both_is_signed_in_to_each(self, app, beside, test_shop, alice):
        alice.sign_up()
        code = alice.code
        twin = Person(app, PostOffice(beside.app), "alice")
        twin.client, twin.root = alice.client, MOUNT
        twin.sign_up()
        assert twin.code not in {code, ""}
        assert alice.code == code
        names = {cookie.key for cookie in alice.client._cookies.values()}
        assert names == {"referralhub", "referralhub-test"}  # a browser sends both below the longer path

    def test_limits_of_one_are_not_used_up_by_the_other(self, app, beside, test_shop):
        client = app.test_client()
        for path in (f"{MOUNT}/api/v1/codes/nobodys", "/api/v1/codes/nobodys"):
            first, *_ = [client.get(path).headers["RateLimit"] for _ in range(3)]
            assert ";r=599;" in first

    def test_it_is_in_no_figure(self, lend_app, clock):
        app = lend_app(metrics_token="a token for tests alone")
        with app.app_context():
            secret = test_program.create_key("shop", [*Scope], OPERATOR, clock(), for_tests=True)[1]
        Shop(app, secret).ask("GET", "/program")
        headers = {"Authorization": "Bearer a token for tests alone"}
        assert "/api/v1/program" not in app.test_client().get("/metrics", headers=headers).text
        assert app.test_client().get(f"{MOUNT}/metrics", headers=headers).status_code == 404

    @pytest.mark.parametrize("path", ["/_test", "/_test/", "/_testing", "/_test/login"])
    def test_without_one_there_is_nothing(self, app, path: str):
        assert app.test_client().get(path).status_code == 404
