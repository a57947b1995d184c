"""One-click sharing: a text of `words/letters`, and the addresses that open each network's own form."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask_babel import gettext as _

from referralhub.models import Channel
from referralhub.services.brand.in_force import Branding
from referralhub.services.referrals.statistics import Statistics
from referralhub.words import letters
from referralhub.words.amounts import format_amount
from referralhub.words.language import spoken


@dataclass(frozen=True)
class Share:
    """One button."""

    channel: Channel
    label: str
    url: str


@dataclass(frozen=True)
class Shares:
    """All buttons, and what the phone's own share sheet is given."""

    text: str
    link: str
    buttons: list[Share]


def share_links(link: str, stats: Statistics, brand: Branding) -> Shares:
    """Make the share buttons for a member's link; each marks the link with its channel."""
    name, values = "share", {"brand": brand.name}
    if stats.friend_amount:
        name, values["reward"] = "share_with_reward", format_amount(stats.friend_amount, stats.unit)
    subject, paragraphs = letters.said(name, values, brand.shared.get((name, spoken())))
    text = "\n\n".join(each.plain() for each in paragraphs)

    def via(channel: Channel) -> str:
        return f"{link}?via={channel.value}"

    def query(**values: str) -> str:
        return urlencode(values, quote_via=quote)

    buttons = [
        Share(Channel.X, "X", "https://x.com/intent/post?" + query(text=text, url=via(Channel.X))),
        Share(
            Channel.FACEBOOK,
            "Facebook",
            "https://www.facebook.com/sharer/sharer.php?" + query(u=via(Channel.FACEBOOK), quote=text),
        ),
        Share(
            Channel.EMAIL,
            _("E-mail"),
            "mailto:?" + query(subject=subject, body=f"{text} {via(Channel.EMAIL)}"),
        ),
        Share(Channel.WHATSAPP, "WhatsApp", "https://wa.me/?" + query(text=f"{text} {via(Channel.WHATSAPP)}")),
        Share(
            Channel.LINKEDIN,
            "LinkedIn",
            "https://www.linkedin.com/feed/?" + query(shareActive="true", text=f"{text} {via(Channel.LINKEDIN)}"),
        ),
        Share(
            Channel.TELEGRAM,
            "Telegram",
            "https://t.me/share/url?" + query(url=via(Channel.TELEGRAM), text=text),
        ),
    ]
    return Shares(text, via(Channel.SHARE), buttons)
