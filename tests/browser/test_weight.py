"""The dashboard is light: what comes over the wire on a first visit and on another one, as the browser counts it."""

import pytest

from audit import weight

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


@pytest.mark.parametrize("who", ["somebody whose friend was confirmed", "somebody whose address is not confirmed yet"])
def test_a_dashboard_weighs_little_and_loads_nothing_from_elsewhere(open_tab, busy, browser, who: str):
    if "friend" in who:
        tab = busy()
        tab.confirm_address()
    else:
        tab = open_tab("newcomer")
        tab.sign_up()
    first, again = weight.two_visits(browser, tab.context, f"{tab.hub.base_url}/dashboard/")
    assert weight.too_much(first, again) == []
    assert len(again.asked) == 1
    assert 1_000 < again.bytes < first.bytes  # it was measured
