"""While something is on its way: a form is sent once, and what is fetched anew says so, or says that it failed."""

import pytest
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


def hold(page: Page, address: str) -> list[Route]:
    """Let no answer come from this address until it is asked for."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))  # noqa: PLW0108 - it marks it, and can mark no list
    return held


# Presses the button, looks at it, and sends the form again as the Enter key in a field does.
PRESS_AND_PRESS = """async () => {
  const button = document.querySelector("form[action='/account/profile'] [type=submit]");
  button.click();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const shown = [button.disabled, button.ariaBusy];
  button.form.requestSubmit();
  return shown;
}"""


def test_a_form_is_sent_once_however_often_it_is_pressed(open_tab, hub):
    tab = open_tab("alice")
    tab.sign_up()
    tab.go("/account/profile")
    held = hold(tab.page, "**/account/profile")
    assert tab.page.evaluate(PRESS_AND_PRESS) == [True, "true"]
    tab.page.wait_for_timeout(200)
    assert len(held) == 1
    held[0].continue_()
    expect(tab.page.get_by_role("status").first).to_contain_text("Saved")
    expect(tab.page.get_by_role("button", name="Save")).to_be_enabled()


def test_the_button_that_was_pressed_is_sent_along(panel, hub):
    page = panel()
    page.goto(f"{hub.base_url}/admin/customers/")
    file = {"name": "list.csv", "mimeType": "text/csv", "buffer": b"email,customer_since\nx@example.com,2020-01-01\n"}
    page.locator("#file").set_input_files(file)
    page.get_by_role("button", name="Only check it").click()
    expect(page.get_by_role("status").first).to_contain_text("Nothing was changed.")


def test_whoever_comes_back_finds_the_buttons_enabled(open_tab, hub):
    tab = open_tab("visitor")
    tab.go("/password/forgot")
    tab.page.locator("#email").fill("nobody@example.com")
    tab.page.get_by_role("button", name="Mail me the link").click()
    expect(tab.page.locator("h1")).to_have_text("Look into your mail")
    tab.page.go_back()
    expect(tab.page.get_by_role("button", name="Mail me the link")).to_be_enabled()


def test_what_is_slow_to_come_is_waited_for_visibly_and_what_fails_is_said(open_tab, hub):
    tab = open_tab("visitor")
    tab.go("/leaderboard")
    held = hold(tab.page, "**/leaderboard?period=week*")
    bar = "getComputedStyle(document.querySelector('#leaderboard'), '::before').animationName"
    assert tab.page.evaluate(bar) == "none"
    tab.page.get_by_role("link", name="Week").click(no_wait_after=True)
    tab.page.wait_for_function(f"{bar} === 'arrive'")
    held[0].fulfill(status=503, body="")
    tab.page.wait_for_url("**/leaderboard?period=week")  # the browser asks itself, and gets the page that says why
    tab.page.wait_for_timeout(100)
    held[-1].continue_()
    expect(tab.page.locator("#leaderboard-title")).to_have_text("This week")
    tab.mishaps.clear()
