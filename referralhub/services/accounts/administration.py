"""What an admin can do for a member, and what there is to know of one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
    RewardEntry,
    RewardKind,
    User,
)
from referralhub.services.accounts import avatars, credentials, sign_ins
from referralhub.services.ledger import entries, leaderboard
from referralhub.services.ledger.entries import Balance, Line
from referralhub.services.links import own_codes
from referralhub.services.program import rules
from referralhub.services.program.rules import LARGEST
from referralhub.services.recourse.belated import CORRECTED
from referralhub.services.referrals import attribution
from referralhub.services.shared import audit, currencies, figure_changes, once
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError, NotFound
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

    Returns whether it did: not where the address is confirmed already. Raises NotFound.
    """
    with transaction() as session:
        user = _member(session, user_id)
        if user.verified_at is not None or not user.is_active or not credentials.ask_to_verify(session, user_id, now):
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


def correct_referrer(user_id: int, code: str, reason: str, actor: Actor, now: datetime) -> None:
    """Let the credit for a member go to the one who really brought them, once for each member.

    How they came stays as it was recorded; the credit moves by two entries of the ledger, which a reversal of the
    referral takes back too. Where nobody was credited, the right one gets what the program gives today.
    Raises NotFound or Conflict.
    """
    with transaction() as session:
        friend = _member(session, user_id).profile
        right = attribution.find_by_code(code)
        if right is None:
            raise Conflict("no_such_code", "code")
        found = select(Referral).where(Referral.friend_id == friend.id).with_for_update()
        referral = session.scalar(found.execution_options(populate_existing=True))
        _check_correction(session, user_id, friend.id, right.profile_id, referral)
        credited = _credited(session, referral) if referral else None
        for profile_id in sorted({right.profile_id, *([credited.profile_id] if credited else [])}):
            entries.lock_profile(session, profile_id)
        if credited:
            amount, unit, available_at = _has(session, credited), credited.unit, credited.available_at
        else:
            program = rules.current()
            amount = entries.within_cap(session, right.profile_id, program, program.referrer_amount)
            unit, available_at = program.ledger_unit, now + timedelta(days=program.hold_days)
        moves = [(right.profile_id, amount)] + ([(credited.profile_id, -amount)] if credited else [])
        for profile_id, change in moves:
            if change:
                entries.post(
                    session, profile_id, RewardKind.ADJUSTMENT, change, unit, now,
                    available_at=available_at, referral_id=referral.id if referral else None, note=reason,
                )  # fmt: skip
        before = {"referrer": _user_of(session, credited.profile_id) if credited else None}
        after = {"referrer": _user_of(session, right.profile_id), "amount": amount, "unit": unit}
        audit.record(session, actor, CORRECTED, "member", user_id, before, after, now, reason)


def _check_correction(session: Session, user_id: int, friend_id: int, right_id: int, referral: Referral | None) -> None:
    if right_id >= friend_id:
        raise Conflict("referrer_came_later", "code")
    if referral and referral.state in (ReferralState.PENDING, ReferralState.HELD):
        raise Conflict("referral_undecided", "code")
    if referral and referral.state is ReferralState.CONFIRMED and referral.referrer_id == right_id:
        raise Conflict("has_the_credit", "code")
    earlier = select(AuditLine.after).where(
        AuditLine.subject == "member", AuditLine.subject_id == user_id, AuditLine.action == CORRECTED
    )
    if corrected := session.scalar(earlier):
        if corrected["referrer"] == _user_of(session, right_id):
            raise AlreadyDone("corrected_before", "code")
        raise Conflict("corrected_before", "code")


def _credited(session: Session, referral: Referral) -> RewardEntry | None:
    """Find the entry that credited the referrer, unless it was taken back."""
    if referral.state is not ReferralState.CONFIRMED:
        return None
    first = (
        select(RewardEntry)
        .where(RewardEntry.referral_id == referral.id, RewardEntry.kind == RewardKind.REFERRER)
        .order_by(RewardEntry.id)
        .limit(1)
    )
    return session.scalar(first)


def _has(session: Session, credited: RewardEntry) -> int:
    """Return what the referrer has by the referral: of an event's credit, what others added or took off goes along."""
    theirs = (RewardEntry.profile_id == credited.profile_id, RewardEntry.unit == credited.unit)
    given = RewardEntry.kind.in_([RewardKind.REFERRER, RewardKind.REFUND, RewardKind.ADJUSTMENT])
    query = select(func.sum(RewardEntry.amount)).where(*theirs, given, RewardEntry.referral_id == credited.referral_id)
    return int(session.scalar(query) or 0)


def _user_of(session: Session, profile_id: int) -> int:
    return session.execute(select(Profile.user_id).where(Profile.id == profile_id)).scalar_one()


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
