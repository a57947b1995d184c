"""Every piece that pages are put together of, in every state that it has. Registered in development only."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

from flask import Blueprint, render_template, request
from flask_wtf import FlaskForm
from wtforms import BooleanField, FileField, PasswordField, SelectField, StringField, TextAreaField

from referralhub.dashboard.network_picture import PictureRow, Spot
from referralhub.models import Amount, ClaimState, ReferralState, RewardState
from referralhub.services.conversions.lines import ConversionLine
from referralhub.services.fraud.assessment import VERSION, Verdict
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.fraud.rules import Finding

bp = Blueprint("styleguide", __name__)
MONTHS = 14  # of the charts: so many that not each of them is named
FIRST = date(2025, 5, 1)


class Sample(FlaskForm):
    """A field of each kind."""

    name = StringField("Display name")
    about = TextAreaField("A few words")
    unit = SelectField("Unit", choices=lambda: {"points": "points", "money": "money"})
    file = FileField("Logo")
    listed = BooleanField("Show me on the leaderboard")


class Secret(FlaskForm):
    """A password to be set."""

    password = PasswordField("New password")


@bp.get("/dev/styleguide")
def show() -> str:
    """Show all of them."""
    typed = {"name": "Mira Lindqvist", "about": "Come along.", "unit": "money", "listed": True}
    forms = {
        prefix: Sample(formdata=None, prefix=prefix, data=typed if prefix != "empty" else None)
        for prefix in ("empty", "filled", "wrong", "disabled")
    }
    forms["wrong"].name.errors = ["That name is taken. Try another one."]
    forms["wrong"].about.errors = ["Use at most 140 characters."]
    months = [_month(number) for number in range(MONTHS)]
    return render_template(
        "dev/styleguide.html",
        forms=forms,
        secret=Secret(formdata=None),
        summary="summary" in request.args,
        states=[each.value for each in ReferralState],
        claim_states=[each.value for each in ClaimState],
        reward_states=[each.value for each in RewardState],
        network=NETWORK,
        months=months,
        today=months[-1].start,
        cohorts=[_cohort(month.start, number) for number, month in enumerate(months)],
        explanation=EXPLANATION,
        sales=CONVERSIONS,
        part=SimpleNamespace(after=9, older=4),
    )


def _month(number: int) -> SimpleNamespace:
    years, month = divmod(FIRST.month - 1 + number, 12)
    organic, referred = 120 + 9 * number, 20 + number * number
    start = date(FIRST.year + years, month + 1, 1)
    return SimpleNamespace(start=start, organic=organic, referred=referred, signups=organic + referred)


def _cohort(month: date, number: int) -> SimpleNamespace:
    mean = 0.4 + 0.05 * number
    k = SimpleNamespace(mean=mean, low=mean - 0.15, high=mean + 0.15)
    return SimpleNamespace(month=month, k=k, raw_k=mean + 0.1, complete=number < MONTHS - 2)


NETWORK = [
    PictureRow(1, [Spot(35, 50, "mira"), Spot(65, 50, "jonas")], 0, "few"),
    PictureRow(2, [Spot(25, 35, ""), Spot(45, 35, ""), Spot(65, 65, "")], 0, "some"),
    PictureRow(3, [Spot(15 + 5 * place, 25 if place < 6 else 45, "") for place in range(12)], 2310, "many"),
]
EXPLANATION = Explanation(
    ReferralState.HELD,
    datetime(2026, 7, 15, 9, tzinfo=UTC),
    VERSION,
    Verdict.REVIEW,
    40,
    [
        Finding("same_network_and_browser", 25, {}),
        Finding("fast_form", 15, {"seconds": 2, "least": 3}),
    ],
    ["velocity"],
    {"same_network_and_browser": Verdict.CLEAR, "fast_form": Verdict.CLEAR, "velocity": Verdict.REVIEW},
)
BOUGHT = datetime(2026, 7, 12, 9, tzinfo=UTC)
CONVERSIONS = [
    ConversionLine(
        1, "order-2", "purchase", BOUGHT, Amount(8000, "EUR"), 2000, Amount(600, "EUR"), Amount(0, "EUR"), "", {}
    ),
    ConversionLine(
        1, "order-1", "purchase", BOUGHT, Amount(500, "EUR"), 0, Amount(0, "EUR"), Amount(0, "EUR"),
        "amount_too_small", {"least": 2000, "unit": "EUR"},
    ),
]  # fmt: skip
