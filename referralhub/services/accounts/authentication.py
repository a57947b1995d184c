"""Who somebody is: finding the account behind a name and a password."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, or_, select, update

from referralhub.database import reading, transaction
from referralhub.models import Profile, User
from referralhub.services.accounts import passwords
from referralhub.services.shared.errors import WrongCredentials


def authenticate(identifier: str, password: str) -> User:
    """Find the active account with this user name or address. Raises WrongCredentials or TooManyAtOnce.

    A password hash of older settings is made anew.
    """
    user: User | None = reading().scalar(select(User).where(_called(identifier)))
    if not passwords.matches(user.password_hash if user else None, password) or not user or not user.is_active:
        raise WrongCredentials
    if passwords.is_outdated(user.password_hash):
        old, new = user.password_hash, passwords.hash_password(password)
        with transaction() as session:
            session.execute(update(User).where(User.id == user.id, User.password_hash == old).values(password_hash=new))
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


def _called(identifier: str) -> ColumnElement[bool]:
    """Whether this is somebody's user name or address, in any case."""
    name = identifier.lower()
    return or_(func.lower(User.username) == name, func.lower(User.email) == name)
