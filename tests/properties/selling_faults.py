"""Deliberate faults in what events earn, and in what is handed over; see `faults.py`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

from sqlalchemy import func, select, update

from referralhub.database import transaction
from referralhub.models import Event, ReferralState, RewardEntry, RewardKind, RewardState
from referralhub.services.accounts import erasure
from referralhub.services.conversions import earning, posting
from referralhub.services.fulfilment import due
from referralhub.services.integration import event_customers, events, signups
from referralhub.services.ledger import entries
from referralhub.services.program.rules import WHOLE
from referralhub.services.referrals import transitions
from tests.properties.faults import fault as any_fault
from tests.properties.faults import instead, without_index
from tests.properties.machine import ShopMachine
from tests.properties.world import World

Function = Callable[..., Any]
fault = partial(any_fault, machine=ShopMachine)


@fault(7, 9)
def refunds_of_more_than_was_paid(world: World) -> Iterator[None]:
    def take(refund: Any, purchases: Any) -> None:
        purchases[0].refunded += refund.event.amount or purchases[0].paid

    with mock.patch.object(earning, "_take", take):
        yield


@fault(7, 9)
def refunds_in_another_currency_that_count(world: World) -> Iterator[None]:
    def write(refund: Function) -> Function:
        def blind(each: Any, by_number: Any) -> None:
            named, told = by_number.get((each.event.product, each.event.refund_of)), each.event
            if named and told.amount is not None:
                each.event = told._replace(currency=named.event.currency)
            refund(each, by_number)
            each.event = told

        return blind

    with instead(earning, "_refund", write):
        yield


@fault(7, 9)
def refunds_of_the_oldest_purchase(world: World) -> Iterator[None]:
    with instead(earning, "_take", lambda take: lambda refund, purchases: take(refund, purchases[::-1])):
        yield


@fault(7, 9)
def shares_that_are_rounded_up(world: World) -> Iterator[None]:
    def write(old: Function) -> Function:
        def upwards(each: Any, amount: int, share: int) -> Any:
            left = each.paid - each.refunded
            return -(-share * left // WHOLE) if share and each.event.amount else old(each, amount, share)

        return upwards

    with instead(earning, "_due", write):
        yield


@fault(7, 9)
def one_event_too_many_that_earns(world: World) -> Iterator[None]:
    with instead(earning, "_pay", lambda pay: lambda each, number: pay(each, number - 1)):
        yield


@fault(7, 9)
def reversed_referrals_that_go_on_earning(world: World) -> Iterator[None]:
    def write(pay: Function) -> Function:
        def blind(each: Any, number: int) -> None:
            if each.case.state is ReferralState.REVERSED:
                each.case = replace(each.case, state=ReferralState.CONFIRMED)
            pay(each, number)

        return blind

    with instead(earning, "_pay", write):
        yield


@fault(7, 9)
def caps_that_count_what_was_refunded(world: World) -> Iterator[None]:
    def write(cap: Function) -> Function:
        def gross(conversions: Any, otherwise: Any) -> None:
            net = [each.referrer for each in conversions]
            for each in conversions:
                program = each.case.program
                before, each.refunded = each.refunded, 0
                each.referrer = earning._due(each, program.referrer_amount, program.referrer_share)
                each.refunded = before
            cap(conversions, otherwise)
            for each, amount in zip(conversions, net, strict=True):
                each.referrer = min(each.referrer, amount)

        return gross

    with instead(earning, "_cap", write):
        yield


@fault(7, 9)
def purchases_before_the_signup_that_are_lost(world: World) -> Iterator[None]:
    def write(attach: Function) -> Function:
        def forgetful(session: Any, *args: Any) -> None:
            query = select(Event.id).where(Event.referral_id.is_(None), Event.type == "purchase")
            early = session.scalars(query).all()
            attach(session, *args)
            session.execute(update(Event).where(Event.id.in_(early)).values(referral_id=None))

        return forgetful

    with instead(event_customers, "attach", write):
        yield


@fault(9)
def events_that_are_known_for_an_hour(world: World) -> Iterator[None]:
    def write(receive: Function) -> Function:
        def forgetful(sent: Any, product: str, actor: Any, now: Any) -> Any:
            with transaction() as session:
                old = Event.product == product, Event.created < now - timedelta(hours=1)
                known = set(session.scalars(select(Event.own_id).where(*old)))
            return receive([replace(t, id=f"{t.id}-" if t.id in known else t.id) for t in sent], product, actor, now)

        return forgetful

    with instead(events, "receive", write):
        yield


@fault(9)
def other_events_that_are_taken_for_duplicates(world: World) -> Iterator[None]:
    def result(told: Any, stored: Any, new: bool) -> Any:
        return events.Result(told.id, stored.state.value if new else events.DUPLICATE, stored.reason_code or None)

    with mock.patch.object(events, "_result", result):
        yield


@fault(1, 2, 9)
def clicks_that_lead_to_account_after_account(world: World) -> Iterator[None]:
    with mock.patch.object(signups.once, "first", lambda session, key, now: True):
        yield


@fault(5, 7, 9)
def corrected_referrers_who_get_only_what_comes(world: World) -> Iterator[None]:
    def credit_instead(session: Any, referral: Any, profile_id: int, *_: Any) -> None:
        referral.credited_id = profile_id
        session.flush()

    with mock.patch.object(posting, "credit_instead", credit_instead):
        yield


@fault(7, 9)
def releases_that_forget_what_waited(world: World) -> Iterator[None]:
    def write(credit: Function) -> Function:
        def forgetful(session: Any, referral: Any, before: ReferralState, *args: Any) -> None:
            if before is not ReferralState.HELD:
                credit(session, referral, before, *args)
                return
            with mock.patch.object(posting, "reconcile"):
                credit(session, referral, before, *args)

        return forgetful

    with instead(transitions, "credit", write):
        yield


@fault(5, 7, 9, 10)
def erasure_that_takes_along_what_credits_depend_on(world: World) -> Iterator[None]:
    def write(forget: Function) -> Function:
        def thorough(session: Any, profile_id: int) -> None:
            forget(session, profile_id)
            session.execute(update(Event).where(Event.digest == "").values(details={}))

        return thorough

    with instead(erasure, "_forget_events", write):
        yield


@fault(6)
def rewards_that_do_not_wait_for_the_hold(world: World) -> Iterator[None]:
    def impatient(refresh: Function) -> Function:
        return lambda session, profile_id, unit, now: refresh(session, profile_id, unit, now + timedelta(days=400))

    with instead(due, "refresh", impatient):
        yield


@fault(6)
def debts_that_are_not_netted(world: World) -> Iterator[None]:
    def standing() -> Any:
        _, owed, *rest = old().selected_columns
        mine = (
            RewardEntry.profile_id == due.PROFILE,
            RewardEntry.unit == due.UNIT,
            RewardEntry.available_at <= due.NOW,
        )
        credits = select(func.sum(RewardEntry.amount)).where(*mine, RewardEntry.amount > 0)
        return select(due._or_nothing(credits), owed, *rest)

    old = due._standing
    with mock.patch.object(due, "_standing", standing):
        yield


@fault(6)
def payouts_that_are_posted_twice(world: World) -> Iterator[None]:
    def write(post: Function) -> Function:
        def twice(session: Any, profile_id: int, kind: RewardKind, *args: Any, **values: Any) -> Any:
            if kind is RewardKind.PAYOUT:
                post(session, profile_id, kind, *args, **values)
            return post(session, profile_id, kind, *args, **values)

        return twice

    with instead(entries, "post", write):
        yield


@fault(6)
def rewards_that_outlive_their_credit(world: World) -> Iterator[None]:
    with mock.patch.object(due, "_no_longer_left", lambda session, open_: iter(())):
        yield


@fault(6)
def failed_rewards_that_are_made_anew(world: World) -> Iterator[None]:
    world.changes.append(lambda world: without_index(world, "uq_reward_open"))
    with mock.patch.object(due, "OPEN", (RewardState.DUE,)):
        _make_queries_anew()
        yield
    _make_queries_anew()


def _make_queries_anew() -> None:
    due._standing.cache_clear()
    due._candidates.cache_clear()
