"""What the ways to share a link are called."""

from referralhub.models import Channel
from referralhub.words.language import N_, translated

NETWORKS = {  # which are called so in every language
    Channel.X: "X",
    Channel.FACEBOOK: "Facebook",
    Channel.WHATSAPP: "WhatsApp",
    Channel.LINKEDIN: "LinkedIn",
    Channel.TELEGRAM: "Telegram",
    Channel.REDDIT: "Reddit",
    Channel.SMS: "SMS",
}
OTHERS = {
    Channel.LINK: N_("Your bare link"),
    Channel.CODE: N_("Typed code"),
    Channel.EMAIL: N_("E-mail"),
    Channel.SHARE: N_("Share button"),
    Channel.QR: N_("QR code"),
}


def channel_label(channel: Channel) -> str:
    """Return what a channel is called where it stands alone: "WhatsApp", "QR code"."""
    return NETWORKS.get(channel) or translated(OTHERS[channel])
