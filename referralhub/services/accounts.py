"""Accounts: making one, finding whose it is, how it appears to others, and forgetting it."""

import secrets
import string
from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.extensions import db
from referralhub.models import Profile, User
from referralhub.services import (
    audit,
    credentials,
    invitations,
    leaderboard,
    outbox,
    passwords,
    referrals,
    sign_ins,
    signals,
    tokens,
)
from referralhub.services.audit import OPERATOR, Actor
from referralhub.services.errors import AlreadySo, OrdinaryAccount, Taken, WrongCredentials
from referralhub.services.referrals import Attribution
from referralhub.services.signals import UNKNOWN, Filled

CODE_LENGTH = 8
CODE_ALPHABET = string.ascii_lowercase + string.digits
FORMER_MEMBER = "A former member"


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
    filled: Filled = UNKNOWN,
    verification_required: bool = True,
    draw_code: Callable[[], str] = new_code,
    admin_by: Actor | None = None,
) -> User:
    """Make an account and, when a friend's link led here, the referral.

    `filled` is what the fraud rules will judge by. With `verification_required` the credit waits for the address to be
    confirmed; else the address counts as confirmed. `admin_by` names who lets the new account run the program.
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
        referrer = referrals.find_referrer(session, attribution, now) if attribution else None
        referrer_id = referrer.profile_id if referrer else None
        profile_id = _add_profile(session, user_id, referrer_id, now, draw_code)
        if attribution and referrer:
            referrals.begin(session, referrer, profile_id, attribution, now)
            signals.note_signup(session, profile_id, filled, now)
            if attribution.invitation_id is not None:
                invitations.note_joined(session, attribution.invitation_id, referrer.profile_id, profile_id, now)
        if verification_required:
            credentials.ask_to_verify(session, user_id, now)
        else:
            referrals.settle(session, profile_id, now, "address verification is not required")
        if admin_by:
            audit.record(session, admin_by, "admin.create", "member", user_id, {}, {"is_admin": True}, now)
        user = session.get_one(User, user_id)
    return user


def create_admin(username: str, email: str, password: str, now: datetime, actor: Actor = OPERATOR) -> User:
    """Make an account that may run the program, with its address confirmed.

    Raises AlreadySo for an admin's account with this name and this address, whose password is left alone, and
    OrdinaryAccount for one that is no admin's; else WeakPassword or Taken.
    """
    try:
        return sign_up(username, email, password, None, now, verification_required=False, admin_by=actor)
    except Taken:
        names = (func.lower(User.username) == username.lower(), func.lower(User.email) == email.lower())
        is_admin = db.session.scalar(select(User.is_admin).where(*names, User.is_active))
        if is_admin is None:
            raise
        raise (AlreadySo(f"{username} is an admin already.") if is_admin else OrdinaryAccount()) from None


def authenticate(identifier: str, password: str) -> User:
    """Find the active account with this user name or address. Raises WrongCredentials or TooManyAtOnce.

    A password hash of older settings is made anew.
    """
    user: User | None = db.session.scalar(select(User).where(_called(identifier)))
    if not passwords.matches(user.password_hash if user else None, password) or not user or not user.is_active:
        raise WrongCredentials
    if passwords.is_outdated(user.password_hash):
        old, new = user.password_hash, passwords.hash_password(password)
        with transaction() as session:
            session.execute(update(User).where(User.id == user.id, User.password_hash == old).values(password_hash=new))
    return user


def is_one_of(identifier: str, profile_ids: Collection[int]) -> bool:
    """Say whether this user name or address is that of one of these members. One query."""
    query = select(Profile.id).join(User, User.id == Profile.user_id).where(_called(identifier))
    return db.session.scalar(query.where(Profile.id.in_(profile_ids))) is not None


def set_public_profile(user_id: int, username: str, display_name: str, listed: bool) -> None:
    """Set the user name, the name that others see ("" is the user name), and whether the leaderboard shows the member.

    Raises Taken.
    """
    with transaction() as session:
        try:
            with session.begin_nested():
                session.execute(
                    update(User).where(User.id == user_id).values(username=username, display_name=display_name)
                )
        except IntegrityError:  # of the unique index on names
            raise Taken(username=True, email=False) from None
        profile_id = session.execute(
            update(Profile).where(Profile.user_id == user_id).values(listed=listed).returning(Profile.id)
        ).scalar_one()
        leaderboard.changed(session, profile_id)


def erase(user_id: int, now: datetime) -> None:
    """Forget who a member was; the rows stay under a pseudonym, so that nobody's totals change.

    The account is closed, signed out everywhere, its mail is dropped, and it leaves the leaderboard.
    """
    with transaction() as session:
        address = session.execute(select(User.email).where(User.id == user_id)).scalar_one()
        addresses = {each.lower() for each in (address, *outbox.earlier_addresses(session, user_id))}
        session.execute(
            update(User)
            .where(User.id == user_id)
            .values(
                username=f"gone:{user_id}",  # no form takes a colon, so that nobody has this name already
                display_name=FORMER_MEMBER,
                email=f"gone:{user_id}@erased.invalid",
                password_hash=passwords.UNUSABLE,
                is_active=False,
                is_admin=False,
                muted=[],
            )
        )
        profile_id = session.execute(
            update(Profile).where(Profile.user_id == user_id).values(listed=False, updated=now).returning(Profile.id)
        ).scalar_one()
        leaderboard.changed(session, profile_id)
        outbox.drop(session, user_id)
        sign_ins.end_all(session, user_id)
        tokens.forget(session, user_id)
        tokens.forget_addresses(session, addresses)
        invitations.erase(session, profile_id, addresses)
        outbox.forget_addresses(session, addresses)
        signals.forget(session, profile_id)


def _called(identifier: str) -> ColumnElement[bool]:
    """Whether this is somebody's user name or address, in any case."""
    name = identifier.lower()
    return or_(func.lower(User.username) == name, func.lower(User.email) == name)


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
