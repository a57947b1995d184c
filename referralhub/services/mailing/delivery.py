"""Delivering the outbox: one message after the other, and round those whose receiver hangs."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillGoing
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import OutboxMessage, User
from referralhub.services.mailing import outbox

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)  # a worker that claimed a message and died loses it after this long
RETRIES = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 360, 720, 1440, 1440))  # about three days in all
DETOUR = timedelta(minutes=1)  # until a receiver that hangs is asked again
HURRY = 5  # seconds after which the next message is not kept waiting by this one
LANES = 8  # how many hanging receivers there can be before the others do have to wait

Write = Callable[[OutboxMessage, User], EmailMessage]
Post = Callable[[EmailMessage], None]
Note = Callable[[Session, OutboxMessage, datetime], None]


class Refused(Exception):
    """The receiver will never take it, so that there is no point in trying again."""


class Unwanted(Exception):
    """Nobody wants this message any more."""


def _note_nothing(session: Session, message: OutboxMessage, now: datetime) -> None:
    """Leave it at the outbox's own marks."""


class Delivery:
    """Sends what is due. `write` makes the mail or raises Unwanted; `post` hands it over, and raises when it could not.
    `note_posted`, `note_bounced` and `note_unwanted` are told of a message in the transaction that marks it.

    A message is claimed for the length of a lease, posted, and marked; whatever dies in between, it is posted again
    when the lease is over, with the same Message-ID.
    """

    def __init__(
        self,
        write: Write,
        post: Post,
        clock: Callable[[], datetime],
        note_posted: Note = _note_nothing,
        note_bounced: Note = _note_nothing,
        note_unwanted: Note = _note_nothing,
        hurry: float = HURRY,
    ) -> None:
        self.write, self.post, self.clock, self.hurry = write, post, clock, hurry
        self.note_posted, self.note_bounced, self.note_unwanted = note_posted, note_bounced, note_unwanted
        self._lanes = ThreadPoolExecutor(LANES, thread_name_prefix="mail")
        self._hanging: dict[str, tuple[OutboxMessage, Future[None]]] = {}  # by the domain that does not answer

    def run(self) -> int:
        """Deliver everything that is due, and return how many went out.

        A message that could not be delivered is tried again later, and given up after three days.
        """
        delivered = self._look_at_hanging()
        while claimed := _claim(self.clock()):
            delivered += self._deliver(*claimed) + self._look_at_hanging()
        return delivered

    def _deliver(self, message: OutboxMessage, user: User) -> int:
        try:
            domain = (message.address or user.email).rpartition("@")[2].lower()
            if domain in self._hanging:
                return self._later(message)
            future = self._lanes.submit(self.post, self.write(message, user))
            try:
                future.result(self.hurry)
            except StillGoing:
                if not future.done():
                    self._hanging[domain] = (message, future)
                    return 0
                raise
        except Exception as error:  # whatever it is, it must not keep the messages behind it waiting
            return self._failed(message, error)
        return self._succeeded(message)

    def _look_at_hanging(self) -> int:
        """Finish what has meanwhile come to an end."""
        delivered = 0
        for domain, (message, future) in list(self._hanging.items()):
            if future.done():
                del self._hanging[domain]
                error = future.exception()
                delivered += self._failed(message, error) if error else self._succeeded(message)
        return delivered

    def _later(self, message: OutboxMessage) -> int:
        """Put a message back whose receiver keeps another one waiting; that was no try."""
        with transaction() as session:
            if outbox.still_due(session, message.id):
                _mark(session, message, next_try_at=self.clock() + DETOUR, attempts=message.attempts - 1)
        return 0

    def _succeeded(self, message: OutboxMessage) -> int:
        with transaction() as session:
            _mark(session, message, delivered_at=self.clock(), last_error=None)
            self.note_posted(session, message, self.clock())
        log.info("Message %s was sent", message.id, extra=_facts(message))
        return 1

    def _failed(self, message: OutboxMessage, error: BaseException) -> int:
        level = logging.INFO if isinstance(error, Unwanted) else logging.WARNING
        log.log(level, "Message %s was not sent: %s", message.id, type(error).__name__, extra=_facts(message))
        retry_in = RETRIES[message.attempts - 1] if message.attempts <= len(RETRIES) else None
        if isinstance(error, (Refused, Unwanted)):
            retry_in = None
        with transaction() as session:
            if not outbox.still_due(session, message.id):
                return 0
            _mark(
                session,
                message,
                next_try_at=self.clock() + retry_in if retry_in else None,
                last_error=None if isinstance(error, Unwanted) else str(error)[:500],
            )
            if isinstance(error, Refused):
                self.note_bounced(session, message, self.clock())
            if isinstance(error, Unwanted):
                self.note_unwanted(session, message, self.clock())
        return 0


def _claim(now: datetime) -> tuple[OutboxMessage, User] | None:
    """Take the oldest due message for the length of a lease; of two workers that want it, one gets it."""
    with transaction() as session:
        message = session.scalar(
            select(OutboxMessage)
            .where(OutboxMessage.delivered_at.is_(None), OutboxMessage.next_try_at <= now)
            .order_by(OutboxMessage.next_try_at, OutboxMessage.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if message is None:
            return None
        message.attempts += 1
        message.next_try_at = now + LEASE
        user = session.get_one(User, message.user_id, populate_existing=True)
    return message, user


def _mark(session: Session, message: OutboxMessage, **values: Any) -> None:
    session.execute(update(OutboxMessage).where(OutboxMessage.id == message.id).values(**values))


def _facts(message: OutboxMessage) -> dict[str, dict[str, str]]:
    """Return what its line in the log says besides: its kind, and the number of the request that caused it, once.

    Names and addresses are kept out of the log: it outlives the account.
    """
    cause = message.payload.get(outbox.REQUEST)
    return {"facts": {"mail": message.kind.value, **({"request_id": cause} if cause else {})}}
