"""What a member could do next, one thing at a time: what there is to do, and which of it is suggested."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, and_, bindparam, case, func, or_, select

from referralhub.models import (
    Invitation,
    InvitationState,
    MailRefusal,
    Perk,
    Profile,
    Program,
    Redemption,
    ReferralState,
)
from referralhub.models.base import UtcDateTime
from referralhub.services.history.activity import Friend
from referralhub.services.history.days import FIRST
from referralhub.services.history.lists import listed, reader
from referralhub.services.perks.catalogue import LEFT
from referralhub.services.program.rules import Standing
from referralhub.services.referrals.invitations import REMIND_AFTER
from referralhub.services.shared.calendar import midnight, zone_of


class Step(StrEnum):
    """What can be suggested, the most urgent first."""

    CONFIRM = "confirm"  # the own address
    CLAIM = "claim"  # a perk that is reached, or can be paid for
    NUDGE = "nudge"  # a friend who joined and has not confirmed
    REMIND = "remind"  # one who was invited, came to look, and did not join
    SHARE = "share"  # for the first time
    INVITE = "invite"  # by mail
    CLIMB = "climb"  # to the next tier


@dataclass(frozen=True)
class Prospects:
    """What is open for a member; names are those of a perk and a friend, and the address of an invitation."""

    perk: str | None = None
    unconfirmed: str | None = None
    visited: str | None = None
    can_invite: bool = False  # by mail, and did not in the last thirty days


@dataclass(frozen=True)
class NextStep:
    """One suggestion, with whom or what it is about."""

    step: Step
    name: str = ""


def next_step(prospects: Prospects, place: Standing, *, has_confirmed: bool, has_shared: bool) -> NextStep | None:
    """Choose what to suggest; nothing to one who has done it all and stands at the top.

    `has_confirmed` is about the own address, and `has_shared` says whether the link has brought anybody yet.
    """
    open_steps = (
        (not has_confirmed, NextStep(Step.CONFIRM)),
        (prospects.perk, NextStep(Step.CLAIM, prospects.perk or "")),
        (prospects.unconfirmed, NextStep(Step.NUDGE, prospects.unconfirmed or "")),
        (prospects.visited, NextStep(Step.REMIND, prospects.visited or "")),
        (not has_shared, NextStep(Step.SHARE)),
        (prospects.can_invite, NextStep(Step.INVITE)),
        (place.next_name, NextStep(Step.CLIMB, place.next_name or "")),
    )
    return next((step for is_open, step in open_steps if is_open), None)


def due(now: datetime) -> datetime:
    """Return up to when an invitation was sent of which one may be reminded: looked at once a day, when it begins."""
    return midnight(now.date(), zone_of(now)) - REMIND_AFTER


def parts(profile_id: BindParameter[int]) -> dict[str, Any]:
    """Make the parts of a query on `Profile` and `Program`, by the names under which `of_row` reads them."""
    return {
        "invited": listed(_invited(profile_id)),
        "perks": listed(_nearest_perk(profile_id)),
    }


def of_row(row: Any, brought: Sequence[Friend], available: int) -> Prospects:
    """Read what these parts found; `available` is what can be spent."""
    waiting = (each for each in brought if each.state is ReferralState.PENDING and each.is_active)
    unconfirmed = max(waiting, key=lambda each: (each.created, each.id), default=None)
    ((number, visited),) = _read_invited(row.invited)
    return Prospects(
        perk=next((name for name, price in _read_perks(row.perks) if price <= max(0, available)), None),
        unconfirmed=unconfirmed and unconfirmed.name,
        visited=visited,
        can_invite=bool(row.email_invitations) and not number,
    )


_read_invited, _read_perks = reader(tuple[int, str | None]), reader(tuple[str, int])


def _invited(profile_id: BindParameter[int]) -> Any:
    """Ask how many were invited in the last thirty days, and for one who came to look and can be reminded."""
    refused = select(MailRefusal.created).where(MailRefusal.address_hash == Invitation.address_hash).exists()
    can_remind = and_(
        Invitation.state == InvitationState.VISITED,
        Invitation.created <= bindparam("due", type_=UtcDateTime),
        Invitation.reminded_at.is_(None),
        ~refused,
    )
    return select(func.count(), func.max(case((can_remind, Invitation.address)))).where(
        Invitation.profile_id == profile_id, Invitation.created >= FIRST
    )


def _nearest_perk(profile_id: BindParameter[int]) -> Any:
    """Ask for the perk that is reached, or else for the cheapest one; none that the member had or that is sold out."""
    had = select(Redemption.id).where(Redemption.profile_id == profile_id, Redemption.perk_id == Perk.id).exists()
    price = func.coalesce(Perk.price, 0)
    return (
        select(Perk.name, price)
        .where(
            Perk.is_active,
            or_(Perk.unlocked_at <= Profile.referral_count, and_(price > 0, Perk.unit == Program.ledger_unit)),
            ~had,
            func.coalesce(LEFT, 1) > 0,
        )
        .order_by(price, Perk.unlocked_at, Perk.id)
        .limit(1)
        .correlate(Profile, Program)
    )
