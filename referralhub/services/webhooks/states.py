"""The state of what messages are about, as the API shows it. Each function reads it in a transaction at work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, aliased

from referralhub.models import (
    Conversion,
    Event,
    EventCustomer,
    ExternalMember,
    Perk,
    Profile,
    Reason,
    Redemption,
    Referral,
    ReferralEvent,
    Reward,
    RewardEntry,
    User,
    known_address,
)
from referralhub.services.shared.currencies import is_money
from referralhub.services.shared.names import shown_name


@dataclass(frozen=True)
class Words:
    """What only the edge can say: the address of a code's link, a member's name for others, and a reason for people."""

    link: Callable[[str], str]
    name: Callable[[str], str]
    why: Callable[[Reason], str]


_words: Words


def use(words: Words) -> None:
    """Take words from here: services know neither addresses nor languages."""
    global _words  # noqa: PLW0603 - the same for every application of a process
    _words = words


def member(session: Session, user_id: int) -> dict[str, Any]:
    """Return a member. One query."""
    return _member(session.execute(_members().where(User.id == user_id)).one())


def profile(session: Session, profile_id: int) -> dict[str, Any]:
    """Return the member who has this place in the program. One query."""
    return _member(session.execute(_members().where(Profile.id == profile_id)).one())


def referral(session: Session, referral_id: int) -> dict[str, Any]:
    """Return a referral. One query."""
    friend, friend_user, friend_outside = aliased(Profile), aliased(User), aliased(ExternalMember)
    referrer, outside = aliased(Profile), aliased(ExternalMember)
    last = select(func.max(ReferralEvent.id)).where(ReferralEvent.referral_id == referral_id).scalar_subquery()
    row = session.execute(
        select(
            Referral.id, Referral.state, Referral.channel, Referral.created, Referral.decided_at,
            shown_name(friend_user).label("friend"), friend_outside.external_id.label("friend_external_id"),
            outside.external_id.label("referrer_external_id"), referrer.shown_code.label("referrer_code"),
            ReferralEvent.reason_code, ReferralEvent.reason_values,
        )
        .join(referrer, referrer.id == Referral.referrer_id)
        .outerjoin(outside, outside.user_id == referrer.user_id)
        .join(friend, friend.id == Referral.friend_id)
        .join(friend_user, friend_user.id == friend.user_id)
        .outerjoin(friend_outside, friend_outside.user_id == friend.user_id)
        .outerjoin(ReferralEvent, ReferralEvent.id == last)
        .where(Referral.id == referral_id)
    ).one()  # fmt: skip
    found = row._asdict()
    code, values = found.pop("reason_code") or "", found.pop("reason_values") or {}
    return found | {"friend": _words.name(row.friend), "reason": code, "why": _words.why(Reason(code, values))}


def conversion(session: Session, conversion_id: int) -> dict[str, Any]:
    """Return a conversion, with its event and whom it belongs to. One query."""
    person, organization = aliased(EventCustomer), aliased(EventCustomer)
    referrer, outside = aliased(Profile), aliased(ExternalMember)
    row = session.execute(
        select(
            Conversion.id, Event.own_id.label("event_id"), Event.type, Event.amount, Event.currency,
            person.external_id.label("customer_external_id"), organization.external_id.label("organization_id"),
            Conversion.referral_id, outside.external_id.label("referrer_external_id"), Conversion.refunded,
            Conversion.referrer_amount, Conversion.referrer_unit, Conversion.friend_amount, Conversion.friend_unit,
            Conversion.reason_code.label("reason"), Event.occurred_at, Conversion.created,
        )
        .join(Event, Event.id == Conversion.event_id)
        .outerjoin(person, person.id == Event.customer_id)
        .outerjoin(organization, organization.id == Event.organization_id)
        .join(Referral, Referral.id == Conversion.referral_id)
        .join(referrer, referrer.id == Referral.earner_id)
        .outerjoin(outside, outside.user_id == referrer.user_id)
        .where(Conversion.id == conversion_id)
    ).one()  # fmt: skip
    return row._asdict()


def reward(session: Session, reward_id: int) -> dict[str, Any]:
    """Return a reward that is to be handed over, with whom it is for. Two queries."""
    row = session.execute(
        select(
            Reward.id, Reward.profile_id, Reward.state, Reward.amount, Reward.unit, Reward.reference, Reward.reason,
            RewardEntry.kind, RewardEntry.referral_id, Event.own_id.label("event_id"), Reward.created, Reward.changed,
        )
        .join(RewardEntry, RewardEntry.id == Reward.entry_id)
        .outerjoin(Conversion, Conversion.id == RewardEntry.conversion_id)
        .outerjoin(Event, Event.id == Conversion.event_id)
        .where(Reward.id == reward_id)
    ).one()  # fmt: skip
    found = row._asdict()
    member = profile(session, found.pop("profile_id"))
    currency = row.unit if is_money(row.unit) else None
    return found | {"external_id": member["external_id"], "currency": currency, "member": member}


def claim(session: Session, claim_id: int) -> dict[str, Any]:
    """Return a perk that a member claimed. Two queries."""
    row = session.execute(
        select(
            Redemption.id, Redemption.profile_id, Redemption.perk_id, Perk.name.label("perk"), Perk.price, Perk.unit,
            Perk.unlocked_at, Redemption.fulfilled_at, Redemption.created,
        )
        .join(Perk, Perk.id == Redemption.perk_id)
        .where(Redemption.id == claim_id)
    ).one()  # fmt: skip
    found = row._asdict()
    return found | {"member": profile(session, found.pop("profile_id"))}


def _members() -> Any:
    return (
        select(
            User.id, ExternalMember.external_id, Profile.shown_code.label("code"), User.email,
            func.coalesce(User.display_name, "").label("name"), User.language, ExternalMember.details.label("metadata"),
            User.is_active.label("active"), Profile.referral_count.label("total_referrals"), Profile.created,
        )
        .join(Profile, Profile.user_id == User.id)
        .outerjoin(ExternalMember, ExternalMember.user_id == User.id)
    )  # fmt: skip


def _member(row: Row[Any]) -> dict[str, Any]:
    values = {"link": _words.link(row.code), "email": known_address(row.email), "metadata": row.metadata or {}}
    return row._asdict() | values
