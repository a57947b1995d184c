"""Who brought whom: all of them, one in detail, and decisions."""

from functools import partial
from typing import Any

from flask import current_app

from referralhub.api.operations import actor, next_of, operation
from referralhub.api.referral_schemas import (
    DecisionIn,
    DecisionOut,
    FindingOut,
    JudgementOut,
    PersonOut,
    ProgramReferralOut,
    ProgramReferralsOut,
    ReferralDetailOut,
    ReferralEntryOut,
    ReferralsIn,
    StepOut,
)
from referralhub.clock import now
from referralhub.models import Reason, ReferralState, RewardEntry, Scope
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.integration import referrals
from referralhub.services.integration.referrals import Line, Person
from referralhub.services.referrals import detail, lifecycle
from referralhub.services.referrals.detail import Step
from referralhub.words.fraud import sentence
from referralhub.words.referrals import member_name, reason

UNKNOWN = {404: "No referral has this number."}
DECIDED = UNKNOWN | {409: "It is not in the state that this begins in: another was quicker, or it was done before."}


@operation(
    "/referrals", "GET", "All referrals of the program, the newest first", scope=Scope.READ, query=ReferralsIn,
    answers={200: ProgramReferralsOut},
)  # fmt: skip
def list_all_referrals(query: ReferralsIn) -> tuple[int, ProgramReferralsOut]:
    """Return a part of the list."""
    found = referrals.newest(query.after, query.state, query.created_from, query.created_to)
    return 200, ProgramReferralsOut([ProgramReferralOut(**_values(each)) for each in found.lines], next_of(found))


@operation(
    "/referrals/<row:number>", "GET", "A referral with its trail, and what the fraud rules found",
    scope=Scope.READ, answers={200: ReferralDetailOut}, problems=UNKNOWN,
)  # fmt: skip
def get_referral(number: int) -> tuple[int, ReferralDetailOut]:
    """Return a referral."""
    line, found = referrals.get(number), detail.of_referral(number)
    return 200, ReferralDetailOut(
        **_values(line),
        trail=[_step(each) for each in found.steps],
        judgement=_judgement(found.explanation) if found.explanation else None,
        entries=[_entry(each, number) for each in found.entries],
    )


@operation(
    "/referrals/<row:number>/confirm", "POST", "Let a held referral count", scope=Scope.MANAGE,
    takes=DecisionIn, answers={200: DecisionOut}, once=True,
    problems=DECIDED | {409: "It is not held (any more), or the friend has not confirmed their address yet."},
)  # fmt: skip
def confirm_referral(number: int, body: DecisionIn) -> tuple[int, DecisionOut]:
    """Confirm it."""
    required = current_app.config["SETTINGS"].require_email_verification
    return _decided(partial(lifecycle.release, verification_required=required), number, body)


@operation(
    "/referrals/<row:number>/reject", "POST", "Let a held referral not count", scope=Scope.MANAGE,
    takes=DecisionIn, answers={200: DecisionOut}, problems=DECIDED, once=True,
)  # fmt: skip
def reject_referral(number: int, body: DecisionIn) -> tuple[int, DecisionOut]:
    """Reject it."""
    return _decided(lifecycle.reject, number, body)


@operation(
    "/referrals/<row:number>/reverse", "POST", "Take a confirmed referral back, with what it gave",
    scope=Scope.MANAGE, takes=DecisionIn, answers={200: DecisionOut}, problems=DECIDED, once=True,
)  # fmt: skip
def reverse_referral(number: int, body: DecisionIn) -> tuple[int, DecisionOut]:
    """Reverse it."""
    return _decided(lifecycle.reverse, number, body)


def _decided(step: Any, number: int, body: DecisionIn) -> tuple[int, DecisionOut]:
    step(number, actor(), Reason.stated(body.reason.strip()), now())
    found = referrals.get(number)
    return 200, DecisionOut(found.id, found.state, found.decided_at)


def _values(line: Line) -> dict[str, Any]:
    return {
        "id": line.id, "referrer": _person(line.referrer), "friend": _person(line.friend), "state": line.state,
        "channel": line.channel, "score": line.score, "reason": line.reason.code, "why": reason(line.reason),
        "created": line.created, "decided_at": line.decided_at,
    }  # fmt: skip


def _person(who: Person) -> PersonOut:
    return PersonOut(who.external_id, member_name(who.name))


def _step(step: Step) -> StepOut:
    event = step.event
    before: ReferralState | None = event.from_state
    return StepOut(before, event.to_state, event.reason.code, reason(event.reason), step.who, event.created)


def _judgement(found: Explanation) -> JudgementOut:
    """Say what the rules found by codes and sentences; what they compared, addresses and names, stays in the panel."""
    findings = [FindingOut(each.rule, each.code, each.points, sentence(each)) for each in found.findings]
    return JudgementOut(found.verdict, found.score, found.version, found.judged_at, findings, found.incomplete)


def _entry(entry: RewardEntry, number: int) -> ReferralEntryOut:
    user, event_id = entry.profile.user, entry.conversion.event.own_id if entry.conversion else None
    return ReferralEntryOut(
        entry.id, entry.kind.value, entry.amount, entry.unit, entry.balance, entry.note, entry.available_at,
        entry.created, number, event_id, member=member_name(user.display_name or user.username),
    )  # fmt: skip
