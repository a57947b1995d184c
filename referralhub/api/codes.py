"""Codes, for a checkout that takes one."""

import re

from referralhub.api.operations import operation
from referralhub.api.schemas import CodeOut, Offer
from referralhub.models import Program
from referralhub.services.program import rules
from referralhub.services.referrals import attribution
from referralhub.services.shared import codes
from referralhub.services.shared.errors import NotFound


@operation(
    "/codes/<code>", "GET", "Whose code it is, and what a friend gets",
    answers={200: CodeOut}, problems={404: "Nobody has this code, or not any more."},
)  # fmt: skip
def look_up(code: str) -> tuple[int, CodeOut]:
    """Look a code up as a friend typed it."""
    referrer = attribution.find_by_code(codes.normal(code)) if re.fullmatch(codes.SHAPE, code) else None
    if referrer is None:
        raise NotFound("no_such_code")
    program = rules.current()
    return 200, CodeOut(True, referrer.name, _offer(program), program.friend_coupon)


def _offer(program: Program) -> Offer | None:
    if program.friend_share:
        return Offer(share=program.friend_share)
    return Offer(program.friend_amount, program.ledger_unit) if program.friend_amount else None
