"""Which followed links a session keeps."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from referralhub.models import Channel
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.sessions import contents

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("number", range(1, 14))
def test_the_first_and_the_latest_ten(number: int):
    links = [FollowedLink(f"code{n:04}", Channel.LINK, NOW + timedelta(hours=n), None, str(n)) for n in range(number)]
    app = Flask("sessions")
    app.secret_key = "for this test"
    with app.test_request_context():
        for link in links:
            contents.remember_link(link)
        assert contents.followed_links() == links[:1] + links[1:][-(contents.MOST_LINKS - 1) :]
