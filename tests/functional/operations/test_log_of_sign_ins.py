"""What is written down of a sign-in in two steps and of one with the provider."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.people import Person, path_of
from tests.provider import SECRET, Provider
from tests.two_factor import set_up, sign_in

pytestmark = pytest.mark.one_database


def test_the_provider_and_why_somebody_was_refused_but_nothing_that_opens_anything(make_app, post_office, clock, log):
    with Provider(clock) as provider:
        person = Person(make_app(ratelimit_enabled=False, **provider.settings), post_office, "grace")
        states = []

        def enter(expect: int) -> None:
            url = person.get("/login/provider", 302).location
            states.extend(parse_qs(urlsplit(url).query)["state"])
            person.get(path_of(provider.authorize(url)), expect)

        provider.vouch_for("grace@example.com", nonce="another")
        enter(403)
        provider.vouch_for("nobody@example.com")
        enter(403)
        provider.failing["/token"] = (500, b"oops")
        enter(503)
        assert [line["message"] for line in log.by("referralhub.auth.provider")] == [
            "A sign-in with the provider was refused: not_believed: InvalidClaimError",
            "A sign-in with the provider was refused: no_such_admin",
            "A sign-in with the provider was refused: away: HTTPError",
        ]
        for secret in (SECRET, "code-", "nobody@", "grace", provider.issuer, *states):
            assert secret not in log.text


def test_neither_secret_nor_codes(alice: Person, clock, log):
    alice.sign_up()
    app, codes = set_up(alice, clock)
    used = app.next_code()
    sign_in(alice.in_another_browser(), used)
    sign_in(alice.in_another_browser(), codes[0])
    sign_in(alice.in_another_browser(), "000000", 422)
    for secret in (app.secret, used, *codes):
        assert secret not in log.text
