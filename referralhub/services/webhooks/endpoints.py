"""Whom to tell: addresses that admins enter, what each is told of, and the secrets that sign for it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import MessageKind, User, WebhookDelivery, WebhookEndpoint, WebhookOff, WebhookType
from referralhub.services.mailing import outbox
from referralhub.services.shared import audit, once, sealing
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError, NotFound
from referralhub.services.webhooks import addresses, emitting, signing

MOST = 20  # endpoints
FORMER_SECRET_LASTS = timedelta(hours=24)
TYPES = tuple(each for each in WebhookType if each is not WebhookType.TEST)  # which one can choose among


@dataclass(frozen=True)
class Line:
    """An endpoint in the list, and how many messages wait for it or were given up."""

    endpoint: WebhookEndpoint
    waiting: int
    given_up: int


def add(
    url: str, types: Collection[WebhookType], actor: Actor, now: datetime, *, secret_key: str, private: bool
) -> tuple[WebhookEndpoint, str]:
    """Tell this address from now on, of these types or of all; returns it with its secret, which is shown once.

    Raises BadUrl, AlreadyDone for one that is told already, or Conflict where there are as many as there can be.
    """
    url, secret = addresses.normal(url, private), signing.new_secret()
    with transaction() as session:
        present = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.removed_at.is_(None))
        if (session.scalar(present) or 0) >= MOST:
            raise Conflict("too_many_webhooks", "url", most=MOST)
        endpoint: WebhookEndpoint | None = session.scalar(
            insert(WebhookEndpoint)
            .values(
                url=url, types=_chosen(types), secret=sealing.seal(secret, secret_key), is_active=True,
                created_by_id=actor.user_id, created=now,
            )
            .on_conflict_do_nothing()
            .returning(WebhookEndpoint)
        )  # fmt: skip
        if endpoint is None:
            raise AlreadyDone("webhook_there_already", "url")
        _record(session, actor, "add", endpoint, {"url": _site(url), "types": endpoint.types}, now)
    return endpoint, secret


def choose_types(endpoint_id: int, types: Collection[WebhookType], actor: Actor, now: datetime) -> None:
    """Tell an endpoint of these types from now on, or of all. Raises NotFound, or AlreadyDone."""
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        chosen = _chosen(types)
        if endpoint.types == chosen:
            raise AlreadyDone("webhook_as_before")
        endpoint.types = chosen
        _record(session, actor, "change", endpoint, {"types": chosen}, now)


def rotate(endpoint_id: int, actor: Actor, now: datetime, *, secret_key: str, key: str = "") -> str:
    """Give an endpoint another secret, and return it; the one of before signs along for a day.

    `key` is the form's own: sent again it gives the same one. Raises NotFound.
    """
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        if key and not once.first(session, f"webhook-secret:{endpoint_id}:{key}", now):
            return sealing.unseal(endpoint.secret, secret_key)
        secret = signing.new_secret()
        endpoint.former_secret, endpoint.former_until = endpoint.secret, now + FORMER_SECRET_LASTS
        endpoint.secret = sealing.seal(secret, secret_key)
        _record(session, actor, "rotate", endpoint, {}, now)
    return secret


def switch_on(endpoint_id: int, actor: Actor, now: datetime) -> None:
    """Try an endpoint again that was switched off, first with what waits for it. Raises NotFound, or AlreadyDone."""
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        if endpoint.is_active:
            raise AlreadyDone("webhook_on_already")
        endpoint.is_active, endpoint.off_because, endpoint.failing_since = True, None, None
        session.info[emitting.WAITING] = True
        _record(session, actor, "on", endpoint, {"is_active": True}, now)


def remove(endpoint_id: int, actor: Actor, now: datetime) -> None:
    """Tell an endpoint nothing more, not even what waits, and forget its secrets. Raises NotFound, or AlreadyDone."""
    with transaction() as session:
        gone = select(WebhookEndpoint.id).where(
            WebhookEndpoint.id == endpoint_id, WebhookEndpoint.removed_at.is_not(None)
        )
        if session.scalar(gone):
            raise AlreadyDone("webhook_removed_already")
        endpoint = _locked(session, endpoint_id)
        endpoint.is_active, endpoint.removed_at = False, now
        endpoint.secret, endpoint.former_secret, endpoint.former_until = "", None, None
        waiting = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.next_try_at.is_not(None))
        session.execute(update(WebhookDelivery).where(*waiting).values(next_try_at=None))
        _record(session, actor, "remove", endpoint, {"url": _site(endpoint.url)}, now)


def test(endpoint_id: int, actor: Actor, now: datetime, *, key: str = "") -> bool:
    """Send an endpoint a message that says nothing; returns whether this call did it, `key` being the form's own.

    Raises NotFound, or Conflict for one that is switched off.
    """
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        if not endpoint.is_active:
            raise Conflict("webhook_is_off")
        key = f"webhook.test:{endpoint_id}:{key}" if key else ""
        sent = emitting.emit(
            session, WebhookType.TEST, "endpoint", endpoint_id, lambda _: {"endpoint": endpoint_id}, now,
            key=key, only=endpoint_id,
        )  # fmt: skip
        if sent:
            _record(session, actor, "test", endpoint, {}, now)
    return sent


def switch_off(session: Session, endpoint: WebhookEndpoint, why: WebhookOff, now: datetime) -> None:
    """Tell an endpoint nothing more until somebody switches it on, and the admins why; part of a transaction."""
    off = update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id, WebhookEndpoint.is_active)
    if session.scalar(off.values(is_active=False, off_because=why).returning(WebhookEndpoint.id)) is None:
        return
    admins = session.scalars(select(User.id).where(User.is_admin, User.is_active).order_by(User.id)).all()
    for user_id in admins:
        key = f"webhook_off:{endpoint.id}:{user_id}:{now:%Y-%m-%dT%H:%M:%S}"
        payload = {"site": _site(endpoint.url), "why": why.value}
        outbox.queue(session, MessageKind.WEBHOOK_SWITCHED_OFF, user_id, key, payload, now)


def lock(session: Session, endpoint_ids: Collection[int] | None = None) -> dict[int, WebhookEndpoint]:
    """Lock endpoints, or all of them, in one order, before more than one of their deliveries: so do all who change any.

    Who only writes a message for one is let by. Part of the caller's transaction.
    """
    query = select(WebhookEndpoint).order_by(WebhookEndpoint.id)
    if endpoint_ids is not None:
        query = query.where(WebhookEndpoint.id.in_(endpoint_ids))
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return {each.id: each for each in session.scalars(locked)}


def with_url(url: str) -> WebhookEndpoint | None:
    """Return the endpoint at an address, which can be typed in any form. One query."""
    here = (WebhookEndpoint.url == addresses.normal(url, private=True), WebhookEndpoint.removed_at.is_(None))
    return reading().scalar(select(WebhookEndpoint).where(*here))


def get(endpoint_id: int) -> WebhookEndpoint:
    """Return an endpoint. One query. Raises NotFound."""
    here = (WebhookEndpoint.id == endpoint_id, WebhookEndpoint.removed_at.is_(None))
    found = reading().scalar(select(WebhookEndpoint).where(*here))
    if found is None:
        raise NotFound("no_such_webhook")
    return found


def every() -> list[Line]:
    """List the endpoints, the oldest first. Two queries."""
    waits = WebhookDelivery.next_try_at.is_not(None)
    over = ~waits & WebhookDelivery.delivered_at.is_(None)  # each of the two is what an index is for
    counts = {
        endpoint_id: (waiting, given_up)
        for endpoint_id, waiting, given_up in reading().execute(
            select(WebhookDelivery.endpoint_id, func.count().filter(waits), func.count().filter(~waits))
            .where(waits | over)
            .group_by(WebhookDelivery.endpoint_id)
        )
    }
    present = select(WebhookEndpoint).where(WebhookEndpoint.removed_at.is_(None)).order_by(WebhookEndpoint.id)
    return [Line(each, *counts.get(each.id, (0, 0))) for each in reading().scalars(present)]


def _locked(session: Session, endpoint_id: int) -> WebhookEndpoint:
    found = lock(session, [endpoint_id]).get(endpoint_id)
    if found is None or found.removed_at:
        raise NotFound("no_such_webhook")
    return found


def _chosen(types: Collection[WebhookType]) -> list[str]:
    """Return types in one order; all of them are none named, so that those of a later version are among them."""
    if not set(types) <= set(TYPES):
        raise DomainError("webhook_type_unknown", "types")
    return [] if set(types) == set(TYPES) else [each.value for each in TYPES if each in types]


def _site(url: str) -> str:
    """Return the part of an address that can be written down: what comes behind the host may be a secret."""
    return urlsplit(url).netloc


def _record(
    session: Session, actor: Actor, what: str, endpoint: WebhookEndpoint, after: dict[str, Any], now: datetime
) -> None:
    session.flush()
    audit.record(session, actor, f"webhook.{what}", "webhook", endpoint.id, {}, after, now)
