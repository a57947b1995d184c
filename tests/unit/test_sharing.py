"""The addresses that open each network's own form: what is shared stays inside its value, whatever it says."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from referralhub.dashboard.sharing import Shares, share_links
from referralhub.models import Channel, Terms
from referralhub.services.brand.in_force import Branding
from referralhub.services.program.rules import TIERS, standing
from referralhub.services.referrals.statistics import Statistics

LINK = "https://hub.example/abcd1234/"
TERMS = Terms("points", "USD", 10, 0, 0, 0, "confirmed_address", None, {}, 1, None)
STATS = Statistics(0, 0, "points", 0, 0, 0, standing(TIERS, 0), TERMS, late_code_days=14)
NASTY = [
    "Tea & cake? 100 % yes #1 + more / less = good",
    "&url=https://evil.example/&text=other",
    "?subject=other&bcc=everybody@example.com&body=",
    "Grüße \U0001f375 \"quoted\" <b>bold</b> \\ 'single'",
    "first line\nsecond line",
    "%26url%3Dhttps%3A%2F%2Fevil.example",
    "javascript:alert(1)//",
]
# Which parameters each form is given, and what is in each; "both" is the text with the link after it.
FORMS = {
    Channel.X: ("https", "x.com", "/intent/post", {"text": "text", "url": "link"}),
    Channel.FACEBOOK: ("https", "www.facebook.com", "/sharer/sharer.php", {"quote": "text", "u": "link"}),
    Channel.WHATSAPP: ("https", "wa.me", "/", {"text": "both"}),
    Channel.LINKEDIN: ("https", "www.linkedin.com", "/feed/", {"shareActive": "true", "text": "both"}),
    Channel.TELEGRAM: ("https", "t.me", "/share/url", {"text": "text", "url": "link"}),
    Channel.REDDIT: ("https", "www.reddit.com", "/submit", {"title": "one line", "url": "link"}),
    Channel.SMS: ("sms", "", "", {"body": "both"}),
    Channel.EMAIL: ("mailto", "", "", {"subject": "subject", "body": "mail"}),
}


def shares(text: str = "") -> Shares:
    return share_links(LINK, STATS, Branding(), text)


def meant(text: str, link: str) -> dict[str, str]:
    return {
        "text": text,
        "link": link,
        "both": f"{text} {link}",
        "mail": f"{text} {link}".replace("\n", "\r\n"),
        "one line": " ".join(text.split()),
        "true": "true",
        "subject": "An invitation to ReferralHub",
    }


def test_each_channel_that_is_shared_by_has_a_button():
    assert [each.channel for each in shares().buttons] == list(FORMS)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("channel", FORMS)
def test_text_and_link_come_out_as_they_went_in(channel: Channel, text: str):
    (button,) = [each for each in shares(text).buttons if each.channel is channel]
    scheme, host, path, values = FORMS[channel]
    found = urlsplit(button.url)
    assert (found.scheme, found.netloc, found.path, found.fragment) == (scheme, host, path, "")
    expected = meant(text, f"{LINK}?via={channel.value}")
    assert parse_qs(found.query.removeprefix("&"), strict_parsing=True) == {
        name: [expected[what]] for name, what in values.items()
    }


@pytest.mark.parametrize("text", NASTY)
def test_addresses_are_ascii_and_have_no_part_that_ends_them(text: str):
    for button in shares(text).buttons:
        assert button.url.isascii()
        assert not set(button.url) & set(" \"'<>\\^`{|}\r\n\t#+")


def test_a_text_message_is_taken_by_both_kinds_of_phone():
    (button,) = [each for each in shares("Come & see").buttons if each.channel is Channel.SMS]
    assert button.url.startswith("sms:?&body=Come%20%26%20see%20https%3A%2F%2Fhub.example")


def test_the_share_sheet_gets_text_and_link_apart():
    found = shares("Come along.")
    assert (found.text, found.link, found.is_own) == ("Come along.", f"{LINK}?via=share", True)


def test_without_a_text_of_their_own_members_share_ours():
    found = shares()
    assert not found.is_own
    assert found.text == "I'm using ReferralHub and think you'd like it. Join me with my link:"
    assert all(found.text.split()[0] in unquote(each.url) for each in found.buttons)
