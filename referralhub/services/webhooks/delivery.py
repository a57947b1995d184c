"""Delivering webhooks: some to each endpoint at a time, so that one that hangs holds up only itself."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookMessage, WebhookOff
from referralhub.services.shared import sealing
from referralhub.services.webhooks import endpoints, signing

log = logging.getLogger(__name__)

# From one failure to the next try, three days in all; each a little longer or shorter, so that not all come at once.
RETRIES = tuple(timedelta(seconds=s) for s in (5, 60, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
JITTER = 0.2  # of that time, up or down
LEASE = timedelta(minutes=1)  # a worker that claimed a delivery and died loses it after this long
SHARE = 4  # deliveries to one endpoint at a time
LANES = 4 * 20  # deliveries in all: every endpoint there can be has its share
HURRY = 1.0  # seconds that a run waits for those who take their time, before it leaves them to the next one
SWITCHED_OFF_AFTER = timedelta(days=5)  # of failures and no success
SAID = 500  # characters of an answer that are kept
GONE = 410

Post = Callable[[str, dict[str, str], bytes], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered: its status, and how the text begins."""

    status: int
    text: str

    @property
    def is_yes(self) -> bool:
        """Whether the message has arrived. Being sent on elsewhere is no yes."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Outcome:
    """What came of one try, and how long it took; `status` is none where there was no answer."""

    status: int | None
    said: str
    milliseconds: int


@dataclass(frozen=True)
class Parcel:
    """One claimed delivery, with all that posting it takes."""

    delivery_id: int
    endpoint_id: int
    url: str
    message_id: str
    body: str
    keys: tuple[str, ...]  # secrets, still sealed


class Delivery:
    """Sends what is due. `post` sends a body with its headers and returns the answer, or raises.

    A delivery is claimed for the length of a lease, posted in a lane of its own, and marked; whatever dies in between,
    it is posted again when the lease is over, under the same id. A try that did not come to its end does not count.
    """

    def __init__(
        self,
        post: Post,
        clock: Callable[[], datetime],
        secret_key: str,
        *,
        hurry: float = HURRY,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.post, self.clock, self.secret_key, self.hurry, self.jitter = post, clock, secret_key, hurry, jitter
        self._lanes = ThreadPoolExecutor(LANES, thread_name_prefix="webhook")
        self._on_the_way: dict[Future[Outcome], Parcel] = {}

    def run(self) -> int:
        """Deliver what is due, and return how many arrived. Who takes their time is looked at by the next run."""
        arrived = 0
        while True:
            arrived += self._look_at_done()
            self._set_out()
            if not self._on_the_way:
                return arrived
            if not wait(self._on_the_way, self.hurry, FIRST_COMPLETED).done:
                return arrived

    def next_run(self) -> float | None:
        """Return in how many seconds there is something to do; None where nothing waits. One query."""
        if self._on_the_way:
            return self.hurry
        waiting = (WebhookEndpoint.is_active, WebhookDelivery.next_try_at.is_not(None))
        first = select(func.min(WebhookDelivery.next_try_at)).join(WebhookDelivery.endpoint).where(*waiting)
        at = reading().scalar(first)
        return max(0.0, (at - self.clock()).total_seconds()) if at else None

    def _set_out(self) -> None:
        busy = Counter(parcel.endpoint_id for parcel in self._on_the_way.values())
        now = self.clock()  # that of an application, which a lane has none of
        for parcel in _claim(now, busy):
            self._on_the_way[self._lanes.submit(self._try, parcel, now)] = parcel

    def _try(self, parcel: Parcel, now: datetime) -> Outcome:
        """Post one, in a lane: nothing here asks the database."""
        begun = perf_counter()
        try:
            keys = [sealing.unseal(each, self.secret_key) for each in parcel.keys]
            headers = signing.headers(parcel.message_id, parcel.body, keys, now)
            answer = self.post(parcel.url, headers, parcel.body.encode())
            status, said = answer.status, answer.text
        except Exception as error:  # whatever it is, it is what came of this try
            status, said = None, f"{type(error).__name__}: {error}".strip(": ")
        return Outcome(status, said.replace("\x00", "")[:SAID], round((perf_counter() - begun) * 1000))

    def _look_at_done(self) -> int:
        """Mark what has come to an end, all of it in one transaction."""
        done = {each: parcel for each, parcel in self._on_the_way.items() if each.done()}
        if not done:
            return 0
        with transaction() as session:
            known = endpoints.lock(session, {parcel.endpoint_id for parcel in done.values()})
            for each, parcel in sorted(done.items(), key=lambda pair: pair[1].delivery_id):
                self._mark(session, parcel, known[parcel.endpoint_id], each.result())
        for each in done:
            del self._on_the_way[each]
        return sum(_is_yes(each.result().status) for each in done)

    def _mark(self, session: Session, parcel: Parcel, endpoint: WebhookEndpoint, outcome: Outcome) -> None:
        now, this = self.clock(), WebhookDelivery.id == parcel.delivery_id
        delivery = session.scalar(
            select(WebhookDelivery).where(this).with_for_update().execution_options(populate_existing=True)
        )
        if delivery is None:  # it was tidied up meanwhile
            return
        values = {"status": outcome.status, "milliseconds": outcome.milliseconds, "said": outcome.said}
        session.add(WebhookAttempt(delivery_id=parcel.delivery_id, at=now, **values))
        facts: dict[str, Any] = {"webhook": parcel.message_id, "endpoint": parcel.endpoint_id, "status": outcome.status}
        if _is_yes(outcome.status):
            delivery.attempts += 1
            delivery.delivered_at, delivery.next_try_at, endpoint.failing_since = now, None, None
            log.info("Webhook %s was delivered", parcel.message_id, extra={"facts": facts})
            return
        if outcome.status is None:
            facts["error"] = outcome.said
        log.warning("Webhook %s was not delivered", parcel.message_id, extra={"facts": facts})
        if delivery.next_try_at is not None:  # else it has arrived by another worker, or the endpoint was removed
            delivery.attempts += 1
            delivery.next_try_at = self._next_try(delivery.attempts, now)
        endpoint.failing_since = endpoint.failing_since or now
        if outcome.status == GONE:
            endpoints.switch_off(session, endpoint, WebhookOff.GONE, now)
        elif now - endpoint.failing_since >= SWITCHED_OFF_AFTER:
            endpoints.switch_off(session, endpoint, WebhookOff.FAILING, now)

    def _next_try(self, attempts: int, now: datetime) -> datetime | None:
        if attempts > len(RETRIES):
            return None
        return now + RETRIES[attempts - 1] * (1 + JITTER * (2 * self.jitter() - 1))


def _is_yes(status: int | None) -> bool:
    return status is not None and Answer(status, "").is_yes


def _claim(now: datetime, busy: Counter[int]) -> list[Parcel]:
    """Take what is due, for each endpoint as much as it has room for; of two workers that want one, one gets it."""
    with transaction() as session:
        active = session.scalars(select(WebhookEndpoint).where(WebhookEndpoint.is_active).order_by(WebhookEndpoint.id))
        claimed = [
            parcel
            for endpoint in active.all()
            if (room := SHARE - busy[endpoint.id]) > 0
            for parcel in _due(session, endpoint, room, now)
        ]
        _lease(session, [parcel.delivery_id for parcel in claimed], now)
    return claimed


def _due(session: Session, endpoint: WebhookEndpoint, room: int, now: datetime) -> Iterator[Parcel]:
    former = endpoint.former_secret if endpoint.former_until and endpoint.former_until > now else None
    keys = (endpoint.secret, *([former] if former else []))
    query = (
        select(WebhookDelivery.id, WebhookMessage.public_id, WebhookMessage.body)
        .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
        .where(WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.next_try_at <= now)
        .order_by(WebhookDelivery.next_try_at, WebhookDelivery.id)
        .limit(room)
        .with_for_update(skip_locked=True, of=WebhookDelivery)
    )
    for row in session.execute(query):
        yield Parcel(row.id, endpoint.id, endpoint.url, row.public_id, row.body, keys)


def _lease(session: Session, delivery_ids: Collection[int], now: datetime) -> None:
    if delivery_ids:
        claimed = update(WebhookDelivery).where(WebhookDelivery.id.in_(delivery_ids))
        session.execute(claimed.values(next_try_at=now + LEASE).execution_options(synchronize_session=False))
