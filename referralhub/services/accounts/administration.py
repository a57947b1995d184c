"""What an admin can do for a member, and what there is to know of one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from referralhub.database import reading, transaction
from referralhub.models import (
    AuditLine,
    Avatar,
    ExternalMember,
    Profile,
    Referral,
    ReferralState,
    RewardKind,
    User,
)
from referralhub.services.accounts import avatars, credentials, sign_ins
from referralhub.services.ledger import entries, leaderboard
from referralhub.services.ledger.entries import Balance, Line
from referralhub.services.links import own_codes
from referralhub.services.program import rules
from referralhub.services.program.rules import LARGEST
from referralhub.services.shared import audit, currencies, figure_changes, once
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import Conflict, DomainError, NotFound
from referralhub.services.webhooks import announcing

SAID = 200  # characters of a reason


@dataclass(frozen=True)
class MemberPage:
    """A member as an admin sees them."""

    user: User
    profile: Profile
    codes: list[str]  # by which their link works, the one that it shows first
    avatar: str | None  # its digest
    external_id: str | None  # the number by which another product knows them
    referral: Referral | None  # by which they came
    referrer: User | None
    counts: dict[ReferralState, int]  # of those they brought
    balances: list[Balance]
    lines: list[Line]  # the newest of their ledger
    audit: list[AuditLine]


def page_of(user_id: int, now: datetime) -> MemberPage:
    """Read all about one member. Raises NotFound."""
    with_others = (
        select(User, Avatar.digest, ExternalMember.external_id)
        .join(Profile, Profile.user_id == User.id)
        .outerjoin(Avatar, Avatar.profile_id == Profile.id)
        .outerjoin(ExternalMember, ExternalMember.user_id == User.id)
        .where(User.id == user_id)
    )
    row = reading().execute(with_others).one_or_none()
    if row is None:
        raise NotFound("no_such_member")
    user, avatar, external_id = row
    profile = user.profile
    referral = reading().scalar(
        select(Referral)
        .where(Referral.friend_id == profile.id)
        .options(joinedload(Referral.referrer).joinedload(Profile.user))
    )
    by_state = select(Referral.state, func.count()).where(Referral.referrer_id == profile.id).group_by(Referral.state)
    counts = {state: number for state, number in reading().execute(by_state)}  # noqa: C416 - a Row is no pair for dict()
    return MemberPage(
        user,
        profile,
        own_codes.every(profile.id),
        avatar,
        external_id,
        referral,
        referral.referrer.user if referral else None,
        counts,
        entries.balances(profile.id, rules.current().ledger_unit, now),
        entries.lines(profile.id).lines,
        audit.about("member", user.id),
    )


def set_active(user_id: int, active: bool, reason: str, actor: Actor, now: datetime) -> bool:
    """Switch an account off, signing it out everywhere, or on again; returns whether that changed anything.

    Raises NotFound, or Conflict for one's own account and for one that was deleted.
    """
    if user_id == actor.user_id:
        raise Conflict("own_account")
    with transaction() as session:
        user = _member(session, user_id)
        if user.is_erased:
            raise Conflict("account_erased")
        if user.is_active == active:
            return False
        session.execute(update(User).where(User.id == user_id).values(is_active=active))
        if not active:
            sign_ins.end_all(session, user_id)
        leaderboard.changed(session, user.profile.id)
        announcing.member(session, user_id, now)
        states = {"is_active": not active}, {"is_active": active}
        action = "member.activate" if active else "member.deactivate"
        audit.record(session, actor, action, "member", user_id, *states, now, reason)
    return True


def clear_profile(user_id: int, reason: str, actor: Actor, now: datetime) -> bool:
    """Remove what a member shows to strangers beside the name: avatar and greeting. Returns whether there was any.

    The audit log, which nobody can edit, says which of them there were, and not what they said. Raises NotFound.
    """
    with transaction() as session:
        profile = _member(session, user_id).profile
        there = {"greeting": bool(profile.greeting), "avatar": avatars.forget(session, user_id)}
        gone = {key: False for key, was in there.items() if was}
        if not gone:
            return False
        session.execute(update(Profile).where(Profile.id == profile.id).values(greeting=""))
        figure_changes.note_member(session, user_id)
        before = dict.fromkeys(gone, True)
        audit.record(session, actor, "member.clear_profile", "member", user_id, before, gone, now, reason)
    return True


def resend_verification(user_id: int, actor: Actor, now: datetime) -> bool:
    """Mail the link that confirms the address once more, at most once a minute.

    Returns whether it did: not where there is no address to confirm. Raises NotFound.
    """
    with transaction() as session:
        user = _member(session, user_id)
        if not user.must_confirm or not user.is_active or not credentials.ask_to_verify(session, user_id, now):
            return False
        audit.record(session, actor, "member.resend_verification", "member", user_id, {}, {"mailed": True}, now)
    return True


def adjust(user_id: int, amount: int, unit: str, reason: str, key: str, actor: Actor, now: datetime) -> bool:
    """Give a member an amount, or take it; a balance below zero is a debt.

    `key` is the form's own: sending it again does nothing, and is answered with False. Raises NotFound, or DomainError
    for nothing, for too much, and for what nothing is counted in.
    """
    if not 0 < abs(amount) <= LARGEST:
        raise DomainError("amount_out_of_range", "amount", most=LARGEST)
    if not currencies.is_unit(unit):
        raise DomainError("unit_unknown", "unit")
    with transaction() as session:
        profile_id = _member(session, user_id).profile.id
        if not once.first(session, f"adjust:{key}", now):
            return False
        entries.lock_profile(session, profile_id)
        entry = entries.post(session, profile_id, RewardKind.ADJUSTMENT, amount, unit, now, note=reason)
        before, after = ({"balance": each, "unit": unit} for each in (entry.balance - amount, entry.balance))
        audit.record(session, actor, "member.adjust", "member", user_id, before, after, now, reason)
    return True


def account_named(session: Session, username: str) -> User:
    """Find an account by its user name, and let nobody else change it in this transaction. Raises NotFound."""
    found = select(User).where(func.lower(User.username) == username.lower()).with_for_update(of=User, key_share=True)
    user: User | None = session.scalar(found.execution_options(populate_existing=True))
    if user is None:
        raise NotFound("no_such_account")
    return user


def _member(session: Session, user_id: int) -> User:
    # Not against those who only refer to the account: audit lines and mail do so, while they hold other locks.
    lock = {"of": User, "key_share": True}
    user = session.get(User, user_id, populate_existing=True, with_for_update=lock)
    if user is None:
        raise NotFound("no_such_member")
    return user
