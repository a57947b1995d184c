"""Signing in with the organization's provider, which is another site to the browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from referralhub.clock import system_clock
from tests import servers
from tests.conftest import extra_database
from tests.provider import Provider

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(system_clock, host="localhost") as provider:
        provider.vouch_for("grace@example.com")
        yield provider


@pytest.fixture
def hub(
    request: pytest.FixtureRequest, tmp_path, valkey: servers.Valkey, provider: Provider
) -> Iterator[servers.ReferralHub]:
    """A ReferralHub whose admins may come by the provider."""
    settings = {name.upper(): value for name, value in provider.settings.items()}
    with extra_database(request.param, tmp_path, request, migrated=True) as url:
        file = url.removeprefix("sqlite:///file:").partition("?")[0]
        with servers.ReferralHub(tmp_path, f"sqlite:///{file}", valkey.url, **settings) as hub:
            yield hub


def test_the_browser_goes_there_and_back_and_is_signed_in(open_tab, hub: servers.ReferralHub):
    admin = ("users", "create-admin", "--username", "grace", "--email", "grace@example.com", "--password-stdin")
    hub.flask(*admin, typed="grace likes tea\n")
    grace = open_tab("grace", java_script_enabled=False)
    grace.go("/login?next=/admin/")
    grace.page.get_by_role("link", name="Sign in with example.com").click()
    grace.page.wait_for_url("**/admin/")
    expect(grace.page.locator("h1")).to_be_visible()
    elsewhere = [mishap for mishap in grace.mishaps if mishap.startswith("request to http://localhost:")]
    assert len(elsewhere) == 1  # the way there is the one request to another site
    grace.mishaps = [mishap for mishap in grace.mishaps if mishap not in elsewhere]
