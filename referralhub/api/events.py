"""Events: what a product tells of its customers."""

from ipaddress import ip_address
from typing import Any

from flask import current_app

from referralhub import problems
from referralhub.api.event_schemas import (
    CustomerIn,
    EventIn,
    EventOut,
    EventResultOut,
    EventResultsOut,
    EventsIn,
    EventsOut,
    TrackedIn,
)
from referralhub.api.incoming import Bodies
from referralhub.api.operations import actor, next_of, operation, product
from referralhub.api.schemas import Money
from referralhub.clock import now
from referralhub.models import Amount, EventState, Scope
from referralhub.problems import FieldProblem, Refused
from referralhub.security import network_of
from referralhub.services.conversions.earning import PURCHASE, SIGNUP
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.integration import event_list, events, told
from referralhub.services.integration.event_list import EventLine
from referralhub.services.integration.events import ID_TAKEN, MOST, Result
from referralhub.services.integration.signups import Why
from referralhub.services.integration.told import Customer, Told
from referralhub.services.program.rules import REFUND
from referralhub.services.referrals import clicks
from referralhub.services.shared.errors import Conflict, DomainError
from referralhub.words.errors import by_field
from referralhub.words.events import why

LIMIT = "6000 per minute"  # a shop tells of each sale as it comes
LONGEST_AGENT = 500  # characters of a user agent that are looked at
FIELDS = {  # which value a reason is about
    Why.BROKEN_CLICK.value: "click", Why.CLICK_USED.value: "click", Why.CLICK_TOO_OLD.value: "click", ID_TAKEN: "id",
}  # fmt: skip
PROBLEMS = {
    409: "Another event was sent under this number before.",
    422: "A value cannot be. Of several events, those that can be are taken in.",
}
UNKNOWN = {404: "You have told of no event with this number."}


# What the ways to tell have in common.
TOLD: Any = {"answers": {202: EventResultsOut}, "problems": PROBLEMS, "most": MOST, "limit": LIMIT}


@operation(
    "/events", "POST", "Tell what customers did: one event, or up to 100", scope=Scope.EVENTS, takes=EventIn, **TOLD
)  # fmt: skip
def tell_events(body: Bodies) -> tuple[int, EventResultsOut]:
    """Take events in, each once, however often and in whichever order they are sent."""
    return _receive(body, None)


@operation("/track/lead", "POST", "Tell that a customer signed up", scope=Scope.EVENTS, takes=TrackedIn, **TOLD)
def track_lead(body: Bodies) -> tuple[int, EventResultsOut]:
    """Take in events of type signup."""
    return _receive(body, SIGNUP)


@operation("/track/sale", "POST", "Tell that a customer bought", scope=Scope.EVENTS, takes=TrackedIn, **TOLD)
def track_sale(body: Bodies) -> tuple[int, EventResultsOut]:
    """Take in events of type purchase."""
    return _receive(body, PURCHASE)


@operation(
    "/track/refund", "POST", "Tell that a customer was given money back", scope=Scope.EVENTS, takes=TrackedIn, **TOLD
)  # fmt: skip
def track_refund(body: Bodies) -> tuple[int, EventResultsOut]:
    """Take in events of type refund."""
    return _receive(body, REFUND)


@operation(
    "/events", "GET", "Your events, the newest first", scope=Scope.READ, answers={200: EventsOut}, query=EventsIn
)  # fmt: skip
def list_events(query: EventsIn) -> tuple[int, EventsOut]:
    """Return a part of the list."""
    found = event_list.newest(product(), query.after, state=query.state, type_=query.type)
    return 200, EventsOut([_shown(line) for line in found.lines], next_of(found))


@operation("/events/<id>", "GET", "An event", scope=Scope.READ, answers={200: EventOut}, problems=UNKNOWN)
def get_event(id: str) -> tuple[int, EventOut]:
    """Return one by your own number."""
    return 200, _shown(event_list.get(product(), id.replace("\0", "")))


def _receive(body: Bodies, type_: str | None) -> tuple[int, EventResultsOut]:
    """Hand on what is well-formed, and put what became of it between what is not."""
    malformed: dict[int, EventResultOut] = {}
    good: list[Told] = []
    for number, each in enumerate(body.each):
        try:
            if isinstance(each, Refused):
                raise each
            good.append(_told(each, type_))
            if body.alone:
                told.check(good[0], now())
        except Refused as error:
            malformed[number] = EventResultOut("", EventState.REFUSED.value, error.code, error.errors)
        except DomainError as error:
            if body.alone:
                raise
            malformed[number] = _result(Result(each.id, EventState.REFUSED.value, error.code, error))
    found = events.receive(good, product(), actor(), now())
    if body.alone and found[0].reason == ID_TAKEN:
        raise Conflict(ID_TAKEN, "id")
    taken = iter(found)
    results = [malformed[number] if number in malformed else _result(next(taken)) for number in range(len(body.each))]
    problems.count((_faults(each), each.reason or "") for each in results if each.status == EventState.REFUSED)
    return 202, EventResultsOut(results)


def _faults(result: EventResultOut) -> list[FieldProblem]:
    """Return what is counted of a refused event; its answer has `errors` only where it is not stored."""
    field = FIELDS.get(result.reason or "")
    return result.errors or ([FieldProblem(field, result.reason or "", "")] if field else [])


def _told(sent: TrackedIn, type_: str | None) -> Told:
    click = sent.click or None
    link = clicks.unseal(click, current_app.config["SECRET_KEY"]) if click else None
    return Told(
        sent.id, type_ or sent.type or "", _customer(sent.customer), click, link, sent.code or None, sent.amount,
        sent.currency and sent.currency.upper(), sent.occurred_at, sent.refund_of, sent.metadata,
    )  # fmt: skip


def _customer(sent: CustomerIn) -> Customer:
    return Customer(
        sent.external_id, sent.organization_id, sent.email or None, sent.name or None,
        RequestOrigin(_network(sent.ip), (sent.user_agent or "")[:LONGEST_AGENT]),
    )  # fmt: skip


def _network(ip: str | None) -> str | None:
    """Return the network of a customer's address; none for one that says nothing. Raises DomainError."""
    if not ip:
        return None
    network = network_of(ip)
    try:
        return None if ip_address(network).is_loopback else network
    except ValueError:
        raise DomainError("event_ip_malformed", "customer.ip") from None


def _result(found: Result) -> EventResultOut:
    said = by_field(found.error) if found.error else {}
    errors = [FieldProblem(field, found.error.fields[field], text) for field, text in said.items() if found.error]
    return EventResultOut(found.id, found.status, found.reason, errors)


def _shown(line: EventLine) -> EventOut:
    return EventOut(
        line.own_id, line.type, line.state.value, line.reason_code or None, why(line.reason_code, line.reason_values),
        line.external_id, line.organization_id, line.referral_id, line.amount, line.currency, line.refund_of,
        line.refunded, _money(line.referrer), _money(line.friend), line.details, line.occurred_at, line.created,
    )  # fmt: skip


def _money(amount: Amount | None) -> Money | None:
    return Money(amount.number, amount.unit) if amount else None
