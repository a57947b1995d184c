"""One-click sharing: the member's text or that of `words/letters`, and addresses that open each network's own form."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from referralhub.models import Channel
from referralhub.services.brand.in_force import Branding
from referralhub.services.referrals.statistics import Statistics
from referralhub.words import letters, offers
from referralhub.words.language import spoken
from referralhub.words.sharing import channel_label


@dataclass(frozen=True)
class Share:
    """One button."""

    channel: Channel
    label: str
    url: str


@dataclass(frozen=True)
class Shares:
    """All buttons, what the phone's own share sheet is given, and whether the text is the member's own."""

    text: str
    is_own: bool
    link: str
    buttons: list[Share]


def share_links(link: str, stats: Statistics, brand: Branding, own: str = "") -> Shares:
    """Make the share buttons for a member's link; each marks the link with its channel. `own` is the member's text."""
    subject, ours = shared_letter(stats, brand)
    text = own or ours

    def button(channel: Channel, address: Callable[[str], str]) -> Share:
        return Share(channel, channel_label(channel), address(via(link, channel)))

    buttons = [
        button(Channel.X, lambda url: "https://x.com/intent/post?" + _query(text=text, url=url)),
        button(Channel.FACEBOOK, lambda url: "https://www.facebook.com/sharer/sharer.php?" + _query(u=url, quote=text)),
        button(Channel.WHATSAPP, lambda url: "https://wa.me/?" + _query(text=f"{text} {url}")),
        button(
            Channel.LINKEDIN,
            lambda url: "https://www.linkedin.com/feed/?" + _query(shareActive="true", text=f"{text} {url}"),
        ),
        button(Channel.TELEGRAM, lambda url: "https://t.me/share/url?" + _query(url=url, text=text)),
        # A title is one line.
        button(
            Channel.REDDIT, lambda url: "https://www.reddit.com/submit?" + _query(url=url, title=" ".join(text.split()))
        ),
        # iOS wants the "&" here and Android the "?"; both take this.
        button(Channel.SMS, lambda url: "sms:?&" + _query(body=f"{text} {url}")),
        # In an address of mail, lines end as they do in mail (RFC 6068).
        button(
            Channel.EMAIL,
            lambda url: "mailto:?" + _query(subject=subject, body=f"{text} {url}".replace("\n", "\r\n")),
        ),
    ]
    return Shares(text, bool(own), via(link, Channel.SHARE), buttons)


def shared_letter(stats: Statistics, brand: Branding) -> tuple[str, str]:
    """Return a subject and a text to share the link with: the operator's, or ours."""
    name, values = "share", {"brand": brand.name}
    if reward := offers.in_letter(stats.terms):
        name, values["reward"] = "share_with_reward", reward
    subject, paragraphs = letters.said(name, values, brand.shared.get((name, spoken())))
    return subject, "\n\n".join(each.plain() for each in paragraphs)


def via(link: str, channel: Channel) -> str:
    """Return the link as it is shared by a channel."""
    return f"{link}?via={channel.value}"


def _query(**values: str) -> str:
    return urlencode(values, quote_via=quote)
