"""Why a referral was confirmed or held, as it was judged then: later rules do not change it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from referralhub.extensions import db
from referralhub.models import Referral, ReferralEvent, ReferralState
from referralhub.services.fraud.rules import Finding
from referralhub.services.shared.errors import NoSuchReferral


@dataclass(frozen=True)
class Explanation:
    """A verdict of the fraud rules with everything that led to it, from the trail."""

    state: ReferralState  # today
    judged_at: datetime
    version: int  # of the rules
    verdict: str
    score: int
    reasons: list[str]  # the two that weighed most
    findings: list[Finding]
    incomplete: list[str]  # rules that failed or lacked data
    without: dict[str, str]  # the verdict, had this rule not been there


def explanation(referral_id: int) -> Explanation | None:
    """Give the verdict on a referral; None for one that was not judged (yet). Raises NoSuchReferral."""
    state = db.session.scalar(select(Referral.state).where(Referral.id == referral_id))
    if state is None:
        raise NoSuchReferral
    trail = select(ReferralEvent).where(ReferralEvent.referral_id == referral_id).order_by(ReferralEvent.id)
    found = (read(event, state) for event in db.session.scalars(trail))
    return next((each for each in found if each), None)


def read(event: ReferralEvent, state: ReferralState) -> Explanation | None:
    """Read the verdict that a step of the trail keeps, if it keeps one; `state` is the referral's today."""
    kept = event.evidence.get("assessment")
    if not kept:
        return None
    findings = [
        Finding(each["rule"], each["points"], each["words"], tuple(each["values"])) for each in kept["findings"]
    ]
    return Explanation(
        state, event.created, kept["version"], kept["verdict"], kept["score"], kept["reasons"], findings,
        kept["incomplete"], kept["without"],
    )  # fmt: skip
