"""What a product tells of a customer: one event as it was sent, and what makes one that cannot be."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from referralhub.services.conversions.earning import SIGNUP
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.mailing import addresses
from referralhub.services.program.rules import EVENT_TYPE, REFUND
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import currencies
from referralhub.services.shared.errors import DomainError
from referralhub.services.shared.names import check_name

NOWHERE = RequestOrigin()  # nothing is known of it, and nothing held against anybody
LONGEST_ID, LONGEST_METADATA = 255, 10_000  # characters, of the latter as JSON
LARGEST = 10**12  # of an amount, in the smallest unit of its currency
AHEAD = timedelta(days=1)  # by which the product's clock may be ahead
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Customer:
    """Whom an event is about, under the product's own numbers; the rest matters to a signup alone."""

    external_id: str | None = None
    organization_id: str | None = None
    email: str | None = None
    name: str | None = None
    origin: RequestOrigin = NOWHERE


@dataclass(frozen=True)
class Told:
    """An event as it was sent. `click` is the token as it came, `link` what is in it, none where it is not ours."""

    id: str
    type: str
    customer: Customer
    click: str | None = None
    link: FollowedLink | None = None
    code: str | None = None
    amount: int | None = None
    currency: str | None = None
    occurred_at: datetime | None = None
    refund_of: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Return what tells it from another event under the same number.

        Where the customer sent it from is left out: it makes no other event of it, and few addresses have few digests.
        """
        who = self.customer
        words = [
            self.type, who.external_id, who.organization_id, who.email, who.name, self.click, self.code, self.amount,
            self.currency, self.occurred_at and self.occurred_at.astimezone(UTC).isoformat(), self.refund_of,
            self.metadata,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(words, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check(told: Told, now: datetime) -> None:
    """Refuse an event that cannot be. Raises DomainError for the first value at fault."""
    _check_ids(told)
    if not EVENT_TYPE.fullmatch(told.type):
        raise DomainError("event_type_unlike", "type")
    if told.type != REFUND and told.refund_of is not None:
        raise DomainError("event_is_no_refund", "refund_of")
    _check_amount(told)
    if told.occurred_at is not None and not EARLIEST <= told.occurred_at <= now + AHEAD:
        raise DomainError("event_out_of_time", "occurred_at")
    if len(sent := json.dumps(told.metadata)) > LONGEST_METADATA or "\\u0000" in sent:
        raise DomainError("event_metadata_unlike", "metadata", most=LONGEST_METADATA)
    if told.customer.email:
        try:
            addresses.normal(told.customer.email)
        except DomainError as error:
            raise DomainError(error.code, "customer.email", **error.values) from None
    if told.customer.name:
        try:
            check_name(told.customer.name)
        except DomainError as error:
            raise DomainError(error.code, "customer.name", **error.values) from None


def _check_ids(told: Told) -> None:
    who = told.customer
    ids = {"id": told.id, "customer.external_id": who.external_id, "customer.organization_id": who.organization_id}
    for name, value in (ids | {"refund_of": told.refund_of}).items():
        if value is not None and not (1 <= len(value) <= LONGEST_ID and value.isprintable()):
            raise DomainError("external_id_malformed", name, most=LONGEST_ID)
    if who.external_id is None and (who.organization_id is None or told.type == SIGNUP):
        raise DomainError("event_without_customer", "customer.external_id")


def _check_amount(told: Told) -> None:
    if (told.amount is None) != (told.currency is None):
        raise DomainError("event_amount_without_currency", "currency" if told.currency is None else "amount")
    if told.amount is not None and not 0 <= told.amount <= LARGEST:
        raise DomainError("event_amount_out_of_range", "amount", most=LARGEST)
    if told.currency is not None and told.currency not in currencies.codes():
        raise DomainError("event_currency_unknown", "currency")
