"""Making an account, and the referral of the friend whose link led to it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from referralhub.database import insert, reading, transaction
from referralhub.models import MADE_UP_NAME, NO_PASSWORD, Profile, Reason, ReasonCode, User
from referralhub.services.accounts import authentication, credentials, passwords
from referralhub.services.brand import in_force
from referralhub.services.fraud import signals
from referralhub.services.fraud.signals import UNKNOWN, FormTiming
from referralhub.services.links import own_codes
from referralhub.services.referrals import attribution, invitation_progress, lifecycle
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import audit, codes
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, Taken
from referralhub.services.webhooks import announcing

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
    language: str | None = None,
) -> User:
    """Make an account and, when a friend's link led here, the referral.

    `form_timing` is what the fraud rules will judge by. With `verification_required` the credit waits for the address
    to be confirmed, and whether it is another account's is told by mail alone; else the address counts as confirmed.
    `admin_by` names who lets the new account run the program; `language` is the one that their browser asks for.
    Raises WeakPassword, Taken, or UnknownCode for a code that was typed in.
    """
    passwords.accept(password, username, email, in_force.brand().name)
    password_hash = passwords.hash_password(password)
    with transaction() as session:
        user: User | None = session.scalar(
            insert(User)
            .values(
                username=username, display_name="", email=email, password_hash=password_hash,
                is_admin=admin_by is not None, is_active=True,
                verified_at=None if verification_required else now, muted=[], browser_language=language,
                last_seen_at=now, created=now,
            )
            .on_conflict_do_nothing()
            .returning(User)
        )  # fmt: skip
        if user is None:
            raise _who_has(session, username, None if verification_required else email)
        referrer = attribution.find_referrer(session, link, now) if link else None
        referrer_id = referrer.profile_id if referrer else None
        profile = _add_profile(session, user.id, referrer_id, now, draw_code)
        set_committed_value(user, "profile", profile)  # all that there is of both, so nothing has to be read again
        if link and referrer:
            lifecycle.begin(session, referrer, profile.id, link, now)
            signals.note_signup(session, profile.id, form_timing, now)
            if link.invitation_id is not None:
                invitation_progress.note_joined(session, link.invitation_id, referrer.profile_id, profile.id, now)
        if verification_required:
            credentials.ask_to_verify(session, user.id, now, first=True)
        else:
            lifecycle.settle(session, profile.id, now, Reason(ReasonCode.VERIFICATION_NOT_REQUIRED))
            invitation_progress.note_confirmed(session, profile.id, email, now)
            session.refresh(user)
        announcing.member(session, user.id, now, created=True)
        if admin_by:
            audit.record(session, admin_by, "admin.create", "member", user.id, {}, {"is_admin": True}, now)
    return user


def add_without_password(session: Session, email: str, verified_at: datetime | None, now: datetime) -> User:
    """Add an account that nobody can sign in to by a password, with a user name of ours and a code.

    Part of the caller's transaction. Raises Taken where another account has proven the address.
    """
    user: User | None = session.scalar(
        insert(User)
        .values(
            username=f"{MADE_UP_NAME}{codes.new_code()}", display_name="", email=email,
            password_hash=NO_PASSWORD, is_admin=False, is_active=True, verified_at=verified_at, muted=[],
            last_seen_at=now, created=now,
        )
        .on_conflict_do_nothing()
        .returning(User)
    )  # fmt: skip
    if user is None:
        raise Taken(username=False, email=True)
    set_committed_value(user, "profile", _add_profile(session, user.id, None, now, codes.new_code))
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
) -> Profile:
    for _ in range(10):  # ten collisions in a row do not happen with 36^8 codes, unless drawing is broken
        code = draw_code()
        if own_codes.looks_taken(session, code):
            continue
        profile: Profile | None = session.scalar(
            insert(Profile)
            .values(
                user_id=user_id, code=code, referred_by_id=referrer_id, referral_count=0, listed=True,
                created=now, updated=now,
            )
            .on_conflict_do_nothing(index_elements=["code"])
            .returning(Profile)
        )  # fmt: skip
        if profile is not None:
            return profile
    raise RuntimeError("no free referral code found")


def _who_has(session: Session, username: str, email: str | None) -> Taken:
    names = session.scalars(select(User.id).where(func.lower(User.username) == username.lower())).first()
    owner = authentication.owner_of(session, email) if email else None
    return Taken(username=names is not None, email=owner is not None)
