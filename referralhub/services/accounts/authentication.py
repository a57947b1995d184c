"""Who somebody is: finding the account behind a name and a password."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import Profile, User
from referralhub.services.accounts import passwords
from referralhub.services.shared.errors import WrongCredentials


def authenticate(identifier: str, password: str) -> User:
    """Find the active account with this user name or address. Raises WrongCredentials or TooManyAtOnce.

    A password hash of older settings is made anew.
    """
    meant = _meant_by(identifier)
    right = [passwords.matches(user.password_hash if user else None, password) for user in meant]  # each, for the time
    user = next((user for user, fits in zip(meant, right, strict=True) if fits and user and user.is_active), None)
    if user is None:
        raise WrongCredentials
    if passwords.is_outdated(user.password_hash):
        old, new = user.password_hash, passwords.hash_password(password)
        with transaction() as session:
            session.execute(update(User).where(User.id == user.id, User.password_hash == old).values(password_hash=new))
    return user


def owner_of(session: Session, address: str) -> User | None:
    """Return the account that has proven to read the mail of this address; at most one has."""
    user: User | None = session.scalar(select(User).where(_has(address), User.verified_at.is_not(None)))
    return user


def claimant_of(session: Session, address: str) -> User | None:
    """Return the newest open account for which somebody typed this address and has not proven it."""
    unproven = (_has(address), User.verified_at.is_(None), User.is_active)
    user: User | None = session.scalar(select(User).where(*unproven).order_by(User.id.desc()).limit(1))
    return user


def of_half_signed_in(user_id: int, fingerprint: str) -> User | None:
    """Return the active account of somebody whose password was right, unless it has another one by now. One query."""
    user: User | None = reading().scalar(
        select(User).where(User.id == user_id, User.is_active, User.totp_secret.is_not(None))
    )
    return user if user and passwords.fingerprint(user.password_hash) == fingerprint else None


def is_one_of(identifier: str, profile_ids: Collection[int]) -> bool:
    """Return whether this user name or address is that of one of these members. One query."""
    query = select(Profile.id).join(User, User.id == Profile.user_id).where(_called(identifier))
    return reading().scalar(query.where(Profile.id.in_(profile_ids))) is not None


def _meant_by(identifier: str) -> list[User | None]:
    """Return whose password may be meant: one account for a user name, two for an address; None where there is none.

    Else one who signs up with somebody's address would learn by signing in with it, or by the time that takes, that it
    is somebody's.
    """
    if "@" not in identifier:
        return [reading().scalar(select(User).where(func.lower(User.username) == identifier.lower()))]
    return [find(reading(), identifier) for find in (owner_of, claimant_of)]


def _has(address: str) -> ColumnElement[bool]:
    return func.lower(User.email) == address.lower()


def _called(identifier: str) -> ColumnElement[bool]:
    """Whether this is somebody's user name or address, in any case."""
    name = identifier.lower()
    return or_(func.lower(User.username) == name, func.lower(User.email) == name)
