"""The program and its leaderboard."""

from flask import current_app, request

from referralhub.api.operations import operation
from referralhub.api.schemas import LeaderboardOut, PlaceOut, ProgramOut
from referralhub.clock import now
from referralhub.models import Scope
from referralhub.problems import FieldProblem, Refused
from referralhub.services.ledger import leaderboard
from referralhub.services.ledger.ranking import Period
from referralhub.services.program import rules
from referralhub.words.referrals import member_name


@operation("/program", "GET", "The rules in force", scope=Scope.READ, answers={200: ProgramOut})
def get_program() -> tuple[int, ProgramOut]:
    """Return the rules."""
    found = rules.current()
    return 200, ProgramOut(
        found.version, found.name, found.ledger_unit, found.referrer_amount, found.friend_amount, found.window_days,
        found.hold_days, found.tiers, found.milestones,
    )  # fmt: skip


@operation(
    "/leaderboard", "GET", "Who brought the most friends", scope=Scope.READ, answers={200: LeaderboardOut},
    parameters={"period": f"One of {', '.join(Period)}; without it all of time."},
    problems={422: "There is no such period."},
)  # fmt: skip
def get_leaderboard() -> tuple[int, LeaderboardOut]:
    """Return the first twenty places."""
    try:
        period = Period(request.args.get("period", Period.ALL))
    except ValueError:
        wrong = FieldProblem("period", "invalid", f"Choose of {', '.join(Period)}.")
        raise Refused(422, "period_invalid", wrong.detail, [wrong]) from None
    board = leaderboard.read(current_app.extensions["redis"], period, now(), limit=20)
    places = [PlaceOut(each.rank, member_name(each.name), each.referrals) for each in board.places]
    return 200, LeaderboardOut(period.value, places)
