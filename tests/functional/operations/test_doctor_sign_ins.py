"""The doctor looks at what admins sign in with beside their passwords."""

import pytest

from referralhub.extensions import db
from referralhub.models import User
from referralhub.services.shared import sealing
from tests.conftest import SECRET_KEY
from tests.doctors import Examine, says
from tests.people import Clock
from tests.provider import SECRET, Provider


@pytest.mark.one_database
class TestProvider:
    @pytest.fixture
    def provider(self, clock: Clock):
        with Provider(clock) as provider:
            yield provider

    def test_one_that_is_well(self, examine: Examine, provider: Provider):
        assert examine(expect=0, **provider.settings)["provider"]["status"] == "ok"

    def test_one_that_is_another_than_its_address_says(self, examine: Examine, provider: Provider):
        provider.metadata["issuer"] = "https://evil.example"
        found = examine(expect=1, **provider.settings)
        says(found["provider"], "the issuer is not that of the address")
        assert SECRET not in str(found)

    def test_one_that_is_not_there(self, examine: Examine):
        settings = {"oidc_client_id": "x", "oidc_client_secret": "x", "oidc_domain": "example.com"}
        url = "http://127.0.0.1:1/.well-known/openid-configuration"
        says(examine(expect=1, oidc_discovery_url=url, **settings)["provider"], "ConnectionError")


def seal_with(app, secret_key: str) -> None:
    with app.app_context():
        user = db.session.scalars(db.select(User)).one()
        user.totp_secret, user.totp_step = sealing.seal("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", secret_key), 1
        db.session.commit()


def test_codes_that_can_and_cannot_be_checked(settled, examine: Examine):
    seal_with(settled, SECRET_KEY)
    assert examine(expect=0)["two_factor"]["status"] == "ok"
    seal_with(settled, "the SECRET_KEY of before, which somebody lost")
    says(examine(expect=1)["two_factor"], "no code works")


def test_admins_who_have_yet_to_set_it_up(settled, examine: Examine):
    says(examine(expect=0, require_admin_two_factor=True)["two_factor"], "1 of the admins", status="hint")
    seal_with(settled, SECRET_KEY)
    assert examine(expect=0, require_admin_two_factor=True)["two_factor"]["status"] == "ok"
