"""One-time tokens: random, mailed once, kept as a hash."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import OneTimeToken, TokenPurpose
from referralhub.services.shared.errors import BadLink

LIFETIMES = {
    TokenPurpose.VERIFY_ADDRESS: timedelta(hours=24),
    TokenPurpose.CHANGE_ADDRESS: timedelta(hours=24),
    TokenPurpose.RESET_PASSWORD: timedelta(minutes=20),
    TokenPurpose.SIGN_IN: timedelta(minutes=10),
}
TOKENS_KEPT = timedelta(days=7)  # after its end, so that an old link can still be told from a wrong one


def issue(session: Session, purpose: TokenPurpose, user_id: int, address: str, now: datetime) -> str:
    """Make a token for a mail that is being written, and end the older ones; part of the caller's transaction.

    Its time begins now, not when the mail was queued.
    """
    end(session, user_id, purpose)
    token = secrets.token_urlsafe(32)
    session.add(
        OneTimeToken(
            purpose=purpose,
            user_id=user_id,
            address=address,
            digest=_digest(token),
            created=now,
            expires_at=now + LIFETIMES[purpose],
        )
    )
    return token


def find(purpose: TokenPurpose, token: str, now: datetime) -> OneTimeToken:
    """Look at a token without using it. Raises BadLink when it is unknown, too old or used."""
    found = reading().scalar(
        select(OneTimeToken).where(OneTimeToken.digest == _digest(token), OneTimeToken.purpose == purpose)
    )
    if found is None or found.expires_at <= now or found.used_at is not None:
        raise BadLink
    return found


def find_used(purpose: TokenPurpose, token: str, now: datetime) -> OneTimeToken | None:
    """Look for a token that was used and would not have ended by itself yet."""
    known = (OneTimeToken.digest == _digest(token), OneTimeToken.purpose == purpose, OneTimeToken.expires_at > now)
    found: OneTimeToken | None = reading().scalar(select(OneTimeToken).where(*known, OneTimeToken.used_at.is_not(None)))
    return found


def use(session: Session, purpose: TokenPurpose, token: str, now: datetime) -> OneTimeToken | None:
    """Take a token; of many who try, one gets it. Part of the caller's transaction.

    None means that it was used before. Raises BadLink when it is unknown or too old.
    """
    known = (OneTimeToken.digest == _digest(token), OneTimeToken.purpose == purpose, OneTimeToken.expires_at > now)
    taken: OneTimeToken | None = session.scalar(
        update(OneTimeToken).where(*known, OneTimeToken.used_at.is_(None)).values(used_at=now).returning(OneTimeToken)
    )
    if taken is None and session.scalar(select(OneTimeToken.id).where(*known)) is None:
        raise BadLink
    return taken


def forget(session: Session, user_id: int, *purposes: TokenPurpose) -> None:
    """Make a member's tokens for these purposes worthless; part of the caller's transaction."""
    session.execute(
        delete(OneTimeToken).where(OneTimeToken.user_id == user_id, OneTimeToken.purpose.in_(purposes or TokenPurpose))
    )


def end(session: Session, user_id: int, *purposes: TokenPurpose) -> None:
    """End a member's tokens for these purposes that were not used yet; part of the caller's transaction.

    A used one stays, so that its link can still say that it was used; one that is being used this moment is left alone.
    """
    of_member = (OneTimeToken.user_id == user_id, OneTimeToken.purpose.in_(purposes), OneTimeToken.used_at.is_(None))
    unused = session.scalars(select(OneTimeToken.id).where(*of_member).with_for_update(skip_locked=True)).all()
    session.execute(delete(OneTimeToken).where(OneTimeToken.id.in_(unused)))


def forget_addresses(session: Session, addresses: Collection[str]) -> None:
    """Delete what other members had sent to these addresses, in lower case; part of the caller's transaction."""
    session.execute(delete(OneTimeToken).where(func.lower(OneTimeToken.address).in_(addresses)))


def tidy(now: datetime) -> None:
    """Delete what ended more than a week ago."""
    with transaction() as session:
        session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at < now - TOKENS_KEPT))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
