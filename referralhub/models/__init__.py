"""The tables, one file per noun. Importing this package loads them all."""

from referralhub.models.badge import Badge, BadgeAward
from referralhub.models.base import Base
from referralhub.models.leaderboard import LeaderboardChange
from referralhub.models.outbox import MessageKind, OutboxMessage
from referralhub.models.perk import Coupon, Fulfilment, Perk, Redemption
from referralhub.models.profile import Profile
from referralhub.models.program import Program, Touch, Unit
from referralhub.models.referral import Channel, Referral, ReferralEvent, ReferralState
from referralhub.models.reward import RewardEntry, RewardKind
from referralhub.models.user import User
from referralhub.models.visit import VisitDaily

__all__ = [
    "Badge",
    "BadgeAward",
    "Base",
    "Channel",
    "Coupon",
    "Fulfilment",
    "LeaderboardChange",
    "MessageKind",
    "OutboxMessage",
    "Perk",
    "Profile",
    "Program",
    "Redemption",
    "Referral",
    "ReferralEvent",
    "ReferralState",
    "RewardEntry",
    "RewardKind",
    "Touch",
    "Unit",
    "User",
    "VisitDaily",
]
