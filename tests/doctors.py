"""An installation in good health, and the doctor who looks at it, for tests that spoil one thing."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from flask import Flask
from sqlalchemy import text

from referralhub.extensions import db
from referralhub.services.accounts import signup
from referralhub.services.operations import heartbeat
from tests.mail_server import MailServer
from tests.people import Clock

Found = dict[str, dict[str, Any]]
Examine = Callable[..., Found]
PUBLIC = {"referralhub_env": "production", "base_url": "https://refer.example.com", "trusted_proxies": 1}


@pytest.fixture(scope="session")
def login_server() -> Iterator[MailServer]:
    def check(_server, _session, _envelope, _mechanism, login: LoginPassword) -> AuthResult:
        return AuthResult(success=login == LoginPassword(b"hub", b"right"), handled=False)

    with MailServer(auth_require_tls=False, authenticator=check) as server:
        yield server


@pytest.fixture
def mail_url(login_server: MailServer) -> str:
    return f"smtp://hub:right@127.0.0.1:{login_server.port}"


def examined(app: Flask, expect: int | None = None) -> Found:
    """Let the doctor look, and give the reports by name."""
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == (0 if document["ok"] else 1)
    assert expect in (None, result.exit_code), result.stdout
    return {report["name"]: report for report in document["checks"]}


@pytest.fixture
def settled(lend_app, mail_url: str, clock: Clock) -> Flask:
    """A public installation in good health."""
    app = lend_app(**PUBLIC, mail_url=mail_url)
    clock.now = datetime.now(UTC)  # the machine's, as those of the servers
    with app.app_context():
        signup.create_admin("grace", "grace@example.com", "grace likes tea", clock())
        db.session.execute(text("DELETE FROM outbox"))
        db.session.commit()
    heartbeat.beat(app.extensions["redis"], clock())
    return app


@pytest.fixture
def examine(settled: Flask, make_app, mail_url: str, clock: Clock) -> Examine:
    """Let the doctor look at that installation, with other settings perhaps."""

    def run(expect: int | None = None, **changes: object) -> Found:
        app = make_app(**(PUBLIC | {"mail_url": mail_url} | changes)) if changes else settled
        return examined(app, expect)

    return run


def says(report: dict[str, Any], words: str, status: str = "finding") -> None:
    assert report["status"] == status, report
    assert any(words in remark["wrong"] for remark in report["remarks"]), report
    assert all(remark["remedy"] for remark in report["remarks"])
