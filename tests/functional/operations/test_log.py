"""What is written down of each request and job, and what never is."""

import json
import logging
import re
import subprocess
import sys
import threading
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from referralhub import mail_content
from referralhub.config import PROJECT
from referralhub.database import transaction
from referralhub.extensions import huey
from referralhub.models import MessageKind, OutboxMessage, Profile, User
from referralhub.observing import context
from referralhub.services.mailing import outbox
from referralhub.services.mailing.delivery import RETRIES, Delivery
from referralhub.services.program import rules
from tests.callers import NAVIGATES
from tests.pages import Page, Visitor
from tests.people import Clock, Person, PostOffice

HERE = {
    "REMOTE_ADDR": "198.51.100.77",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Quuxfox/140",
}
PLAIN = re.compile(r"[0-9a-f]{32}")


def number_of(answer: Page) -> str:
    return answer.headers["X-Request-ID"]


class TestOfEachRequest:
    """A line, whoever gives the answer."""

    def test_a_page(self, visitor: Visitor, log):
        page = visitor.get("/leaderboard?period=week")
        line = log.requests[-1]
        assert datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 0
        assert (line["level"], line["message"]) == ("info", "GET /leaderboard 200")
        assert (line["method"], line["route"], line["status"]) == ("GET", "/leaderboard", 200)
        assert line["bytes"] == int(page.headers["Content-Length"])
        assert 0 < line["ms"] < 60_000
        assert line["request_id"] == number_of(page)
        assert PLAIN.fullmatch(number_of(page))

    def test_a_click_that_is_answered_early(self, link: str, visitor: Visitor, log):
        visitor.get(link, 302, headers=NAVIGATES)  # from which Redis knows the code
        assert log.requests[-1]["made"] is True
        answer = visitor.get(link, 302, headers=NAVIGATES)
        line = log.requests[-1]
        assert (line["route"], line["status"], line["shortcut"], line["made"]) == ("/<code>/", 302, "early", False)
        assert line["request_id"] == number_of(answer)

    def test_an_answer_that_is_given_again(self, alice: Person, log):
        alice.sign_up()
        pages = [alice.get("/dashboard/") for _ in range(4)]
        given = log.requests[-1]
        assert (given["route"], given["shortcut"], given["made"]) == ("/dashboard/", "kept", False)
        assert len({number_of(page) for page in pages}) == 4  # the number is not kept with the answer
        assert [line["request_id"] for line in log.requests[-4:]] == [number_of(page) for page in pages]

    def test_a_part_that_has_not_changed(self, alice: Person, log):
        alice.sign_up()
        tag = alice.fragment("/dashboard/stats").headers["HX-PTag"]
        alice.fragment("/dashboard/stats", 304, HX_PTag=tag)
        assert (log.requests[-1]["status"], log.requests[-1]["bytes"]) == (304, 0)

    @pytest.mark.parametrize(
        ("path", "status", "route", "level"),
        [
            ("/static/css/app.css", 200, "/static/<filename>", "debug"),
            ("/static/nothing.css", 404, "/static/<filename>", "info"),
            ("/healthz", 200, "/healthz", "debug"),
            ("/nothing/here", 404, "(none)", "info"),
            ("/abcd2345/", 302, "/<code>/", "info"),
            ("/verify/a-token-that-nobody-has", 200, "/verify/<token>", "info"),
            ("/dashboard/", 302, "/dashboard/", "info"),
            ("/dashboard/invite%00", 404, "(none)", "info"),
        ],
    )
    @pytest.mark.one_database
    def test_every_other_answer(self, visitor: Visitor, log, path: str, status: int, route: str, level: str):
        answer = visitor.file(path)
        line = log.requests[-1]
        assert (answer.status_code, line["status"], line["route"], line["level"]) == (status, status, route, level)
        assert line["request_id"] == answer.headers["X-Request-ID"]

    @pytest.mark.one_database
    def test_what_has_no_body_has_no_bytes(self, visitor: Visitor, log):
        visitor.client.head("/login")
        assert (log.requests[-1]["method"], log.requests[-1]["bytes"]) == ("HEAD", 0)
        visitor.client.open("/login", method="BREW me a coffee")
        assert (log.requests[-1]["method"], log.requests[-1]["status"]) == ("other", 405)

    @pytest.mark.one_database
    def test_below_a_path_the_route_is_the_same(self, make_app, log):
        make_app(base_url="http://localhost/refer").test_client().get("/refer/leaderboard")
        assert log.requests[-1]["route"] == "/leaderboard"

    @pytest.mark.one_database
    def test_libraries_do_not_tell_what_they_know(self, make_app, log):
        visitor = Visitor(make_app(), **HERE)
        form = visitor.get("/login").form("/login")
        for _ in range(30):
            if visitor.submit(form, None, username="alice", password="wrong").status == 429:
                break
        assert (log.requests[-1]["status"], log.requests[-1]["route"]) == (429, "/login")
        assert {line["logger"] for line in log.lines} == {"referralhub.access", "referralhub.forms"}
        assert HERE["REMOTE_ADDR"] not in log.text


class TestNumber:
    """Each request has one of its own, and may bring it along from a proxy that we trust."""

    @pytest.mark.parametrize(
        ("proxies", "given", "taken"),
        [
            (1, "4bf92f35-77b3.4da6_A", True),
            (1, "a" * 64, True),
            (1, "a" * 65, False),
            (1, "", False),
            (1, 'x" evil="yes', False),
            (1, "alice@example.com", False),
            (1, "eins\xa0zwei", False),
            (0, "4bf92f35-77b3-4da6", False),
        ],
    )
    @pytest.mark.one_database
    def test_of_a_proxy(self, make_app, log, proxies: int, given: str, taken: bool):
        answer = make_app(trusted_proxies=proxies).test_client().get("/healthz", headers={"X-Request-ID": given})
        assert (answer.headers["X-Request-ID"] == given) is taken
        assert len(answer.headers.getlist("X-Request-ID")) == 1
        assert log.requests[-1]["request_id"] == answer.headers["X-Request-ID"]
        if not taken:
            assert PLAIN.fullmatch(answer.headers["X-Request-ID"])

    @pytest.mark.one_database
    def test_it_ends_with_the_request(self, visitor: Visitor, log):
        visitor.get("/healthz")
        logging.getLogger("referralhub.anything").info("between two requests")
        assert "request_id" not in log.lines[-1]

    def test_a_job_has_that_of_the_request_that_caused_it(self, app: Flask, alice: Person, log):
        page = alice.fill_in_signup()
        job = huey.dequeue()
        log.clear()
        huey.execute(job)
        (line,) = log.by("referralhub.queue")
        assert line["message"] == "Job deliver_mail done"
        assert (line["job"], line["result"], line["request_id"]) == ("deliver_mail", "done", number_of(page))
        assert line["ms"] > 0

    def test_mail_has_that_of_the_request_that_caused_it_whichever_job_sends_it(
        self, app: Flask, alice: Person, clock: Clock, log
    ):
        def away(mail: object) -> None:
            raise OSError("the mail server is away")

        page = alice.fill_in_signup()
        log.clear()
        with app.app_context():
            Delivery(mail_content.write, away, clock).run()
            clock.now += RETRIES[0]
            Delivery(mail_content.write, lambda mail: None, clock).run()
        first, second = log.by("referralhub.services.mailing.delivery")
        assert (first["level"], first["message"]) == ("warning", "Message 1 was not sent: OSError")
        assert (second["level"], second["message"]) == ("info", "Message 1 was sent")
        assert first["mail"] == second["mail"] == "verify_address"
        assert first["request_id"] == second["request_id"] == number_of(page)

    def test_mail_that_a_job_causes_has_that_of_the_request_behind_the_job(
        self, app: Flask, alice: Person, clock: Clock
    ):
        alice.sign_up()
        with app.app_context(), context.about(request_id="a-request"), transaction() as session:
            outbox.queue(session, MessageKind.PASSWORD_CHANGED, 1, "one", {}, clock())
        with app.app_context(), transaction() as session:
            outbox.queue(session, MessageKind.PASSWORD_CHANGED, 1, "two", {}, clock())
            payloads = dict(session.execute(select(OutboxMessage.key, OutboxMessage.payload)).all())
        assert payloads["one"] == {"request_id": "a-request"}
        assert payloads["two"] == {}

    @pytest.mark.one_database
    def test_a_job_that_fails_has_it_too(self, app: Flask, alice: Person, log, monkeypatch: pytest.MonkeyPatch):
        page = alice.fill_in_signup()

        def fail() -> None:
            raise KeyError(alice.email)

        monkeypatch.setattr("referralhub.tasks._deliver", fail)
        log.clear()
        huey.execute(huey.dequeue())
        error, line = log.lines
        assert (error["level"], line["result"], line["message"]) == ("error", "failed", "Job deliver_mail failed")
        assert error["request_id"] == line["request_id"] == number_of(page)
        assert error["error"].endswith("\nKeyError")
        assert "in deliver_mail" in error["error"]

    @pytest.mark.one_database
    def test_a_job_of_the_clock_has_none(self, app: Flask, log):
        from referralhub.tasks import give_sign_of_life

        huey.execute(give_sign_of_life.s())
        (line,) = log.by("referralhub.queue")
        assert (line["level"], line["job"]) == ("debug", "give_sign_of_life")
        assert "request_id" not in line


class TestWhatFails:
    """It is found by the number that the page names."""

    @pytest.mark.one_database
    def test_a_page_that_breaks(self, broken_app: Flask, log):
        visitor = Visitor(broken_app)
        answer = broken_app.test_client().get("/privacy?i=secret")
        assert answer.status_code == 500
        number = answer.headers["X-Request-ID"]
        assert f"If it happens again, tell us this number: {number}" in " ".join(answer.text.split())
        assert "tell us this number" not in visitor.get("/nothing-here", 404).text
        (line,) = log.by("referralhub.errors")
        assert (line["level"], line["request_id"], line["route"]) == ("error", number, "/privacy")
        assert "raise ValueError(" in line["error"]
        assert line["error"].endswith("\nValueError")  # what it says is what somebody typed
        assert log.requests[0]["level"] == "error"

    @pytest.mark.one_database
    def test_what_breaks_before_it_comes_to_a_page(self, make_app, log):
        from referralhub.observing.requests import Observed
        from referralhub.response_headers import Protection

        def inner(environ, start_response):
            raise TypeError("'NoneType' object is not iterable")

        app = make_app()
        app.wsgi_app = Observed(inner, Protection(app.config["SETTINGS"]), believe=False)
        answer = app.test_client().get("/privacy")
        assert answer.status_code == 500
        assert answer.headers["X-Request-ID"] in answer.text
        error, request = log.lines
        assert error["request_id"] == request["request_id"] == answer.headers["X-Request-ID"]
        assert error["error"].endswith("TypeError: 'NoneType' object is not iterable")
        assert (request["status"], request["route"]) == (500, "(none)")

    @pytest.mark.one_database
    def test_a_service_that_is_away(self, app: Flask, visitor: Visitor, valkey, log):
        with valkey.away():
            page = visitor.get("/login", 503)
        (line,) = log.by("referralhub.errors")
        assert line["message"].startswith("A service is away: ConnectionError: ")
        assert (line["level"], line["request_id"], line["route"]) == ("error", number_of(page), "/login")
        assert log.requests[-1]["level"] == "error"

    @pytest.mark.parametrize("path", ["/login", "/signup"])
    @pytest.mark.one_database
    def test_a_form_that_is_refused(self, visitor: Visitor, log, path: str):
        def reason(data: dict[str, str], **headers: str) -> str:
            visitor.post(path, data, 400, headers=headers)
            line = log.by("referralhub.security")[-1]
            assert (line["level"], line["route"]) == ("warning", path)
            return line["message"].removeprefix("A form was refused: ")

        assert reason({}) == "no_token"
        token = visitor.get(path).form(path).one('[name="csrf_token"]')["value"]
        assert reason({"csrf_token": "x"}) == "token_not_ours"
        assert reason({"csrf_token": token}, Origin="https://elsewhere.example") == "other_site"
        other = Visitor(visitor.client.application)
        foreign = other.get(path).form(path).one('[name="csrf_token"]')["value"]
        assert reason({"csrf_token": foreign}) == "token_of_another_session"
        assert "elsewhere" not in log.text

    @pytest.mark.one_database
    def test_a_password_that_is_wrong(self, alice: Person, visitor: Visitor, log):
        alice.sign_up()
        visitor.submit(visitor.get("/login").form("/login"), 422, username="alice", password="quux guess")
        alice.submit(alice.get("/account/confirm").form("/account/confirm"), 422, password="quux guess")
        lines = [(line["level"], line["route"], line["message"]) for line in log.by("referralhub.forms")]
        assert lines == [
            ("warning", "/login", "What a form asked for was refused: wrong_credentials"),
            ("warning", "/account/confirm", "What a form asked for was refused: wrong_password"),
        ]
        assert "alice" not in log.text and "quux" not in log.text

    @pytest.mark.one_database
    def test_a_thread(self, log):
        name = "alice"

        def fail() -> None:
            raise ValueError(name)

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        assert log.lines[-1]["message"] == "A thread failed"
        assert log.lines[-1]["error"].endswith("\nValueError")
        assert "alice" not in log.text

    def test_values_of_a_row_are_not_told(self, app: Flask, alice: Person, log, clock):
        from referralhub.database import transaction

        alice.sign_up()
        with app.app_context():
            try:
                with transaction() as session:
                    session.add(User(username="Alice", email="other@example.com", password_hash="x", created=clock()))
            except IntegrityError:
                logging.getLogger("referralhub.anything").exception("That did not work")
        error = log.lines[-1]["error"]
        assert error.endswith("\nIntegrityError")
        assert "which led to:" in error  # the driver's error came first
        assert "lice" not in error and "other@" not in error

    @pytest.mark.one_database
    @pytest.mark.parametrize("kind", [ValueError, KeyError, RuntimeError, OSError, AssertionError, LookupError])
    def test_an_unexpected_error_that_quotes_a_password(self, make_app, begin_log, monkeypatch, kind: type[Exception]):
        """Whatever fails at what was typed, its message, its notes and what led to it stay out of the log."""
        secret = "quux likes tea"

        def fail(*_: object) -> None:
            try:
                raise ValueError(f"{secret} is too short")
            except ValueError as first:
                error = kind(f"could not check {secret}")
                error.add_note(f"of {secret}")
                raise ExceptionGroup(f"all of {secret}", [error]) from first

        monkeypatch.setattr("referralhub.auth.views.authentication.authenticate", fail)
        visitor, log = Visitor(make_app()), begin_log()
        form = visitor.get("/login").form("/login")
        page = visitor.client.post("/login", data=visitor.filled_in(form, username="alice", password=secret))
        assert page.status_code == 500
        assert log.lines[-2]["message"] == "A page failed" and "ExceptionGroup" in log.lines[-2]["error"]
        assert secret not in log.text + page.get_data(as_text=True)

    @pytest.mark.one_database
    def test_on_ones_own_machine_all_of_it_is_told_as_text(self, broken_app: Flask, begin_log):
        log = begin_log(referralhub_env="development", log_format="text")
        broken_app.test_client().get("/privacy")
        assert "ValueError: alice@example.com is not in list" in log.text
        assert re.search(r"^\S+Z error referralhub\.errors: A page failed request_id=\w+", log.text, re.MULTILINE)
        assert re.search(r"^\S+Z error referralhub\.access: GET /privacy 500 .* ms=[\d.]+ bytes=\d+$", log.text, re.M)


class TestNobodyIsNamed:
    """Whatever people do, the log does not say who they are, what they typed, or what opens their accounts."""

    @pytest.fixture
    def app(self, unlimited_app: Flask, clock: Clock) -> Flask:
        with unlimited_app.app_context():
            rules.change(rules.PRESETS["paypal"], clock())  # in which members invite by mail
        return unlimited_app

    def test_in_a_full_life(self, app: Flask, post_office: PostOffice, admin: Person, records, log):
        secrets = _full_life(app, post_office, admin, records)
        routes = {line["route"] for line in log.requests}
        assert routes >= {
            "/<code>/", "/signup", "/verify/<token>", "/password/reset/<token>", "/login", "/dashboard/",
            "/dashboard/invite", "/account/email/<token>", "/account/delete", "/admin/members/", "(none)",
        }  # fmt: skip
        assert {"info", "debug", "warning"} <= {line["level"] for line in log.lines}
        told = log.text.lower()
        assert {what: secret for what, secret in secrets.items() if secret.lower() in told} == {}


def _full_life(app: Flask, post_office: PostOffice, admin: Person, records) -> dict[str, str]:
    """Play everything that people do with names, addresses and tokens, and give all of these by what they are."""
    zelda, yannick = (Person(app, post_office, name, **HERE) for name in ("zeldaquux", "yannickquux"))
    zelda.sign_up()
    link, cookie = zelda.link, zelda.session_id() or ""
    secrets = {"verification": zelda.verification_path().rpartition("/")[2], "cookie": cookie}
    zelda.confirm_address()
    form = zelda.get("/dashboard/invite").form("/dashboard/invite")
    preview = zelda.submit(form, 200, addresses="palquux@invited.example", words="see my quuxboat")
    zelda.submit(preview.form("/dashboard/invite"), send="yes")
    invited = zelda.mailed_path(f"/{zelda.code}/", to="palquux@invited.example")
    secrets["invitation"] = invited.partition("i=")[2]
    Visitor(app, **HERE).client.get(invited, headers=NAVIGATES)
    signup = yannick.click(link)
    secrets["visit"] = signup.form("/signup").one('[name="visit"]')["value"]
    yannick.fill_in_signup(422, password="quux")
    yannick.sign_up()
    yannick.confirm_address()
    yannick.client.get(f"/verify/{secrets['verification']}?quuxquery=1")
    yannick.client.get("/quuxpath/nowhere")
    yannick.file("/static/css/app.css?v=quux")
    stranger = Visitor(app, **HERE)
    stranger.post("/login", {"username": "zeldaquux", "csrf_token": "quuxtoken"}, 400)
    stranger.submit(stranger.get("/login").form("/login"), 422, username="zeldaquux", password="quuxguess")
    stranger.submit(stranger.get("/password/forgot").form("/password/forgot"), 200, email=zelda.email)
    reset = zelda.mailed_path("/password/reset/")
    secrets["reset"] = reset.rpartition("/")[2]
    form = stranger.get(reset).form(reset)
    stranger.submit(form, 303, password="quux likes tea", password_confirm="quux likes tea")
    zelda.password = "quux likes tea"
    zelda.sign_in()
    zelda.change_address("zq@elsewhere.example")
    admin.client.get("/admin/members/?search=zeldaquux")
    admin.client.get("/admin/members/?sort=quuxsort")
    zelda.submit(zelda.get("/account/code").form("/account/code"), 422, code="zelda/quux")
    zelda.submit(zelda.get("/account/code").form("/account/code"), code="zelda-quux")
    for visitor in (stranger, Visitor(app)):
        visitor.get("/zelda-quux/", 302)
    for profile in records.all(Profile):
        secrets[f"code {profile.id}"] = profile.code
    zelda.delete_account()
    while job := huey.dequeue():
        huey.execute(job)
    return secrets | {
        "name": "quux", "address": "zq@", "other address": "@example.com", "network": HERE["REMOTE_ADDR"],
        "browser": "Gecko", "site": "elsewhere", "query": "?", "password": "likes tea", "cookie's name": "referralhub=",
    }  # fmt: skip


@pytest.mark.one_database
def test_the_web_servers_own_lines_have_the_same_form(tmp_path):
    """Granian reads this file before it has loaded the application."""
    program = (
        "import json, pathlib; from granian.log import configure_logging, logger\n"
        "configure_logging('warning', json.loads(pathlib.Path('referralhub/observing/granian.json').read_text()))\n"
        "logger.warning('Unexpected exit from worker-1')"
    )
    environment = {"REFERRALHUB_ENV": "production", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    line = json.loads(done.stderr)
    assert (line["level"], line["message"]) == ("warning", "Unexpected exit from worker-1")
    assert "referralhub/observing/granian.json" in (PROJECT / "Procfile").read_text()
