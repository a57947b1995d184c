"""What is sent and answered about referrals, as the document describes it."""

from typing import Annotated

from msgspec import Meta, Struct

from referralhub.api.schemas import After, CreatedFrom, CreatedTo, EntryOut, Moment, Why
from referralhub.models import Channel, ReferralState
from referralhub.services.fraud.assessment import Verdict


class ReferralsIn(Struct, forbid_unknown_fields=True):
    """Which referrals are asked for."""

    state: Annotated[ReferralState | None, Meta(description="Those that are there now.")] = None
    created_from: CreatedFrom = None
    created_to: CreatedTo = None
    after: After = None


class PersonOut(Struct):
    """One side of a referral; `external_id` is null for a member whom you did not bring."""

    external_id: str | None
    name: str


class ProgramReferralOut(Struct):
    """A referral, how far it has come, and why: `reason` stays the same for good, `why` is for people.

    `score` is that of the fraud rules, 0 to 100; null before they looked at it.
    """

    id: int
    referrer: PersonOut
    friend: PersonOut
    state: ReferralState
    channel: Channel
    score: int | None
    reason: str
    why: str
    created: Moment
    decided_at: Moment | None


class ProgramReferralsOut(Struct):
    """A part of all referrals, the newest first; `next` is the cursor of the part behind it."""

    referrals: list[ProgramReferralOut]
    next: str | None


class StepOut(Struct):
    """One change of state. `by` is the user name of the admin who decided it; null for anybody and anything else."""

    from_state: ReferralState | None
    to_state: ReferralState
    reason: str
    why: str
    by: str | None
    at: Moment


class FindingOut(Struct):
    """What one fraud rule found, and the points that it gave; `code` stays the same for good, `why` is for people."""

    rule: str
    code: str
    points: int
    why: str


class JudgementOut(Struct):
    """What the fraud rules said when they looked at it. `incomplete` names those that failed or lacked data."""

    verdict: Verdict
    score: int
    rules_version: int
    judged_at: Moment
    findings: list[FindingOut]
    incomplete: list[str]


class ReferralEntryOut(EntryOut, kw_only=True):
    """An entry of the ledger that a referral caused, and whose it is."""

    member: str


class ReferralDetailOut(ProgramReferralOut):
    """A referral with its trail, what the fraud rules found, and what it caused in the ledger."""

    trail: list[StepOut]
    judgement: JudgementOut | None
    entries: list[ReferralEntryOut]


class DecisionIn(Struct, forbid_unknown_fields=True):
    """Why; both members read it."""

    reason: Why


class DecisionOut(Struct):
    """What became of a referral; `GET /referrals/{number}` tells all of it."""

    id: int
    state: ReferralState
    decided_at: Moment | None
