"""Examining an installation: each check is looked at by itself, so that one fault hides no other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from redis import Redis

from referralhub.config import Problem, Settings
from referralhub.services.shared.errors import in_short


class Level(StrEnum):
    """How much a remark matters: a finding must be put right, a hint may be as it should be."""

    HINT = "hint"
    FINDING = "finding"


class Status(StrEnum):
    """What came of a check; one is skipped where the fault of another would only be seen a second time."""

    OK = "ok"
    HINT = "hint"
    FINDING = "finding"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Remark:
    """What is wrong: a code, for which there are words and a remedy, and what it is about."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    level: Level = Level.FINDING


@dataclass(frozen=True)
class Installation:
    """What is examined. `problems` are those for which the application would refuse to start."""

    settings: Settings
    problems: Sequence[Problem]
    debug: bool
    redis: Redis
    clock: Callable[[], datetime]
    check_mail: Callable[[Settings], None]  # does everything but send one; raises OSError or ValueError
    check_provider: Callable[[Settings], None]  # asks the one that admins sign in with; raises Exception


@dataclass(frozen=True)
class Check:
    """One thing to look at. It `needs` other checks, and settings by their names, to be without findings."""

    name: str
    look: Callable[[Installation], Iterable[Remark]]
    needs: tuple[str, ...] = ()
    patience: float = 15  # seconds


@dataclass(frozen=True)
class Report:
    """What came of one check; a skipped one names the check or setting that must be put right first."""

    name: str
    status: Status
    remarks: list[Remark]
    because_of: str | None = None


Look = Callable[[], list[Remark]]
InTime = Callable[[Look, float], list[Remark]]


def examine(
    installation: Installation, checks: Sequence[Check], in_time: InTime, progress: Callable[[int], None]
) -> list[Report]:
    """Look at everything; `in_time` runs one check for so many seconds, and raises TimeoutError then."""
    reports: list[Report] = []
    unsound = {problem.setting for problem in installation.problems}
    for check in checks:
        report = _report(check, installation, unsound, in_time)
        reports.append(report)
        if report.status in (Status.FINDING, Status.SKIPPED):
            unsound.add(check.name)
        progress(1)
    return reports


def is_sound(reports: Iterable[Report]) -> bool:
    """Whether there is nothing that must be put right."""
    return all(report.status is not Status.FINDING for report in reports)


def _report(check: Check, installation: Installation, unsound: set[str], in_time: InTime) -> Report:
    causes = [name for name in check.needs if name in unsound]
    if causes:
        return Report(check.name, Status.SKIPPED, [], because_of=causes[0])
    try:
        remarks = in_time(lambda: list(check.look(installation)), check.patience)
    except TimeoutError:
        remarks = [Remark("no_answer_in_time", {"seconds": int(check.patience)})]
    except Exception as error:  # whatever it is, the other checks are to be made
        remarks = [Remark("check_failed", {"error": f"{type(error).__name__}: {in_short(error)}"})]
    levels = {remark.level for remark in remarks}
    status = Status.FINDING if Level.FINDING in levels else Status.HINT if levels else Status.OK
    return Report(check.name, status, remarks)
