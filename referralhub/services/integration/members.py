"""Members whom another product brings: its customers, under its own numbers."""

import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, together, transaction
from referralhub.models import NO_ADDRESS_DOMAIN, ExternalMember, Profile, TokenPurpose, User, known_address
from referralhub.services.accounts import credentials, erasure, signup, tokens
from referralhub.services.ledger import leaderboard
from referralhub.services.links import own_codes
from referralhub.services.mailing import addresses
from referralhub.services.shared import audit, codes, figure_changes, parts
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError, NotFound, Taken
from referralhub.services.shared.names import check_name
from referralhub.services.shared.parts import Part
from referralhub.services.webhooks import announcing

LONGEST_ID, LONGEST_NAME = 255, 40  # characters


@dataclass(frozen=True)
class Given:
    """What the product says of a member. None leaves what there is; an empty name or language takes it away."""

    email: str | None = None
    name: str | None = None
    language: str | None = None
    metadata: dict[str, Any] | None = None
    code: str | None = None
    listed: bool | None = None  # on the leaderboard


@dataclass(frozen=True)
class Member:
    """A member as the product knows them; `email` is none where it told none."""

    external_id: str
    user_id: int
    profile_id: int
    code: str
    email: str | None
    name: str
    language: str | None
    metadata: dict[str, Any]
    listed: bool
    is_active: bool
    created: datetime

    @property
    def id(self) -> int:
        """Its place in the list."""
        return self.user_id


class MadeMeanwhile(Exception):
    """Another call has made the same member."""


def put(
    external_id: str, given: Given, actor: Actor, now: datetime, pages: Collection[str] = ()
) -> tuple[Member, bool]:
    """Make the member, or change what is `given`; returns also whether it was made. However often it is called.

    An address that the product gives counts as confirmed: it knows its customers. With a code, `pages` are the words
    with which addresses of ours begin, and `now` is in the program's time zone. Raises DomainError for what cannot be:
    BadAddress, Taken for an address that another account has proven, a name that nobody could see, and what
    `own_codes.take` refuses. Then nothing is written at all.
    """
    _check_id(external_id)
    email = addresses.normal(given.email) if given.email else None
    if given.name:
        if len(given.name) > LONGEST_NAME:
            raise DomainError("member_name_length", "name", least=1, most=LONGEST_NAME)
        try:
            check_name(given.name)
        except DomainError as error:
            raise DomainError(error.code, "name", **error.values) from None
    try:
        return _put(external_id, email, given, actor, now, pages)
    except (MadeMeanwhile, Taken):  # where the address is taken, it may be by the same call a moment before
        return _put(external_id, email, given, actor, now, pages)


def add(session: Session, external_id: str, email: str | None, now: datetime) -> User:
    """Make the member; part of the caller's transaction. Raises MadeMeanwhile, or Taken for the address."""
    address = email or f"{secrets.token_hex(8)}@{NO_ADDRESS_DOMAIN}"
    user = signup.add_without_password(session, address, now if email else None, now)
    row = insert(ExternalMember).values(user_id=user.id, external_id=external_id, details={}, created=now, updated=now)
    if session.scalar(row.on_conflict_do_nothing().returning(ExternalMember.user_id)) is None:
        raise MadeMeanwhile
    return user


def get(external_id: str) -> Member:
    """Return a member. One query. Raises NotFound."""
    found = _find(external_id)
    if found is None:
        raise NotFound("no_such_member")
    return found


def newest(
    after: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    active: bool | None = None,
) -> Part[Member]:
    """Read one part of the list of members, the newest first: those made from `since` on and before `until`.

    `active` leaves out those whose account is closed, or all others. Two queries.
    """
    id_, created = ExternalMember.user_id, ExternalMember.created
    if active is False:  # which are few of all accounts, and made in the same moment as their members
        id_, created = User.id, User.created
    ids = select(id_)
    if active is not None:
        ids = ids.join_from(ExternalMember, User).where(User.is_active if active else ~User.is_active)
    if since is not None:
        ids = ids.where(created >= since)
    if until is not None:
        ids = ids.where(created < until)
    at = select(User.created).where(User.id == after)  # there also where the member was erased since
    rows = parts.latest_of(reading(), _members(), ids, id_, created, after, at)
    return parts.part([_member(row) for row in rows], after)


def erase(external_id: str, pseudonym: str, actor: Actor, now: datetime) -> list[str]:
    """Forget who a member was; their rows stay under the pseudonym. Returns the codes that lead nowhere from now on.

    Who is nobody (any more) is forgotten already. Raises DomainError for what can be no number, and Conflict for an
    admin's account.
    """
    _check_id(external_id)
    with together() as session:
        found = _find(external_id)
        if found is None:
            return []
        if session.get_one(User, found.user_id, populate_existing=True).is_admin:
            raise Conflict("member_is_admin")
        codes = own_codes.every(found.profile_id)
        erasure.erase(found.user_id, pseudonym, now)
        audit.record(session, actor, "member.erase", "member", found.user_id, {}, {}, now)
    return codes


def sign_in_token(external_id: str, actor: Actor, now: datetime) -> tuple[str, datetime]:
    """Make a token that signs the member in, once, and say until when. Raises NotFound, or Conflict for a closed one.

    See `credentials.can_be_signed_in_by_link`.
    """
    with transaction() as session:
        found = get(external_id)
        user = session.get_one(User, found.user_id)
        if not credentials.can_be_signed_in_by_link(user):
            raise Conflict("cannot_be_signed_in")
        token = tokens.issue(session, TokenPurpose.SIGN_IN, user.id, user.email, now)
        audit.record(session, actor, "member.sign_in_link", "member", user.id, {}, {}, now)
    return token, now + tokens.LIFETIMES[TokenPurpose.SIGN_IN]


def _put(
    external_id: str, email: str | None, given: Given, actor: Actor, now: datetime, pages: Collection[str]
) -> tuple[Member, bool]:
    with transaction() as session:
        found = _find(external_id)
        made = found is None
        user_id = add(session, external_id, email, now).id if found is None else found.user_id
        changed = _change(session, user_id, found, email, given, now)
        if given.code is not None and _take_code(session, get(external_id), given.code, pages, now):
            changed.add("code")
        after = get(external_id)
        if made or changed:
            figure_changes.note_member(session, user_id)
            leaderboard.changed(session, after.profile_id)
            announcing.member(session, user_id, now, created=made)
            action = "member.create" if made else "member.change"
            audit.record(session, actor, action, "member", user_id, {}, {"changed": sorted(changed)}, now)
    return after, made


def _change(
    session: Session, user_id: int, found: Member | None, email: str | None, given: Given, now: datetime
) -> set[str]:
    """Write what is other than before, and return its names."""
    old = {"email": found.email, "name": found.name, "language": found.language} if found else {"email": email}
    wanted = {"email": email, "name": given.name, "language": given.language}
    changed = {key for key, value in wanted.items() if value is not None and (value or None) != (old.get(key) or None)}
    columns: dict[str, dict[str, Any]] = {
        "email": {"email": email, "verified_at": now},
        "name": {"display_name": given.name},
    }
    columns["language"] = {"language": given.language or None}
    values = {name: value for key in changed for name, value in columns[key].items()}
    if values:
        try:
            with session.begin_nested():
                session.execute(update(User).where(User.id == user_id).values(values))
        except IntegrityError:
            raise Taken(username=False, email=True) from None
    if given.listed is not None and given.listed != (found is None or found.listed):
        changed.add("listed")
        session.execute(update(Profile).where(Profile.user_id == user_id).values(listed=given.listed))
    if given.metadata is not None and (found is None or given.metadata != found.metadata):
        changed.add("metadata")
    if changed:
        details = {"details": given.metadata} if "metadata" in changed else {}
        session.execute(update(ExternalMember).where(ExternalMember.user_id == user_id).values(updated=now, **details))
    return changed


def _take_code(session: Session, member: Member, code: str, pages: Collection[str], now: datetime) -> bool:
    """Let the member's link show this code, and return whether it is another one than before."""
    if codes.normal(code.strip()) == member.code:
        return False
    with suppress(AlreadyDone):
        own_codes.take(session, member.profile_id, code, pages, now)
        return True
    return False


def _find(external_id: str) -> Member | None:
    if not _is_number(external_id):
        return None
    row = reading().execute(_members().where(ExternalMember.external_id == external_id)).one_or_none()
    if row is None:
        return None
    return _member(row)


def _member(row: Any) -> Member:
    values = row._asdict()
    return Member(**values | {"email": known_address(row.email)})


def _members() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ExternalMember.external_id, User.id.label("user_id"), Profile.id.label("profile_id"),
            Profile.shown_code.label("code"),
            User.email, func.coalesce(User.display_name, "").label("name"), User.language,
            ExternalMember.details.label("metadata"), Profile.listed, User.is_active, ExternalMember.created,
        )
        .join(User, User.id == ExternalMember.user_id)
        .join(Profile, Profile.user_id == User.id)
    )  # fmt: skip


def _check_id(external_id: str) -> None:
    """Refuse a number that could not be written into an address or a log. Raises DomainError."""
    if not _is_number(external_id):
        raise DomainError("external_id_malformed", "external_id", most=LONGEST_ID)


def _is_number(external_id: str) -> bool:
    return 1 <= len(external_id) <= LONGEST_ID and external_id.isprintable()
