"""Two hundred referrals, each confirmed fifty times at the same moment over HTTP: two hundred credits a side.

Three guards stand in the way of a double credit: an address is confirmed once, the referral's state moves in one
UPDATE, and the ledger has a unique constraint. Each must hold alone. With all taken away the same test must fail, or it
would prove nothing.
"""

import http.client
import re
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from referralhub import create_app
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import Channel, OutboxMessage, Profile, Referral, RewardEntry, TokenPurpose, User
from referralhub.services.accounts import signup, tokens
from referralhub.services.program import rules
from referralhub.services.referrals.attribution import FollowedLink
from tests import servers
from tests.conftest import SECRET_KEY, extra_database, make_settings
from tests.people import Records

pytestmark = pytest.mark.deep

CLICKS = 50
CONSTRAINT = "uq_reward_entry_referral_id_profile_id_kind"


class Browser:
    """One connection with one session, and the token of its forms."""

    def __init__(self, port: int, path: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self.token = re.search(r'name="csrf_token" value="([^"]+)"', answer.read().decode())[1]

    def press(self, path: str) -> int:
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", path, urlencode({"csrf_token": self.token}), headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


def press_together(port: int, paths: list[str]) -> Counter[int]:
    """Let fifty browsers press each button at the same moment, one button after the other."""
    together = threading.Barrier(CLICKS)
    statuses: Counter[int] = Counter()
    browsers = [Browser(port, paths[0]) for _ in range(CLICKS)]

    def run(browser: Browser) -> None:
        for path in paths:
            together.wait()
            statuses[browser.press(path)] += 1

    threads = [threading.Thread(target=run, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for browser in browsers:
        browser.connection.close()
    return statuses


def without_constraint(kind: str) -> None:
    """Take the unique constraint away from the database in use."""
    if kind == "postgresql":
        db.session.execute(db.text(f"ALTER TABLE reward_entry DROP CONSTRAINT {CONSTRAINT}"))
    else:
        made = db.session.execute(db.text("SELECT sql FROM sqlite_master WHERE name = 'reward_entry'")).scalar_one()
        without = re.sub(rf",\s*CONSTRAINT {CONSTRAINT} UNIQUE \([^)]*\)", "", made)
        assert without != made
        db.session.execute(db.text("DROP TABLE reward_entry"))
        db.session.execute(db.text(without))
    db.session.commit()


@pytest.fixture(params=["sqlite", "postgresql"])
def race(request, valkey, tmp_path: Path):
    """Prepare so many referrals of two sides, press their buttons, and give the credits of each."""
    kind = request.param

    def run(number: int, careless_about: str = "", constraint: bool = True) -> tuple[Counter, Counter, list[int]]:
        valkey.client.flushdb()
        with extra_database(kind, tmp_path, request, migrated=True) as url:
            settings = make_settings(url, valkey.url, tmp_path, ratelimit_enabled=False)
            app = create_app(settings)
            with app.app_context():
                if not constraint:
                    without_constraint(kind)
                now = app.config["CLOCK"]()
                rules.change(rules.PRESETS["paypal"], now)
                alice = signup.sign_up("alice", "alice@example.com", "alice likes tea", None, now)
                click = FollowedLink(alice.profile.code, Channel.LINK, now)
                friends = [
                    signup.sign_up(f"friend{i}", f"friend{i}@example.com", "likes tea a lot", click, now)
                    for i in range(number)
                ]
                with transaction() as session:
                    session.execute(update(OutboxMessage).values(next_try_at=None))  # a mailed link would end these
                    purpose = TokenPurpose.VERIFY_ADDRESS
                    mailed = [tokens.issue(session, purpose, each.id, each.email, now) for each in friends]
                paths = [f"/verify/{token}" for token in mailed]
                db.engine.dispose()
            application = "tests.deep.careless:app" if careless_about else "wsgi:app"
            changes = {"SECRET_KEY": SECRET_KEY, "RATELIMIT_ENABLED": "false", "CARELESS_ABOUT": careless_about}
            with servers.ReferralHub(tmp_path, url, valkey.url, application=application, **changes) as hub:
                statuses = press_together(hub.port, paths)
            credits = Counter(
                (entry.kind.value, entry.referral_id) for entry in Records(app).all(RewardEntry) if entry.amount > 0
            )
            counts = [profile.referral_count for profile in Records(app).all(Profile, id=1)]
            assert len(Records(app).all(Referral)) == number
            assert len(Records(app).all(User)) == number + 1
            with app.app_context():
                db.engine.dispose()
            return statuses, credits, counts

    return run


def test_two_hundred_referrals_pressed_fifty_times_each(race):
    statuses, credits, counts = race(200)
    assert statuses == {303: 200 * CLICKS}
    assert counts == [200]
    assert Counter(side for side, _ in credits) == {"referrer": 200, "friend": 200}
    assert set(credits.values()) == {1}


def test_the_constraint_alone_is_enough(race):
    _, credits, _ = race(20, "token state")
    assert Counter(side for side, _ in credits) == {"referrer": 20, "friend": 20}
    assert set(credits.values()) == {1}


def test_the_state_alone_is_enough(race):
    _, credits, _ = race(20, "token", constraint=False)
    assert Counter(side for side, _ in credits) == {"referrer": 20, "friend": 20}
    assert set(credits.values()) == {1}


def test_the_token_alone_is_enough(race):
    _, credits, _ = race(20, "state", constraint=False)
    assert Counter(side for side, _ in credits) == {"referrer": 20, "friend": 20}
    assert set(credits.values()) == {1}


def test_without_any_the_tests_above_would_fail(race):
    _, credits, _ = race(20, "token state", constraint=False)
    assert max(credits.values()) > 1
