"""The signup of a product's customer who came by a member's link or code; a part of the transaction of the event."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from referralhub.models import (
    Channel,
    ExternalMember,
    Profile,
    Program,
    Reason,
    ReasonCode,
    Referral,
    User,
)
from referralhub.services.fraud import signals
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.integration import members
from referralhub.services.integration.members import LONGEST_NAME, MadeMeanwhile
from referralhub.services.integration.told import NOWHERE, Told
from referralhub.services.ledger import leaderboard
from referralhub.services.mailing import addresses
from referralhub.services.recourse import belated
from referralhub.services.referrals import attribution, invitation_progress, lifecycle
from referralhub.services.referrals.attribution import FollowedLink, Referrer
from referralhub.services.shared import codes, figure_changes, once
from referralhub.services.shared.errors import Taken
from referralhub.services.webhooks import announcing

GRACE = timedelta(days=1)  # by which clocks differ, and a product makes a member before it tells of the signup
VOUCHED_FOR = Reason(ReasonCode.VOUCHED_FOR)


class Why(StrEnum):
    """Why a signup begins no referral."""

    NOT_REFERRED = "not_referred"  # it came by nobody's link or code
    BROKEN_CLICK = "click_broken"
    CLICK_USED = "click_used"  # for another account
    CLICK_TOO_OLD = "click_too_old"
    UNKNOWN_CODE = "unknown_code"  # it may be known later
    OWN_LINK = "own_link"
    ALREADY_REFERRED = "already_referred"
    MEMBER_BEFORE = "was_member_before"


@dataclass(frozen=True)
class Friend:
    """Who signed up, as far as there is a member already: by the product's number, else by a proven address."""

    profile_id: int
    user_id: int
    referred_by_id: int | None
    since: datetime  # as a member, as far as the product knows
    is_ours: bool  # under the product's number


@dataclass(frozen=True)
class Signup:
    """What is needed of one. It is kept with the event until it was used, but for where it came from."""

    external_id: str
    occurred_at: datetime
    link: FollowedLink
    email: str | None
    name: str | None
    origin: RequestOrigin = NOWHERE


def to_keep(told: Told) -> dict[str, Any] | None:
    """Return what is kept with the event; None for what came by nobody."""
    link = told.link
    if link is None and told.code is None:
        return None
    return {
        "code": codes.normal(link.code if link else told.code or ""),
        "channel": (link.channel if link else Channel.CODE).value,
        "visited_at": link.visited_at.isoformat() if link else None,
        "invitation_id": link.invitation_id if link else None,
        "key": link.key if link else None,
        "email": told.customer.email or None, "name": (told.customer.name or "")[:LONGEST_NAME] or None,
    }  # fmt: skip


def from_kept(kept: dict[str, Any], external_id: str, occurred_at: datetime, origin: RequestOrigin) -> Signup:
    """Return it as it was kept."""
    at = datetime.fromisoformat(kept["visited_at"]) if kept["visited_at"] else occurred_at
    link = FollowedLink(kept["code"], Channel(kept["channel"]), at, kept["invitation_id"], kept["key"])
    email = addresses.normal(kept["email"]) if kept["email"] else None
    return Signup(external_id, occurred_at, link, email, kept["name"], origin)


def referrer_of(found: Signup) -> Referrer | None:
    """Find whose link or code it is. One query, none for what cannot be a code."""
    code = found.link.code
    return attribution.find_by_code(code) if re.fullmatch(codes.SHAPE, code) else None


def find_friend(session: Session, found: Signup) -> Friend | None:
    """Find the member that the customer is by now. Two queries at most."""
    query = (
        select(Profile.id, Profile.user_id, Profile.referred_by_id, ExternalMember.created)
        .join(ExternalMember, ExternalMember.user_id == Profile.user_id)
        .where(ExternalMember.external_id == found.external_id)
    )
    if row := session.execute(query).one_or_none():
        return Friend(*row, is_ours=True)
    return _owner_of(session, found.email) if found.email else None


def _owner_of(session: Session, email: str) -> Friend | None:
    query = (
        select(Profile.id, Profile.user_id, Profile.referred_by_id, Profile.created)
        .join(User, User.id == Profile.user_id)
        .where(func.lower(User.email) == email.lower(), User.verified_at.is_not(None))
    )
    row = session.execute(query).one_or_none()
    return Friend(*row, is_ours=False) if row else None


def begin(
    session: Session, found: Signup, referrer: Referrer | None, program: Program, now: datetime
) -> Why | Referral:  # fmt: skip
    """Make the member, if there is none, and begin the referral; or say why there is none.

    The caller has locked the ledgers of both. Raises MadeMeanwhile.
    """
    friend = find_friend(session, found)
    why = _refusal(session, friend, found, referrer, program)
    if why or referrer is None:
        return why or Why.UNKNOWN_CODE
    if found.link.key and not once.first(session, f"visit:{found.link.key}", now):
        return Why.CLICK_USED
    friend = friend or _make(session, found, now)
    empty = (Profile.id == friend.profile_id, Profile.referred_by_id.is_(None))
    taken = update(Profile).where(*empty).values(referred_by_id=referrer.profile_id, updated=now)
    session.execute(taken.execution_options(synchronize_session=False))
    figure_changes.note(session, friend.profile_id)
    return _begin(session, found, friend, referrer, now)


def _refusal(
    session: Session, friend: Friend | None, found: Signup, referrer: Referrer | None, program: Program
) -> Why | None:
    """Say why nobody is credited for it. What does not depend on the code comes first: it is so whoever it is."""
    if friend and referrer and friend.profile_id == referrer.profile_id:
        return Why.OWN_LINK
    if friend and (friend.referred_by_id is not None or belated.correction_of(session, friend.user_id)):
        return Why.ALREADY_REFERRED
    if referrer is None:
        return Why.UNKNOWN_CODE
    if found.occurred_at - found.link.visited_at > timedelta(days=program.window_days):
        return Why.CLICK_TOO_OLD
    was_there = friend is not None and _was_there(friend, found, referrer, program)
    return Why.MEMBER_BEFORE if was_there or found.link.visited_at > found.occurred_at + GRACE else None


def _was_there(friend: Friend, found: Signup, referrer: Referrer, program: Program) -> bool:
    """Whether a member was one before they came by this: before the click, or too long before they typed the code."""
    if not friend.is_ours or friend.profile_id < referrer.profile_id:
        return True
    late = max(timedelta(days=program.late_code_days), GRACE)  # in which a code can still be entered
    return friend.since < (found.occurred_at - late if found.link.channel is Channel.CODE else found.link.visited_at)


def _make(session: Session, found: Signup, now: datetime) -> Friend:
    try:
        user = members.add(session, found.external_id, found.email, now)
    except Taken:  # by another call, a moment ago: it was looked up before
        raise MadeMeanwhile from None
    if found.name:
        session.execute(update(User).where(User.id == user.id).values(display_name=found.name))
    leaderboard.changed(session, user.profile.id)
    announcing.member(session, user.id, now, created=True)
    return Friend(user.profile.id, user.id, None, now, is_ours=True)


def _begin(
    session: Session, found: Signup, friend: Friend, referrer: Referrer, now: datetime
) -> Referral:  # fmt: skip
    link = found.link
    referral = lifecycle.begin(session, referrer, friend.profile_id, link, now, joined_at=found.occurred_at)
    recent = now - found.occurred_at < GRACE  # else who is in a network today says nothing of then
    origin = found.origin if recent else NOWHERE
    signals.note_later(session, friend.profile_id, origin, (), now)
    if link.invitation_id is not None:
        invitation_progress.note_joined(session, link.invitation_id, referrer.profile_id, friend.profile_id, now)
    if found.email:
        invitation_progress.note_confirmed(session, friend.profile_id, found.email, now)
    lifecycle.settle(session, friend.profile_id, now, VOUCHED_FOR)
    return referral
