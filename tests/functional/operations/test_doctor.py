"""The doctor finds each fault; every one is really there when it looks."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from runpy import run_path

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub import cli, create_app, mail_transport
from referralhub.application import wire_doctor
from referralhub.config import PROJECT, Settings
from referralhub.extensions import db
from referralhub.migrations import downgrade
from referralhub.services.operations.checks import CHECKS
from referralhub.services.operations.doctor import Check, Level, Remark
from tests.conftest import extra_database, make_settings, sqlite_url
from tests.doctors import Examine, examined, says
from tests.mail_server import MailServer
from tests.pages import Visitor
from tests.people import Clock
from tests.servers import BIN, free_port, silence


class TestHealth:
    def test_everything_is_well(self, examine: Examine, login_server: MailServer):
        found = examine(expect=0)
        assert {name: report["status"] for name, report in found.items()} == {check.name: "ok" for check in CHECKS}
        assert login_server.taken == []

    def test_people_get_a_line_for_each_check(self, settled: Flask):
        result = settled.test_cli_runner().invoke(args=["doctor"])
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [*(f"ok       {check.name}" for check in CHECKS), "All is well."]
        assert result.stderr == ""

    @pytest.mark.parametrize(("number", "said"), [(1, "1 hint"), (2, "2 hints")])
    def test_hints_are_counted_and_are_nothing_broken(self, settled: Flask, monkeypatch, number: int, said: str):
        hints = [Remark("database_not_chosen", level=Level.HINT)] * number
        monkeypatch.setattr(import_module("referralhub.cli.doctor"), "CHECKS", [Check("database", lambda _: hints)])
        result = settled.test_cli_runner().invoke(args=["doctor"])
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"Nothing is broken; {said}.")

    def test_looking_changes_nothing(self, examine: Examine, records):
        before = records.everything()
        examine()
        assert records.everything() == before


@pytest.mark.one_database
class TestSettings:
    def test_every_one_that_is_refused(self, tmp_path: Path, valkey):
        environment = {"INSTANCE_PATH": str(tmp_path), "SECRET_KEY": "hunter2", "REDIS_URL": valkey.url}
        found = examined(wire_doctor(*Settings.read(environment)))
        for name in ("SECRET_KEY is weak", "BASE_URL is missing", "MAIL_URL is missing"):
            says(found["settings"], name)
        says(found["database"], "does not answer")
        assert found["redis"]["status"] == "ok"
        assert (found["mail"]["status"], found["mail"]["because_of"]) == ("skipped", "MAIL_URL")
        assert "hunter2" not in json.dumps(found)

    def test_nobody_chose_the_database(self, tmp_path: Path):
        environment = {
            "INSTANCE_PATH": str(tmp_path), "SECRET_KEY": "0123456789abcdef" * 2, "MAIL_URL": "smtp://127.0.0.1:1",
            "BASE_URL": "https://refer.example.com",
        }  # fmt: skip
        says(examined(wire_doctor(*Settings.read(environment)))["database_setting"], "DATABASE_URL is unset")

    def test_debugging(self, examine: Examine, monkeypatch):
        monkeypatch.setenv("FLASK_DEBUG", "1")
        says(examine(expect=1, trusted_proxies=2)["mode"], "Debugging is on")

    @pytest.mark.parametrize(
        ("address", "status"),
        [
            ("https://refer.example.com", "finding"),
            ("http://203.0.113.5", "ok"),  # an address for documentation counts as nobody's
            ("http://8.8.8.8", "finding"),
            ("http://192.168.1.5:8000", "ok"),
            ("http://localhost:8000", "ok"),
        ],
    )
    def test_a_development_server_for_everybody(self, examine: Examine, address: str, status: str):
        found = examine(referralhub_env="development", base_url=address)
        assert found["mode"]["status"] == status

    def test_cookies_that_travel_unencrypted(self, examine: Examine):
        says(examine(expect=1, base_url="http://refer.example.com")["cookies"], "unencrypted")

    def test_no_proxy_although_somebody_does_https_is_a_hint(self, examine: Examine):
        says(examine(expect=0, trusted_proxies=0)["proxies"], "TRUSTED_PROXIES is 0", "hint")

    def test_more_proxies_than_there_are(self, examine: Examine, make_app):
        """Everybody would count as the proxy, and who makes an address up would be believed."""
        Visitor(make_app(trusted_proxies=2)).get("/login", headers={"X-Forwarded-For": "192.0.2.1"})
        says(examine(expect=1, trusted_proxies=2)["proxies_there"], "TRUSTED_PROXIES is 2, and requests come through 1")
        assert examine(trusted_proxies=1)["proxies_there"]["status"] == "ok"

    def test_fewer_proxies_than_there_are(self, examine: Examine, make_app):
        """Everybody would count as the outer proxy. One without a made-up address is enough to know better."""
        app = make_app(trusted_proxies=1)
        Visitor(app).get("/login", headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2"})
        says(examine(expect=0, trusted_proxies=1)["proxies_there"], "named more addresses", "hint")
        Visitor(app).get("/login", headers={"X-Forwarded-For": "192.0.2.1"})
        assert examine(trusted_proxies=1)["proxies_there"]["status"] == "ok"

    def test_as_many_proxies_as_there_are(self, examine: Examine, make_app):
        visitor = Visitor(make_app(trusted_proxies=2))
        visitor.get("/login", headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2"})
        visitor.get("/healthz")  # a probe of the machine itself
        assert examine(trusted_proxies=2)["proxies_there"]["status"] == "ok"


class TestDatabase:
    @pytest.fixture
    def away(self, database: str, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "gone") if database == "sqlite" else "postgresql+psycopg://x@/x?host=/nowhere"

    def test_one_that_is_away_hides_nothing_else(self, away: str, valkey, tmp_path: Path):
        app = create_app(make_settings(away, valkey.url, tmp_path, mail_url=f"smtp://127.0.0.1:{free_port()}"))
        found = examined(app, 1)
        says(found["database"], "does not answer")
        says(found["mail"], "No mail can be handed over")
        assert found["redis"]["status"] == "ok"
        for name in ("migrations", "outgoing_mail", "accounts", "ledger", "audit_log"):
            assert found[name]["status"] == "skipped"

    @pytest.mark.parametrize("database", ["postgresql"], indirect=True)
    def test_one_that_says_nothing_is_not_waited_for(self, database: str, valkey, tmp_path: Path):
        begun = time.monotonic()
        with silence() as port:
            app = create_app(make_settings(f"postgresql+psycopg://x@127.0.0.1:{port}/x", valkey.url, tmp_path))
            says(examined(app, 1)["database"], "does not answer")
        assert time.monotonic() - begun < 10

    @pytest.fixture
    def other(self, database: str, tmp_path: Path, valkey, request: pytest.FixtureRequest) -> Iterator[Flask]:
        """An application with a database that may be spoilt."""
        with extra_database(database, tmp_path, request, migrated=True) as url:
            app = create_app(make_settings(url, valkey.url, tmp_path))
            yield app
            with app.app_context():
                db.engine.dispose()

    def test_migrations_that_are_pending(self, other: Flask):
        with other.app_context():
            downgrade(revision="-1")
        found = examined(other, 1)
        says(found["migrations"], "pending")
        assert found["ledger"]["because_of"] == "migrations"

    def test_a_database_of_a_newer_version(self, other: Flask):
        with other.app_context():
            db.session.execute(text("UPDATE alembic_version SET version_num = 'tomorrow'"))
            db.session.commit()
        says(examined(other, 1)["migrations"], "tomorrow, which this version does not know")


@pytest.mark.one_database
class TestRedis:
    def test_one_that_is_away(self, examine: Examine, tmp_path: Path):
        found = examine(expect=1, redis_url=f"unix://{tmp_path}/nothing.sock")
        says(found["redis"], "does not answer")
        assert found["worker"]["status"] == "skipped"
        assert found["ledger"]["status"] == "ok"  # all of it but the leaderboard was compared

    def test_one_that_says_nothing_is_not_waited_for(self, examine: Examine):
        begun = time.monotonic()
        with silence() as port:
            says(examine(expect=1, redis_url=f"redis://127.0.0.1:{port}")["redis"], "does not answer")
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize(("seconds", "status"), [(60, "finding"), (-60, "finding"), (2, "ok"), (-2, "ok")])
def test_clocks_that_differ(examine: Examine, clock: Clock, database: str, settled: Flask, seconds: int, status: str):
    clock.now = datetime.now(UTC) + timedelta(seconds=seconds)
    found = examine()
    assert found["redis_clock"]["status"] == status
    assert found["database_clock"]["status"] == ("ok" if database == "sqlite" else status)
    if status == "finding":
        says(found["redis_clock"], "differs from this machine's by ")


@pytest.mark.one_database
class TestMail:
    def test_a_server_that_is_away(self, examine: Examine):
        says(examine(expect=1, mail_url=f"smtp://127.0.0.1:{free_port()}")["mail"], "refused")

    def test_a_password_that_is_wrong(self, examine: Examine, login_server: MailServer):
        found = examine(expect=1, mail_url=f"smtp://hub:wrong@127.0.0.1:{login_server.port}")
        says(found["mail"], "535")
        assert "wrong" not in found["mail"]["remarks"][0]["wrong"]

    def test_a_server_without_the_encryption_that_is_asked_for(self, examine: Examine, mail_url: str):
        says(examine(expect=1, mail_url=f"{mail_url}?tls=1")["mail"], "STARTTLS")

    def test_a_server_that_says_nothing_is_not_waited_for(self, examine: Examine, monkeypatch):
        monkeypatch.setattr(mail_transport, "CHECK_PATIENCE", 0.3)
        with silence() as port:
            says(examine(expect=1, mail_url=f"smtp://127.0.0.1:{port}")["mail"], "timed out")

    def test_a_folder_in_production(self, examine: Examine):
        says(examine(expect=1, mail_url="file:")["mail"], "no mail reaches anybody")

    def test_a_folder_that_cannot_be_written(self, examine: Examine, instance: Path):
        development = {"referralhub_env": "development", "base_url": "http://localhost", "mail_url": "file:"}
        assert examine(**development)["mail"]["status"] == "ok"
        folder = instance / "mail"
        folder.rmdir()  # it left nothing in it
        folder.symlink_to("/proc/self")  # where not even root can write
        says(examine(expect=1, **development)["mail"], "No mail can be handed over")
        folder.unlink()
        folder.write_text("a file where the folder should be")
        says(examine(expect=1, **development)["mail"], "No mail can be handed over")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_check_that_hangs_or_breaks_hides_no_other(settled: Flask, monkeypatch):
    from referralhub.services.operations.doctor import Check

    def hang(_) -> list:
        time.sleep(30)
        return []

    def break_(_) -> list:
        raise RuntimeError("no idea")

    checks = (Check("slow", hang, patience=0.1), Check("odd", break_), Check("after", lambda _: [], ("slow",)))
    monkeypatch.setattr(import_module("referralhub.cli.doctor"), "CHECKS", (*checks, *CHECKS[:3]))
    found = examined(settled, 1)
    says(found["slow"], "no answer within")
    says(found["odd"], "RuntimeError: no idea")
    assert found["after"]["status"] == "skipped"
    assert found["settings"]["status"] == "ok"


@pytest.fixture
def unusable(tmp_path: Path) -> dict[str, str]:
    """An environment in which the application refuses to start."""
    return {"PATH": os.environ["PATH"], "INSTANCE_PATH": str(tmp_path), "SECRET_KEY": "changeme"}


def test_where_the_application_refuses_to_start_the_doctor_still_works(unusable: dict[str, str]):
    """With the real command, of which scripts see the exit code and one document."""
    result = subprocess.run(
        [BIN / "flask", "--app", "wsgi", "doctor", "--json"], cwd=PROJECT, env=unusable, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (1, "")
    found = {report["name"]: report for report in json.loads(result.stdout)["checks"]}
    says(found["settings"], "SECRET_KEY is weak")
    says(found["redis"], "does not answer")


@pytest.mark.parametrize("arguments", [["granian", "wsgi:app"], ["flask", "mail", "dead", "--json"]])
def test_and_nothing_else_does(unusable: dict[str, str], monkeypatch, arguments: list[str]):
    for name in ("REFERRALHUB_ENV", "BASE_URL", "MAIL_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in unusable.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="SECRET_KEY is weak"):
        run_path(str(PROJECT / "wsgi.py"))


def test_it_is_a_command_of_ours():
    assert cli.doctor in cli.COMMANDS
