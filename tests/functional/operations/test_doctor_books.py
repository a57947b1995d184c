"""The doctor finds what is wrong inside: with the books, the worker and the accounts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub import tasks
from referralhub.config import DEMO_ADMIN, DEMO_PASSWORD
from referralhub.extensions import db
from referralhub.models import OutboxMessage
from referralhub.services.accounts import signup
from referralhub.services.operations import heartbeat
from tests.doctors import Examine, says
from tests.people import Clock


class TestBooks:
    def test_drift(self, examine: Examine, records):
        records.change(lambda: db.session.execute(text("UPDATE profile SET referral_count = 7")))
        says(examine(expect=1)["ledger"], "member 1: count 7")

    def test_a_leaderboard_that_differs(self, examine: Examine, valkey):
        examine()
        valkey.client.zadd("leaderboard:all:ever", {"0000000001": -5 * 2**33})
        says(examine(expect=1)["ledger"], "leaderboard all")

    def test_a_broken_audit_log(self, examine: Examine, settled: Flask, database: str):
        with settled.app_context():
            if database == "postgresql":
                db.session.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                db.session.execute(text("DROP TRIGGER audit_log_no_update"))
            db.session.execute(text("UPDATE audit_log SET reason = 'x' WHERE id = 1"))
            db.session.commit()
        says(examine(expect=1)["audit_log"], "Line 1 of the audit log")


class TestWorker:
    def test_one_that_never_ran(self, examine: Examine, valkey):
        valkey.client.delete(heartbeat.KEY)
        says(examine(expect=1)["worker"], "no sign of life yet")

    def test_one_that_stopped(self, examine: Examine, settled: Flask, clock: Clock):
        heartbeat.beat(settled.extensions["redis"], clock() - timedelta(minutes=4))
        says(examine(expect=1)["worker"], "no sign of life since")

    def test_its_job_is_the_sign_of_life(self, settled: Flask, valkey, clock: Clock):
        valkey.client.delete(heartbeat.KEY)
        with settled.app_context():
            tasks.give_sign_of_life.call_local()
        assert heartbeat.last(settled.extensions["redis"]) == clock()

    @pytest.fixture
    def message(self, settled: Flask, clock: Clock, records) -> Callable[..., None]:
        def put(**values: object) -> None:
            message = OutboxMessage(
                key="one", kind="verify_address", user_id=1, payload={}, attempts=1, created=clock(), **values
            )
            records.change(lambda: db.session.add(message))

        return put

    @pytest.mark.parametrize(("minutes", "status"), [(11, "finding"), (9, "ok")])
    def test_mail_that_is_overdue(self, examine: Examine, message, clock: Clock, minutes: int, status: str):
        message(next_try_at=clock() - timedelta(minutes=minutes))
        assert examine()["outgoing_mail"]["status"] == status

    def test_dead_letters_are_a_hint(self, examine: Examine, message):
        message(last_error="550 no such mailbox")
        says(examine(expect=0)["outgoing_mail"], "1 messages could not be delivered", "hint")


class TestAccounts:
    def test_nobody_who_runs_the_program_is_a_hint(self, examine: Examine, records):
        records.change(lambda: db.session.execute(text('UPDATE "user" SET is_admin = false')))
        says(examine(expect=0)["accounts"], "no admin", "hint")

    def test_an_account_whose_password_is_printed_for_everyone(self, examine: Examine, settled: Flask, clock: Clock):
        with settled.app_context():
            signup.create_admin(DEMO_ADMIN, "admin@example.com", DEMO_PASSWORD, clock())
            db.session.execute(text("DELETE FROM outbox"))
            db.session.commit()
        says(examine(expect=1)["accounts"], "seed demo")
