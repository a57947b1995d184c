"""Keys for other programs: made, looked up, withdrawn. Each is random, shown once and kept as a hash."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from referralhub.database import reading, transaction
from referralhub.models import ONLY_PRODUCT, ApiKey, Scope
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import AlreadyDone, DomainError, NotFound

PREFIX = "rh_"  # by which people and programs that look for secrets know one
TEST_PREFIX = f"{PREFIX}test_"  # of one that is good for the test program alone
LONGEST_NAME = 60  # characters
SHOWN = 6  # characters behind it that are kept, to tell keys apart
USED_EVERY = timedelta(minutes=1)  # how precisely "last used" is kept; finer would be a write for every call


def create(
    name: str,
    scopes: Collection[Scope],
    actor: Actor,
    now: datetime,
    *,
    product: str = ONLY_PRODUCT,
    expires_at: datetime | None = None,
    for_tests: bool = False,
) -> tuple[ApiKey, str]:
    """Make a key, and return it with its secret, which nobody can find out later. `for_tests` is how it begins.

    Numbers of events are unique for the `product` that tells them; two keys of one product speak of the same events.
    Raises DomainError for a name of the wrong length, for no scope, or for an end that is not ahead.
    """
    for field, text in (("name", name), ("product", product)):
        if not 1 <= len(text.strip()) <= LONGEST_NAME:
            raise DomainError("key_name_length", field, least=1, most=LONGEST_NAME)
    if not scopes:
        raise DomainError("key_without_scope", "scopes")
    if expires_at is not None and expires_at <= now:
        raise DomainError("key_over_already", "expires_at")
    prefix = TEST_PREFIX if for_tests else PREFIX
    secret = prefix + secrets.token_urlsafe(32)
    with transaction() as session:
        key = ApiKey(
            name=name.strip(),
            product=product.strip(),
            digest=_digest(secret),
            beginning=secret[: len(prefix) + SHOWN],
            scopes=sorted(each.value for each in scopes),
            created_by_id=actor.user_id,
            expires_at=expires_at,
            created=now,
        )
        session.add(key)
        session.flush()
        about = {"name": key.name, "product": key.product, "scopes": key.scopes}
        audit.record(session, actor, "api_key.create", "api_key", key.id, {}, about, now)
    return key, secret


def revoke(key_id: int, actor: Actor, now: datetime) -> None:
    """Let a key be worth nothing from now on. Raises NotFound, or AlreadyDone."""
    with transaction() as session:
        valid = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
        name = session.scalar(valid.returning(ApiKey.name))
        if name is None:
            if session.get(ApiKey, key_id) is None:
                raise NotFound("no_such_key")
            raise AlreadyDone("key_revoked_already")
        audit.record(session, actor, "api_key.revoke", "api_key", key_id, {"name": name}, {}, now)


def find(secret: str, now: datetime) -> ApiKey | None:
    """Return the key with this secret, if it is still good, and note that it is used. One query, seldom two."""
    key: ApiKey | None = reading().scalar(
        select(ApiKey).where(ApiKey.digest == _digest(secret), ApiKey.revoked_at.is_(None))
    )
    if key is None or (key.expires_at is not None and key.expires_at <= now):
        return None
    if key.last_used_at is None or key.last_used_at + USED_EVERY <= now:
        with transaction() as session:
            session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now))
    return key


def every() -> list[ApiKey]:
    """List the keys, the newest first, with who made them. One query."""
    return list(reading().scalars(select(ApiKey).options(joinedload(ApiKey.created_by)).order_by(ApiKey.id.desc())))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
