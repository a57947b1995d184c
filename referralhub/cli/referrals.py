"""Deciding referrals on the command line."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from flask import current_app

from referralhub.cli.arguments import ROW, at_most
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import Reason, ReferralState
from referralhub.services.fraud import explanations
from referralhub.services.fraud.assessment import Verdict
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.referrals import lifecycle as service
from referralhub.services.referrals import review
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone
from referralhub.words.fraud import compared, rule_name, sentence, verdict

referrals = Commands("referrals", help="Decide a referral, with a reason that its members will read.")

number = click.argument("referral_id", metavar="ID", type=ROW)
why = click.option("--reason", required=True, callback=at_most(200), help="Its members will read it.")


def _decide(step: Callable[..., None], after: ReferralState, referral_id: int, reason: str, as_json: bool) -> None:
    try:
        step(referral_id, OPERATOR, Reason.stated(reason), now())
        changed, text = True, f"Referral {referral_id} is {after.value} now."
    except AlreadyDone:
        changed, text = False, f"Referral {referral_id} is {after.value} already. Nothing was changed."
    answer(as_json, {"id": referral_id, "state": after, "changed": changed}, [text])


@referrals.command("release")
@number
@why
@json_option
def release(referral_id: int, reason: str, as_json: bool) -> None:
    """Confirm a referral that was held, so that both sides get what they were promised.

    Refused while the friend's address is unconfirmed, and for a referral in any other state. One that is confirmed
    already is left alone.
    """
    needs_address = current_app.config["SETTINGS"].require_email_verification
    step = partial(service.release, verification_required=needs_address)
    _decide(step, ReferralState.CONFIRMED, referral_id, reason, as_json)


@referrals.command("reject")
@number
@why
@json_option
def reject(referral_id: int, reason: str, as_json: bool) -> None:
    """Decide that a held referral does not count.

    Refused for a referral in any other state. One that is rejected already is left alone.
    """
    _decide(service.reject, ReferralState.REJECTED, referral_id, reason, as_json)


@referrals.command("reverse")
@number
@why
@json_option
def reverse(referral_id: int, reason: str, as_json: bool) -> None:
    """Take a confirmed referral back: opposite ledger entries for everything it gave.

    Refused for a referral in any other state. One that is reversed already is left alone.
    """
    _decide(service.reverse, ReferralState.REVERSED, referral_id, reason, as_json)


@referrals.command("held")
@json_option
def held(as_json: bool) -> None:
    """List the referrals that wait for a decision, the oldest first, at most a hundred."""
    queue = review.queue()
    cases = sorted((case for group in queue.groups for case in group.cases), key=lambda case: (case.held_at, case.id))
    document = [
        {"id": case.id, "friend": case.friend, "referrer": case.referrer, "score": case.score, "held_at": case.held_at}
        for case in cases
    ]
    lines = [
        f"{case.id}  {case.held_at:%Y-%m-%d %H:%M}  {case.friend}, brought by {case.referrer}"
        f"{'' if case.score is None else f', {case.score} points'}"
        for case in cases
    ]
    answer(as_json, {"waiting": queue.total, "cases": document}, lines or ["Nothing waits."])


@referrals.command("explain")
@number
@json_option
def explain(referral_id: int, as_json: bool) -> None:
    """Say why a referral was confirmed or held, as it was judged then.

    Prints the verdict with its points, the reasons that weighed most, and for each of the fraud rules its points, the
    two values that it compared, and what the verdict would be without it. Refused for a referral that was not judged
    yet.
    """
    found = explanations.explanation(referral_id)
    if found is None:
        raise click.ClickException("This referral was not judged yet.")
    answer(as_json, {"id": referral_id, **_document(found)}, _lines(found))


def _document(found: Explanation) -> dict[str, Any]:
    """Return an explanation in plain values, the findings with their words beside their codes."""
    findings = [asdict(each) | {"words": sentence(each), "compared": compared(each)} for each in found.findings]
    return asdict(found) | {"findings": findings, "reasons": [sentence(each) for each in found.reasons]}


def _lines(found: Explanation) -> Iterator[str]:
    yield (
        f"{verdict(found.verdict)}: {found.score} of 100 points, by rules of version {found.version} "
        f"at {found.judged_at:%Y-%m-%d %H:%M} UTC; the referral is {found.state.value} today."
    )
    for reason in found.reasons:
        yield f"  because: {sentence(reason)}"
    for finding in found.findings:
        one, other = compared(finding)
        without = verdict(found.without[finding.rule])
        yield f"{finding.points:4}  {rule_name(finding.rule)}: {one} / {other}; without it: {without}"
    for rule in found.incomplete:
        without = verdict(found.without.get(rule, Verdict.CLEAR))
        yield f"   ?  {rule_name(rule)}: failed or lacked data; without it: {without}"
