"""Accounts: signing up, signing in, confirming an address."""

import secrets
import string
from collections.abc import Callable
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.extensions import db
from referralhub.models import MessageKind, Profile, User
from referralhub.services import leaderboard, outbox, passwords, referrals
from referralhub.services.errors import BadLink, Taken, WrongCredentials
from referralhub.services.referrals import Attribution

CODE_LENGTH = 8
CODE_ALPHABET = string.ascii_lowercase + string.digits
VERIFICATION_HOURS = 24
FORMER_MEMBER = "A former member"
SEEN_EVERY = timedelta(hours=1)  # how precisely "last seen" is kept; finer would be a write for every page


def new_code() -> str:
    """Draw a referral code: one of 36^8, about 2.8 × 10¹²."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def sign_up(
    username: str,
    email: str,
    password: str,
    attribution: Attribution | None,
    now: datetime,
    *,
    verification_required: bool = True,
    draw_code: Callable[[], str] = new_code,
) -> User:
    """Make an account and, when a friend's link led here, the referral.

    With `verification_required` the credit waits for the address to be confirmed; else it is given at once.
    Raises WeakPassword, Taken, or UnknownCode for a code that was typed in.
    """
    passwords.accept(password, username, email)
    password_hash = passwords.hash_password(password)
    with transaction() as session:
        user_id = session.scalar(
            insert(User)
            .values(
                username=username, display_name="", email=email, password_hash=password_hash,
                is_admin=False, is_active=True,
                verified_at=None, last_seen_at=now, created=now,
            )
            .on_conflict_do_nothing()
            .returning(User.id)
        )  # fmt: skip
        if user_id is None:
            raise _who_has(session, username, email)
        referrer = referrals.find_referrer(attribution, now) if attribution else None
        referrer_id = referrer.profile_id if referrer else None
        profile_id = _add_profile(session, user_id, referrer_id, now, draw_code)
        if attribution and referrer:
            referrals.begin(session, referrer, profile_id, attribution, now)
        if verification_required:
            _ask_for_verification(session, user_id, now)
        else:
            referrals.settle(session, profile_id, now, "address verification is not required")
        user = session.get_one(User, user_id)
    return user


def create_admin(username: str, email: str, password: str, now: datetime) -> User:
    """Make an account that may run the program, with its address confirmed. Raises WeakPassword or Taken."""
    user = sign_up(username, email, password, None, now, verification_required=False)
    with transaction() as session:
        session.execute(update(User).where(User.id == user.id).values(is_admin=True, verified_at=now))
    return user


def authenticate(identifier: str, password: str) -> User:
    """Find the active account with this user name or address. Raises WrongCredentials."""
    user: User | None = db.session.scalar(
        select(User).where(
            or_(func.lower(User.username) == identifier.lower(), func.lower(User.email) == identifier.lower())
        )
    )
    if not passwords.matches(user.password_hash if user else None, password) or not user or not user.is_active:
        raise WrongCredentials
    return user


def note_seen(user: User, now: datetime) -> bool:
    """Remember that a member was here; at most once an hour is it written. Says whether it was."""
    if now - user.last_seen_at < SEEN_EVERY:
        return False
    with transaction() as session:
        session.execute(update(User).where(User.id == user.id).values(last_seen_at=now))
    return True


def set_public_profile(user_id: int, display_name: str, listed: bool) -> None:
    """Set the name that others see ("" is the user name) and whether the leaderboard shows the member."""
    with transaction() as session:
        session.execute(update(User).where(User.id == user_id).values(display_name=display_name))
        profile_id = session.execute(
            update(Profile).where(Profile.user_id == user_id).values(listed=listed).returning(Profile.id)
        ).scalar_one()
        leaderboard.changed(session, profile_id)


def erase(user_id: int, now: datetime) -> None:
    """Forget who a member was; the rows stay under a pseudonym, so that nobody's totals change.

    The account is closed, its mail is dropped, and it leaves the leaderboard.
    """
    with transaction() as session:
        session.execute(
            update(User)
            .where(User.id == user_id)
            .values(
                username=f"gone-{user_id}",
                display_name=FORMER_MEMBER,
                email=f"gone-{user_id}@erased.invalid",
                password_hash=passwords.UNUSABLE,
                is_active=False,
                is_admin=False,
            )
        )
        profile_id = session.execute(
            update(Profile).where(Profile.user_id == user_id).values(listed=False, updated=now).returning(Profile.id)
        ).scalar_one()
        leaderboard.changed(session, profile_id)
        outbox.drop(session, user_id)


def verification_token(user: User, secret_key: str) -> str:
    """Make the token that proves access to the address; it holds for 24 hours and for this address only."""
    return _serializer(secret_key).dumps([user.id, user.email])


def verify_address(token: str, secret_key: str, now: datetime) -> bool:
    """Confirm an address and, with it, the referral that waited for it; all or nothing.

    Says whether this call did it: False means it was done before. Raises BadLink.
    """
    try:
        # The age is checked by our own clock, below.
        (user_id, email), signed_at = _serializer(secret_key).loads(token, return_timestamp=True)
    except (BadData, ValueError):
        raise BadLink from None
    if now - signed_at > timedelta(hours=VERIFICATION_HOURS):
        raise BadLink
    with transaction() as session:
        profile_id = session.scalar(select(Profile.id).join(User).where(User.id == user_id, User.email == email))
        if profile_id is None:
            raise BadLink
        first = session.scalar(
            update(User)
            .where(User.id == user_id, User.verified_at.is_(None))
            .values(verified_at=now)
            .returning(User.id)
        )
        if first is not None:
            referrals.settle(session, profile_id, now, "address verified")
    return first is not None


def resend_verification(user_id: int, now: datetime) -> None:
    """Queue the mail again, at most one a minute; nothing happens once the address is confirmed."""
    with transaction() as session:
        if session.get_one(User, user_id).verified_at is None:
            _ask_for_verification(session, user_id, now)


def _ask_for_verification(session: Session, user_id: int, now: datetime) -> None:
    minute = int(now.timestamp() // 60)
    outbox.queue(session, MessageKind.VERIFY_ADDRESS, user_id, f"verify:{user_id}:{minute}", {}, now)


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


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt="verify-address")
