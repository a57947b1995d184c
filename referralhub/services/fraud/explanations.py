"""Why a referral was confirmed or held, as it was judged then: later rules do not change it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from referralhub.database import reading
from referralhub.models import Referral, ReferralEvent, ReferralState
from referralhub.services.fraud.assessment import Assessment, Verdict
from referralhub.services.fraud.rules import Finding
from referralhub.services.shared.errors import NotFound

AS_WRITTEN = "as_written"  # the code of findings that were kept as sentences


@dataclass(frozen=True)
class Explanation:
    """A verdict of the fraud rules with everything that led to it, from the trail."""

    state: ReferralState  # today
    judged_at: datetime
    version: int  # of the rules
    verdict: Verdict
    score: int
    findings: list[Finding]
    incomplete: list[str]  # rules that failed or lacked data
    without: dict[str, Verdict]  # the verdict, had this rule not been there

    @property
    def reasons(self) -> list[Finding]:
        """The two findings that weighed most."""
        return sorted(self.findings, key=lambda finding: -finding.points)[:2]


def explanation(referral_id: int) -> Explanation | None:
    """Return the verdict on a referral; None for one that was not judged (yet). Raises NotFound."""
    state = reading().scalar(select(Referral.state).where(Referral.id == referral_id))
    if state is None:
        raise NotFound("no_such_referral")
    trail = select(ReferralEvent).where(ReferralEvent.referral_id == referral_id).order_by(ReferralEvent.id)
    found = (read(event, state) for event in reading().scalars(trail))
    return next((each for each in found if each), None)


def read(event: ReferralEvent, state: ReferralState) -> Explanation | None:
    """Read the verdict that a step of the trail keeps, if it keeps one; `state` is the referral's today."""
    kept = event.evidence.get("assessment")
    return _unpacked(kept, state, event.created) if kept else None


def of_now(found: Assessment, state: ReferralState, now: datetime) -> Explanation:
    """Explain a verdict that nothing keeps (yet)."""
    return _unpacked(found.snapshot(), state, now)


def _unpacked(kept: dict[str, Any], state: ReferralState, judged_at: datetime) -> Explanation:
    return Explanation(
        state,
        judged_at,
        kept["version"],
        Verdict(_code(kept["verdict"])),
        kept["score"],
        [_finding(each) for each in kept["findings"]],
        [_code(rule) for rule in kept["incomplete"]],
        {_code(rule): Verdict(_code(verdict)) for rule, verdict in kept["without"].items()},
    )


def _finding(kept: dict[str, Any]) -> Finding:
    """Return a finding as it was kept; the older ones were kept as sentences, and stay as they are."""
    rule, points, values = _code(kept["rule"]), kept["points"], kept["values"]
    if "words" in kept:
        return Finding(rule, points, {"text": kept["words"], "one": values[0], "other": values[1]}, AS_WRITTEN)
    return Finding(rule, points, values, kept["code"])


def _code(name: str) -> str:
    """Return the code of a rule or a verdict; the older names had spaces, and one rule another name."""
    return "shared_connection" if name == "crowd" else name.replace(" ", "_")
