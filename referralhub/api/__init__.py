"""The API: what other programs ask of ours, in JSON."""

from referralhub.api import codes, document, events, members, perks, program, reference, referrals, rewards
from referralhub.api.operations import bp

__all__ = ["bp", "codes", "document", "events", "members", "perks", "program", "reference", "referrals", "rewards"]
