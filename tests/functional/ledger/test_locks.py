"""Who waits for whom on PostgreSQL, where writers lock rows; SQLite has one lock for all of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import MessageKind, Role
from referralhub.services.accounts import administration
from referralhub.services.mailing import outbox
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor
from tests.factories import member

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.mark.parametrize("what", ["mail for the member", "the member's own action"])
def test_whoever_works_on_a_member_holds_up_nobody_who_only_refers_to_the_account(app: Flask, clock, what: str):
    """Else two could wait for each other: a confirmation and an admin, or two admins."""
    member(app, "anna", clock())
    actions: dict[str, Callable[[Session], object]] = {
        "mail for the member": lambda session: outbox.queue(session, MessageKind.FRIEND_JOINED, 1, "one", {}, clock()),
        "the member's own action": lambda session: audit.record(
            session, Actor(Role.ADMIN, 1), "perk.add", "perk", 1, {}, {}, clock()
        ),
    }

    def meanwhile() -> None:
        with app.app_context(), transaction() as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            actions[what](session)

    with app.app_context(), transaction() as session, ThreadPoolExecutor(1) as other:
        administration._member(session, 1)
        other.submit(meanwhile).result()
