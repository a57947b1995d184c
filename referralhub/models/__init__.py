"""The tables, one file per noun. Importing this package loads them all."""

from referralhub.models.api_answer import ApiAnswer
from referralhub.models.api_key import ONLY_PRODUCT, ApiKey, Scope
from referralhub.models.audit import AuditLine, Role
from referralhub.models.avatar import Avatar
from referralhub.models.badge import Badge, BadgeAward
from referralhub.models.base import Base
from referralhub.models.brand import Brand, Logo, LogoType
from referralhub.models.claim import Appeal, ClaimState, ReferralClaim
from referralhub.models.customer import Customer
from referralhub.models.event import Conversion, CustomerKind, Event, EventCustomer, EventState
from referralhub.models.external_member import ExternalMember
from referralhub.models.figure_change import FigureChange
from referralhub.models.invitation import Invitation, InvitationState, MailRefusal
from referralhub.models.leaderboard import LeaderboardChange
from referralhub.models.once import Once
from referralhub.models.outbox import MessageKind, OutboxMessage
from referralhub.models.own_code import OwnCode
from referralhub.models.own_text import OwnText
from referralhub.models.perk import Coupon, Fulfilment, Perk, Redemption
from referralhub.models.profile import Profile
from referralhub.models.program import CONFIRMED_ADDRESS, TERMS, Amount, Program, Terms, Touch, Unit, ledger_unit
from referralhub.models.referral import (
    NEVER_JUDGED,
    Channel,
    FormerAddress,
    Reason,
    ReasonCode,
    Referral,
    ReferralEvent,
    ReferralState,
)
from referralhub.models.reward import Reward, RewardEntry, RewardHold, RewardKind, RewardState
from referralhub.models.second_factor import Identity, RecoveryCode
from referralhub.models.sign_in import SignIn
from referralhub.models.signal import DailySalt, Sighting, SignupFacts
from referralhub.models.token import OneTimeToken, ResetRequest, TokenPurpose
from referralhub.models.user import ERASED_DOMAIN, MADE_UP_NAME, NO_ADDRESS_DOMAIN, NO_PASSWORD, User, known_address
from referralhub.models.visit import VisitDaily
from referralhub.models.webhook import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    WebhookOff,
    WebhookSequence,
    WebhookType,
)

__all__ = [
    "CONFIRMED_ADDRESS",
    "ERASED_DOMAIN",
    "MADE_UP_NAME",
    "NEVER_JUDGED",
    "NO_ADDRESS_DOMAIN",
    "NO_PASSWORD",
    "ONLY_PRODUCT",
    "TERMS",
    "Amount",
    "ApiAnswer",
    "ApiKey",
    "Appeal",
    "AuditLine",
    "Avatar",
    "Badge",
    "BadgeAward",
    "Base",
    "Brand",
    "Channel",
    "ClaimState",
    "Conversion",
    "Coupon",
    "Customer",
    "CustomerKind",
    "DailySalt",
    "Event",
    "EventCustomer",
    "EventState",
    "ExternalMember",
    "FigureChange",
    "FormerAddress",
    "Fulfilment",
    "Identity",
    "Invitation",
    "InvitationState",
    "LeaderboardChange",
    "Logo",
    "LogoType",
    "MailRefusal",
    "MessageKind",
    "Once",
    "OneTimeToken",
    "OutboxMessage",
    "OwnCode",
    "OwnText",
    "Perk",
    "Profile",
    "Program",
    "Reason",
    "ReasonCode",
    "RecoveryCode",
    "Redemption",
    "Referral",
    "ReferralClaim",
    "ReferralEvent",
    "ReferralState",
    "ResetRequest",
    "Reward",
    "RewardEntry",
    "RewardHold",
    "RewardKind",
    "RewardState",
    "Role",
    "Scope",
    "Sighting",
    "SignIn",
    "SignupFacts",
    "Terms",
    "TokenPurpose",
    "Touch",
    "Unit",
    "User",
    "VisitDaily",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookMessage",
    "WebhookOff",
    "WebhookSequence",
    "WebhookType",
    "known_address",
    "ledger_unit",
]
