"""What a member's sign-ins are called."""

import pytest

from referralhub.browsers import name_of
from tests.callers import BROWSERS

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPAD = IPHONE.replace("iPhone; CPU iPhone", "iPad; CPU")
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{WINDOWS}) {BLINK} Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS}) {BLINK} Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS}) {BLINK} Safari/537.36 OPR/115.0.0.0", "Opera on Windows"),
        (f"{WINDOWS}) {BLINK} Safari/537.36 Vivaldi/7.0.3495.15", "Vivaldi on Windows"),
        (f"{WINDOWS}; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} Safari/537.36", "Chrome on ChromeOS"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {BLINK} Safari/537.36", "Chrome on Mac"),
        (f"{ANDROID} {BLINK} Mobile Safari/537.36", "Chrome on Android"),
        (f"{ANDROID} AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
         "Samsung Internet on Android"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox on Android"),
        (f"{IPHONE} Version/26.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{IPHONE} CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{IPHONE} FxiOS/133.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (f"{IPHONE} EdgiOS/130.0.2849.80 Version/17.0 Mobile/15E148 Safari/604.1", "Edge on iPhone"),
        (f"{IPHONE} Mobile/21B101", "Safari on iPhone"),
        (f"{IPAD} Version/17.6 Mobile/15E148 Safari/604.1", "Safari on iPad"),
        (f"{WINDOWS})", "A browser on Windows"),
        ("curl/8.16.0", "curl"),
        ("-iPhone/1 CFNetwork", "A browser on iPhone"),
        ("no browser at all", "A browser"),
        ("", "A browser"),
    ],
)  # fmt: skip
def test_browsers_are_called_as_people_call_them(agent: str, name: str):
    assert name_of(agent) == name


@pytest.mark.parametrize("agent", BROWSERS)
def test_every_browser_has_a_name_and_a_system_that_fit_the_column(agent: str):
    name = name_of(agent)
    assert " on " in name
    assert not name.startswith("A browser")
    assert len(name) <= 60
