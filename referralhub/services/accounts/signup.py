"""Making an account, and the referral of the friend whose link led to it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import Profile, Reason, ReasonCode, User
from referralhub.services.accounts import credentials, passwords
from referralhub.services.fraud import signals
from referralhub.services.fraud.signals import UNKNOWN, FormTiming
from referralhub.services.referrals import attribution, invitations, lifecycle
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import audit, codes
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, Taken

SAME_FORM = timedelta(minutes=5)  # in which a form that is sent again is the same person's; then it is somebody's guess


def sign_up(
    username: str,
    email: str,
    password: str,
    link: FollowedLink | None,
    now: datetime,
    *,
    form_timing: FormTiming = UNKNOWN,
    verification_required: bool = True,
    draw_code: Callable[[], str] = codes.new_code,
    admin_by: Actor | None = None,
) -> User:
    """Make an account and, when a friend's link led here, the referral.

    `form_timing` is what the fraud rules will judge by. With `verification_required` the credit waits for the address
    to be confirmed; else the address counts as confirmed. `admin_by` names who lets the new account run the program.
    Raises WeakPassword, Taken, or UnknownCode for a code that was typed in.
    """
    passwords.accept(password, username, email)
    password_hash = passwords.hash_password(password)
    with transaction() as session:
        user_id = session.scalar(
            insert(User)
            .values(
                username=username, display_name="", email=email, password_hash=password_hash,
                is_admin=admin_by is not None, is_active=True,
                verified_at=None if verification_required else now, muted=[], last_seen_at=now, created=now,
            )
            .on_conflict_do_nothing()
            .returning(User.id)
        )  # fmt: skip
        if user_id is None:
            raise _who_has(session, username, email)
        referrer = attribution.find_referrer(session, link, now) if link else None
        referrer_id = referrer.profile_id if referrer else None
        profile_id = _add_profile(session, user_id, referrer_id, now, draw_code)
        if link and referrer:
            lifecycle.begin(session, referrer, profile_id, link, now)
            signals.note_signup(session, profile_id, form_timing, now)
            if link.invitation_id is not None:
                invitations.note_joined(session, link.invitation_id, referrer.profile_id, profile_id, now)
        if verification_required:
            credentials.ask_to_verify(session, user_id, now)
        else:
            lifecycle.settle(session, profile_id, now, Reason(ReasonCode.VERIFICATION_NOT_REQUIRED))
        if admin_by:
            audit.record(session, admin_by, "admin.create", "member", user_id, {}, {"is_admin": True}, now)
        user = session.get_one(User, user_id)
    return user


def signed_up_just_now(username: str, email: str, password: str, now: datetime) -> User | None:
    """Find the account that the same form has made a moment ago: of two clicks, the second finds it there.

    Raises TooManyAtOnce.
    """
    names = (func.lower(User.username) == username.lower(), func.lower(User.email) == email.lower())
    user: User | None = reading().scalar(select(User).where(*names, User.is_active, User.created > now - SAME_FORM))
    return user if user and passwords.matches(user.password_hash, password) else None


def create_admin(username: str, email: str, password: str, now: datetime, actor: Actor = OPERATOR) -> User:
    """Make an account that may run the program, with its address confirmed.

    Raises AlreadyDone for an admin's account with this name and this address, whose password is left alone, and
    Conflict for one that is no admin's; else WeakPassword or Taken.
    """
    try:
        return sign_up(username, email, password, None, now, verification_required=False, admin_by=actor)
    except Taken:
        names = (func.lower(User.username) == username.lower(), func.lower(User.email) == email.lower())
        is_admin = reading().scalar(select(User.is_admin).where(*names, User.is_active))
        if is_admin is None:
            raise
        if is_admin:
            raise AlreadyDone("is_admin_already", username=username) from None
        raise Conflict("is_ordinary_account") from None


def _add_profile(
    session: Session, user_id: int, referrer_id: int | None, now: datetime, draw_code: Callable[[], str]
) -> int:
    for _ in range(10):  # ten collisions in a row do not happen with 36^8 codes, unless drawing is broken
        profile_id: int | None = session.scalar(
            insert(Profile)
            .values(
                user_id=user_id, code=draw_code(), referred_by_id=referrer_id, referral_count=0, listed=True,
                created=now, updated=now,
            )
            .on_conflict_do_nothing(index_elements=["code"])
            .returning(Profile.id)
        )  # fmt: skip
        if profile_id is not None:
            return profile_id
    raise RuntimeError("no free referral code found")


def _who_has(session: Session, username: str, email: str) -> Taken:
    names = session.scalars(select(User.id).where(func.lower(User.username) == username.lower())).first()
    emails = session.scalars(select(User.id).where(func.lower(User.email) == email.lower())).first()
    return Taken(username=names is not None, email=emails is not None)
