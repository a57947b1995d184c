"""The program, its leaderboard, and how it grows."""

from typing import Any

import msgspec
from flask import current_app

from referralhub.api.operations import actor, operation
from referralhub.api.program_schemas import (
    GrowthIn,
    GrowthOut,
    HeadlineOut,
    LeaderboardIn,
    MonthOut,
    ProgramIn,
    ProgramOut,
)
from referralhub.api.schemas import LeaderboardOut, PlaceOut
from referralhub.clock import local_now, now
from referralhub.models import Program, Scope
from referralhub.services.growth import headlines, monthly, ranges
from referralhub.services.growth.headlines import Headline
from referralhub.services.growth.monthly import FIGURES
from referralhub.services.ledger import leaderboard
from referralhub.services.program import rules
from referralhub.services.program.rules import DEFAULT
from referralhub.services.shared.errors import Conflict, StaleRules
from referralhub.words.referrals import member_name


@operation("/program", "GET", "The rules in force", scope=Scope.READ, answers={200: ProgramOut})
def get_program() -> tuple[int, Any]:
    """Return the rules."""
    return 200, _shown(rules.current())


@operation(
    "/program", "PATCH", "Change the rules, as a new version", scope=Scope.MANAGE, takes=ProgramIn,
    answers={200: ProgramOut},
    problems={409: "There is a newer version than the one in `made_from`.", 422: "The rules cannot be like this."},
)  # fmt: skip
def change_program(body: Any) -> tuple[int, Any]:
    """Put the new version in force; where nothing is new, the one in force stays."""
    given = {name: value for name in DEFAULT if (value := getattr(body, name)) is not msgspec.UNSET}
    values = {name: msgspec.to_builtins(value) if isinstance(value, list) else value for name, value in given.items()}
    made_from = None if body.made_from is msgspec.UNSET else body.made_from
    try:
        program, _ = rules.put_in_force(values, now(), actor(), made_from=made_from)
    except StaleRules as error:
        raise Conflict("version_superseded", "made_from", version=error.version) from None
    return 200, _shown(program)


@operation(
    "/leaderboard", "GET", "Who brought the most friends", scope=Scope.READ, query=LeaderboardIn,
    answers={200: LeaderboardOut},
)  # fmt: skip
def get_leaderboard(query: LeaderboardIn) -> tuple[int, LeaderboardOut]:
    """Return the first twenty places."""
    board = leaderboard.read(current_app.extensions["redis"], query.period, now(), limit=20)
    places = [PlaceOut(each.rank, member_name(each.name), each.referrals) for each in board.places]
    return 200, LeaderboardOut(query.period.value, places)


@operation(
    "/growth", "GET", "How the program grows, month by month", scope=Scope.READ, query=GrowthIn,
    answers={200: GrowthOut}, problems={422: "There are no such days, or they are of more than five years."},
)  # fmt: skip
def get_growth(query: GrowthIn) -> tuple[int, GrowthOut]:
    """Return the headlines, and every month that the days touch."""
    at = local_now()
    days = ranges.between(query.first, query.last, at)
    found = headlines.read(rules.current().ledger_unit, at)
    months = [
        msgspec.convert(dict(zip(FIGURES, each.figures(), strict=True)), MonthOut)
        for each in monthly.monthly(days, at.date())
    ]
    return 200, GrowthOut(
        found.members, found.waiting, _headline(found.joined), _headline(found.confirmed), found.unit,
        _headline(found.given), months,
    )  # fmt: skip


def _headline(found: Headline) -> HeadlineOut:
    return HeadlineOut(found.now, found.by_then, found.last_month)


def _shown(program: Program) -> Any:
    settings = {name: getattr(program, name) for name in DEFAULT}
    return ProgramOut(
        version=program.version, created=program.created, ledger_unit=program.ledger_unit, **settings
    )  # fmt: skip
