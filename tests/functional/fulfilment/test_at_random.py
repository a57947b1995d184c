"""Whatever happens in whichever order: no more is due than there is, nothing that could be is left out."""

import random

import pytest
from sqlalchemy import bindparam, text

from referralhub.extensions import db
from referralhub.models.base import UtcDateTime
from referralhub.services.fulfilment import decisions, due
from referralhub.services.ledger import remainders
from referralhub.services.shared.audit import OPERATOR

STEPS = 40
HANDED_OVER = text("""
SELECT e.id, e.amount, coalesce((SELECT sum(amount) FROM reward WHERE entry_id = e.id AND state = 'fulfilled'), 0)
FROM reward_entry e LEFT JOIN referral f ON f.id = e.referral_id LEFT JOIN program p ON p.id = f.program_id
WHERE e.profile_id = 1 AND e.unit = 'EUR' AND e.amount > 0 AND e.kind IN ('referrer', 'milestone', 'adjustment')
AND e.available_at <= :now AND (p.handed_over OR (e.referral_id IS NULL AND e.note <> 'kept'))
AND NOT EXISTS (SELECT 1 FROM reward WHERE entry_id = e.id AND state IN ('due', 'failed'))
""").bindparams(bindparam("now", type_=UtcDateTime))


def nothing_is_left_out(books) -> None:
    """Where the ledger covers more than is due, each credit that is to be handed over is due or was handed over."""
    _, spendable = books.balance
    with books.app.app_context():
        rows = db.session.execute(HANDED_OVER, {"now": books.clock()}).all()
        left = remainders.of(db.session(), [row[0] for row in rows])
        over = {id_: left[id_] - int(paid) for id_, _, paid in rows if left.get(id_, 0) > int(paid)}
    assert spendable <= 0 or not over, (spendable, over)


@pytest.mark.parametrize("seed", [1, 2])
def test_anything(books, seed: int):
    draw = random.Random(seed)
    referrals, credits, sales = [books.referral()], list[int](), list[tuple[int, int]]()

    def amount() -> int:
        return draw.randint(1, 100)

    def sell() -> None:
        referral = draw.choice(referrals)
        sale = books.sale(referral)
        sales.append((referral, sale))
        days = draw.choice([0, 0, 3])
        books.post(amount(), "referrer", referral_id=referral, conversion_id=sale, days=days)

    def correct() -> None:
        if sales:
            referral, sale = draw.choice(sales)
            less = draw.random() < 0.7
            values = {"referral_id": referral, "conversion_id": sale}
            books.post(-amount() if less else amount(), "refund" if less else "adjustment", **values)

    def decide() -> None:
        if books.rewards:
            number = draw.randint(1, len(books.rewards))
            step = draw.choice([decisions.fulfilling(""), decisions.failing("x"), decisions.retrying])
            with books.app.app_context():
                decisions.decide([number], step, OPERATOR, books.clock())

    def pass_time() -> None:
        books.clock.advance(days=draw.choice([1, 2]))
        with books.app.app_context():
            due.refresh_ended_holds(books.clock())

    def reverse() -> None:
        if credits:
            books.take_back(credits.pop(draw.randrange(len(credits))))

    steps = [
        lambda: credits.append(books.credit(amount(), hold_days=draw.choice([0, 2]), handed_over=draw.random() < 0.8)),
        lambda: books.post(-amount()),
        lambda: (books.program(), books.post(amount())),
        sell, sell, correct, decide, decide, decide, pass_time, reverse,
    ]  # fmt: skip
    for _ in range(STEPS):
        draw.choice(steps)()
        books.close()
        nothing_is_left_out(books)
