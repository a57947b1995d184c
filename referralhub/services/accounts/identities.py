"""Admins whom a provider vouches for (OpenID Connect). No account is ever made by it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.models import Identity, Role, User
from referralhub.services.accounts import credentials, sign_ins
from referralhub.services.accounts.administration import account_named
from referralhub.services.shared import audit
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import AlreadyDone, NoAdmin

LONGEST = 255  # characters of an issuer or a subject (OpenID Connect Core 1.0, 2)


@dataclass(frozen=True)
class Vouched:
    """Whom a provider vouches for: its own name for them, and their address if it is sure of it."""

    issuer: str
    subject: str
    address: str
    address_verified: bool
    hosted_domain: str = ""  # of the organization that the account is of, where the provider says so


def admin_of(vouched: Vouched, domain: str, now: datetime) -> User:
    """Return the admin who this is; the first time, the one with this address, and from then on whoever was tied to it.

    So that neither a later change of the address nor its next owner gets the account. Raises NoAdmin.
    """
    _check(vouched, domain)
    with transaction() as session:
        user = session.scalar(_tied(vouched)) or _tie(session, vouched, now)
        if not (user.is_admin and user.is_active):
            raise NoAdmin(why="not_an_admin")
    return user


def untie(username: str, now: datetime) -> None:
    """Let an admin be tied to a provider anew, as the operator, and sign them out. Raises NotFound or AlreadyDone."""
    with transaction() as session:
        user = account_named(session, username)
        untied = session.scalars(delete(Identity).where(Identity.user_id == user.id).returning(Identity.id)).all()
        if not untied:
            raise AlreadyDone("not_linked")
        sign_ins.end_all(session, user.id)
        credentials.tell_changed(session, user.id, "provider_unlinked", now)
        states = {"identity": True}, {"identity": False}
        audit.record(session, OPERATOR, "member.unlink_provider", "member", user.id, *states, now)


def _check(vouched: Vouched, domain: str) -> None:
    if not vouched.address_verified:
        raise NoAdmin(why="address_not_verified")
    # An organization that is named is what counts: anybody's own account may have an address that was there once.
    if (vouched.hosted_domain or vouched.address.rpartition("@")[2]).lower() != domain.lower():
        raise NoAdmin(why="other_domain")
    if max(len(vouched.issuer), len(vouched.subject)) > LONGEST:
        raise NoAdmin(why="name_too_long")


def _tied(vouched: Vouched) -> Select[User]:
    same = (Identity.issuer == vouched.issuer, Identity.subject == vouched.subject)
    return select(User).join(Identity, Identity.user_id == User.id).where(*same)


def _tie(session: Session, vouched: Vouched, now: datetime) -> User:
    """Tie the admin with this confirmed address to the provider's name; who is tied to another one stays so."""
    address = func.lower(User.email) == vouched.address.lower()
    user = session.scalar(select(User).where(address, User.verified_at.is_not(None), User.is_admin, User.is_active))
    if user is None:
        raise NoAdmin(why="no_such_admin")
    values = {"user_id": user.id, "issuer": vouched.issuer, "subject": vouched.subject, "created": now}
    tied = insert(Identity).values(values).on_conflict_do_nothing().returning(Identity.id)
    if session.scalar(tied) is None:  # to somebody else, or to this one a moment ago
        if session.scalar(_tied(vouched)) != user:
            raise NoAdmin(why="tied_to_another")
        return user
    credentials.tell_changed(session, user.id, "provider_linked", now)
    actor = Actor(Role.ADMIN, user.id)
    audit.record(session, actor, "member.link_provider", "member", user.id, {}, {"identity": True}, now)
    return user
