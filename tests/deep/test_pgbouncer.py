"""ReferralHub behind PgBouncer in transaction mode: three connections for all, each lent for one transaction."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from referralhub import create_app
from referralhub.clock import system_clock
from referralhub.extensions import db
from referralhub.models import Invitation, InvitationState, Referral, ReferralState
from referralhub.services.program import rules
from tests import servers
from tests.conftest import SECRET_KEY, extra_database, make_settings
from tests.people import Person, PostOffice, Records, all_at_once
from tests.servers import wait_until

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(servers.PgBouncer.program is None, reason="PgBouncer is not installed, and nothing was proved"),
]

FRIENDS, INVITED, LOOKS = 12, 5, 10
COMMANDS = ("seed bulk --members 2000", "leaderboard rebuild", "ledger verify", "audit verify", "db upgrade")


@pytest.fixture
def pooled_url(tmp_path: Path, postgresql: servers.PostgreSQL, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database, reached through PgBouncer."""
    with extra_database("postgresql", tmp_path, request, migrated=False) as url, servers.short_folder() as folder:
        folder.chmod(0o755)
        with servers.PgBouncer(folder, postgresql, url.partition("@/")[2].partition("?")[0]) as pooler:
            yield pooler.url


@pytest.fixture
def hub(pooled_url: str, valkey: servers.Valkey, tmp_path: Path) -> Iterator[servers.ReferralHub]:
    """Web server and worker, with the tables made by the operators' command."""
    valkey.client.flushdb()
    with servers.ReferralHub(tmp_path, pooled_url, valkey.url, SECRET_KEY=SECRET_KEY) as hub:
        hub.flask("db", "upgrade")
        yield hub


@pytest.fixture
def app(hub: servers.ReferralHub, pooled_url: str, valkey: servers.Valkey, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(make_settings(pooled_url, valkey.url, tmp_path, ratelimit_enabled=False))
    with app.app_context():
        rules.change(rules.PRESETS["paypal"], system_clock())
    yield app
    with app.app_context():
        db.engine.dispose()
    app.extensions["redis"].close()


class Friend(Person):
    """Somebody whose mail the running worker sends."""

    def join(self, link: str) -> None:
        self.click(link)
        self.sign_up()
        wait_until(lambda: self.post_office.letters(self.email), "the worker has sent the mail")
        self.confirm_address()
        for _ in range(LOOKS):
            self.get("/dashboard/")

    def invite(self) -> None:
        path = "/dashboard/invite"
        addresses = " ".join(f"{self.username}{number}@example.org" for number in range(INVITED))
        looked = self.submit(self.get(path).form(path), 200, addresses=addresses, words="")
        self.submit(looked.form(path), send="yes")


def test_many_join_look_and_invite_at_once_and_commands_work(hub: servers.ReferralHub, app: Flask):
    office = PostOffice(app)
    office.deliver = lambda: 0  # that is for the worker
    alice = Friend(app, office, "alice")
    alice.sign_up()
    link = alice.link
    friends = [Friend(app, office, f"friend{number}") for number in range(FRIENDS)]
    all_at_once([lambda friend=friend: friend.join(link) for friend in friends])
    all_at_once([friend.invite for friend in friends])

    records = Records(app)
    assert len(records.all(Referral, state=ReferralState.CONFIRMED)) == FRIENDS
    assert len(records.all(Invitation)) == FRIENDS * INVITED
    wait_until(lambda: len(records.all(Invitation, state=InvitationState.SENT)) == FRIENDS * INVITED, "all are invited")
    for command in COMMANDS:
        hub.flask(*command.split())  # an exit code other than 0 is an error
