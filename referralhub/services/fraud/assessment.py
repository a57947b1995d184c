"""Judging a referral: what speaks against it, how much, and why.

The points of all rules are added up to at most 100. Under 30 a referral is confirmed; from 30 it waits for a person;
from 60 it is called likely fraud, and waits, too. Nothing is ever rejected by a rule.
"""

import logging
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from referralhub.services.fraud.rules import RULES, Facts, Finding, LacksData

log = logging.getLogger(__name__)

VERSION = 3  # of the rules; goes up with each change of theirs, and every verdict keeps the one it was made under
REVIEW, LIKELY = 30, 60
MOST = 100


class Verdict(StrEnum):
    """What follows from the points."""

    CLEAR = "clear"
    REVIEW = "review"
    LIKELY_FRAUD = "likely_fraud"
    INCOMPLETE = "check_incomplete"


@dataclass(frozen=True)
class Assessment:
    """A verdict with everything that led to it."""

    score: int
    verdict: Verdict
    findings: list[Finding]
    incomplete: list[str] = field(default_factory=list)  # rules that failed or lacked data

    def snapshot(self) -> dict[str, Any]:
        """Return it in plain values, to be kept as it is now, with what the verdict would be without each rule."""
        return {
            "score": self.score,
            "verdict": self.verdict.value,
            "version": VERSION,
            "findings": [asdict(finding) for finding in self.findings],
            "incomplete": self.incomplete,
            "without": {
                name: self._without(name).value for name in [*(f.rule for f in self.findings), *self.incomplete]
            },
        }

    def _without(self, rule: str) -> Verdict:
        points = sum(finding.points for finding in self.findings if finding.rule != rule)
        return verdict_of(points, any(name != rule for name in self.incomplete))


def assess(facts: Facts) -> Assessment:
    """Ask every rule. One that fails or lacks data makes the check incomplete, and the referral waits for a person."""
    findings: list[Finding] = []
    incomplete: list[str] = []
    for name, rule in RULES.items():
        try:
            found = rule(facts)
        except LacksData:
            incomplete.append(name)
        except Exception:  # a broken rule must neither confirm nor reject
            log.exception("The rule %s failed", name)
            incomplete.append(name)
        else:
            findings += [found] if found else []
    score = min(MOST, sum(finding.points for finding in findings))
    return Assessment(score, verdict_of(score, bool(incomplete)), findings, incomplete)


def unknown(what: str) -> Assessment:
    """Judge a referral of which too little is known."""
    return Assessment(0, Verdict.INCOMPLETE, [], [what])


def verdict_of(score: int, incomplete: bool = False) -> Verdict:
    """Return what a number of points means."""
    if score >= LIKELY:
        return Verdict.LIKELY_FRAUD
    if incomplete:
        return Verdict.INCOMPLETE
    return Verdict.REVIEW if score >= REVIEW else Verdict.CLEAR
