"""Rewards in a spreadsheet: what is due goes out, and what became of it comes back."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import Profile, Reward, RewardState
from referralhub.services.fulfilment import decisions
from referralhub.services.fulfilment.decisions import Step
from referralhub.services.fulfilment.lists import RewardLine
from referralhub.services.shared import parts
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.csv import csv_rows, restored
from referralhub.services.shared.currencies import major
from referralhub.services.shared.errors import BadFile, DomainError, NotFound

COLUMNS, WORDS = ("id", "state"), ("reference", "reason")  # which a file must have, and which it may have
HEADER = (*COLUMNS, *WORDS, "external_id", "member", "amount", "unit", "kind", "referral_id", "event_id", "since")
MOST = 5000  # lines of a file: all of it is done in one transaction
BATCH = 500  # rows of one query


@dataclass(frozen=True)
class Said:
    """A line that says what became of a reward; `step` is none where it says nothing new."""

    number: int  # of the line; the one that names the columns is 1
    reward_id: int
    step: Step | None


@dataclass(frozen=True)
class Mistake:
    """A line that cannot be used, and what is wrong with it."""

    number: int
    error: DomainError


@dataclass(frozen=True)
class Loaded:
    """What became of a file: how many rewards it changed, how many lines said nothing new, and what is wrong.

    Where anything is wrong, nothing was changed.
    """

    changed: int
    unchanged: int
    mistakes: list[Mistake]


def rows(lines: Iterable[RewardLine]) -> Iterator[tuple[Any, ...]]:
    """Yield rewards as rows below HEADER; amounts are as people count them."""
    for line in lines:
        yield (
            line.id, line.state.value, line.reference, line.reason, line.external_id or "", line.member,
            major(line.amount, line.unit), line.unit, line.kind.value, line.referral_id or "", line.event_id or "",
            line.created,
        )  # fmt: skip


def read(file: Iterable[str]) -> list[Said | Mistake]:
    """Read what became of rewards, in CSV with commas or semicolons. "fulfilled" and "failed" say something; a line
    with another state, as it was taken away, says nothing.

    Raises BadFile unless the first line names the columns, or for more lines than can be done at once.
    """
    found: list[Said | Mistake] = []
    for number, cells in csv_rows(file, COLUMNS, WORDS):
        if len(found) == MOST:
            raise BadFile("too_many_lines", most=MOST)
        found.append(_line(number, cells))
    times = Counter(line.reward_id for line in found if isinstance(line, Said))
    return [
        Mistake(line.number, DomainError("reward_twice", "id"))
        if isinstance(line, Said) and times[line.reward_id] > 1
        else line
        for line in found
    ]


def refuse(mistakes: int) -> None:
    """Raise BadFile for a file with so many lines that are wrong: nothing of it was done."""
    if mistakes:
        raise BadFile("rewards_with_mistakes", wrong=mistakes)


def load(lines: list[Said | Mistake], actor: Actor, now: datetime, *, dry_run: bool = False) -> Loaded:
    """Do what the lines say, all of it in one transaction, or nothing where one of them cannot be done.

    With `dry_run` nothing is changed. To load a file once more changes nothing.
    """
    wrong = [line for line in lines if isinstance(line, Mistake)]
    said = [line for line in lines if isinstance(line, Said)]
    try:
        with transaction() as session:
            done, refused = _take_steps(session, said, actor, now)
            wrong = sorted([*wrong, *refused], key=lambda line: line.number)
            if wrong or dry_run:
                raise _Undo
    except _Undo:
        pass
    return Loaded(done, len(lines) - done - len(wrong), wrong)


class _Undo(Exception):
    """Nothing of it is to be kept."""


def _take_steps(session: Session, said: list[Said], actor: Actor, now: datetime) -> tuple[int, list[Mistake]]:
    rewards = _locked(session, [line.reward_id for line in said])
    changed: list[tuple[Reward, RewardState]] = []
    wrong: list[Mistake] = []
    for line in said:
        reward = rewards.get(line.reward_id)
        if reward is None:
            wrong.append(Mistake(line.number, NotFound("no_such_reward", "id")))
        elif line.step is not None:
            before = reward.state
            try:
                if line.step(session, reward, now):
                    changed.append((reward, before))
            except DomainError as error:
                wrong.append(Mistake(line.number, error))
    for reward, before in changed:
        decisions.record(session, reward, before, actor, now)
    return len(changed), wrong


def _locked(session: Session, reward_ids: list[int]) -> dict[int, Reward]:
    """Read the rewards, after locking the ledgers that they are of in the order in which everybody does."""
    found: list[int] = []
    for some in _batches(reward_ids):
        found += session.scalars(select(Reward.profile_id).where(Reward.id.in_(some)).distinct())
    for some in _batches(sorted(set(found))):
        session.execute(select(Profile.id).where(Profile.id.in_(some)).order_by(Profile.id).with_for_update())
    rewards: dict[int, Reward] = {}
    for some in _batches(reward_ids):
        query = select(Reward).where(Reward.id.in_(some)).execution_options(populate_existing=True)
        rewards |= {reward.id: reward for reward in session.scalars(query)}
    return rewards


def _batches(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _line(number: int, cells: list[str] | None) -> Said | Mistake:
    if cells is None:
        return Mistake(number, DomainError("line_unreadable"))
    id_, state, reference, reason = cells
    if not (id_.isascii() and id_.isdigit() and 0 < int(id_[:11]) <= parts.LARGEST):
        return Mistake(number, NotFound("no_such_reward", "id"))
    try:
        return Said(number, int(id_), _step(state.lower(), restored(reference), restored(reason)))
    except DomainError as error:
        return Mistake(number, error)


def _step(state: str, reference: str, reason: str) -> Step | None:
    match state:
        case RewardState.FULFILLED:
            return decisions.fulfilling(reference)
        case RewardState.FAILED:
            return decisions.failing(reason)
        case "" | RewardState.DUE | RewardState.WITHDRAWN:
            return None
    raise DomainError("reward_state_unknown", "state")
