"""What is sent and answered about events, as the document describes it."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from referralhub.api.schemas import FORM, PLAIN, After, Email, Moment, Money
from referralhub.models import EventState
from referralhub.problems import FieldProblem

OwnNumber = Annotated[str, Meta(min_length=1, max_length=255, pattern=PLAIN, examples=["43"])]


class CustomerIn(Struct, forbid_unknown_fields=True):
    """Whom an event is about, by your own numbers: a person, an organization, or both.

    The rest matters to a signup. `ip` and `user_agent` are those of your customer's browser; with them the fraud rules
    see who signs up where the referrer is. They are hashed at once, and without them nothing is held against anybody.
    """

    external_id: OwnNumber | None = None
    organization_id: OwnNumber | None = None
    email: Email | None = None
    name: Annotated[str, Meta(max_length=200, pattern=PLAIN)] | None = None
    ip: Annotated[str, Meta(max_length=64)] | None = None
    user_agent: Annotated[str, Meta(max_length=2000)] | None = None


class TrackedIn(Struct, forbid_unknown_fields=True, kw_only=True):
    """Something that a customer did. `id` is your own number of it, by which it is known when you send it again."""

    id: OwnNumber
    customer: CustomerIn
    click: (
        Annotated[str, Meta(max_length=1000, description="The `rh` of the address that the friend came to.")] | None
    ) = None
    code: Annotated[str, Meta(max_length=100, description="A member's code that the friend typed in.")] | None = None
    amount: (
        Annotated[
            int,
            Meta(
                ge=0, le=10**12, description="In the smallest unit of the currency.", examples=[4900],
                extra={FORM: "a whole number of the smallest unit, such as 4900 for 49.00 EUR"},
            ),
        ]
        | None
    ) = None  # fmt: skip
    currency: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z]{3}$", description="ISO 4217.", examples=["EUR"],
                extra={FORM: "three letters, such as EUR"},
            ),
        ]
        | None
    ) = None  # fmt: skip
    occurred_at: Annotated[Moment, Meta(description="Now, if it is left out.")] | None = None
    refund_of: Annotated[OwnNumber, Meta(description="The `id` of the purchase, of a refund.")] | None = None
    metadata: Annotated[dict[str, Any], Meta(description="Yours; the program's condition can ask for it.")] = {}
    type: Annotated[str, Meta(max_length=40, description="Not needed here: the address says it.")] | None = None


class EventIn(TrackedIn, kw_only=True):
    """Something that a customer did. `id` is your own number of it, by which it is known when you send it again."""

    type: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9_.]{0,39}$", description="signup, purchase, refund, or your own.",
            extra={FORM: "signup, purchase, refund, or a name of your own in small letters, such as trial.started"},
        ),
    ]  # fmt: skip


class EventsIn(Struct, forbid_unknown_fields=True):
    """Which of your events are asked for."""

    state: Annotated[EventState | None, Meta(description="Those that are there now.")] = None
    type: Annotated[Annotated[str, Meta(max_length=40)] | None, Meta(description="Those of this type.")] = None
    after: After = None


class EventResultOut(Struct, omit_defaults=True):
    """What became of an event: accepted, kept until it can be used, refused, or a duplicate of one sent before."""

    id: str
    status: str
    reason: str | None = None
    errors: list[FieldProblem] = []


class EventResultsOut(Struct):
    """What became of each event, in the order in which they were sent."""

    results: list[EventResultOut]


class EventOut(Struct):
    """An event that you told of: what became of it, and what it earns by now, net of refunds."""

    id: str
    type: str
    state: str
    reason: str | None
    why: str
    external_id: str | None
    organization_id: str | None
    referral: int | None
    amount: int | None
    currency: str | None
    refund_of: str | None
    refunded: int | None
    referrer_earns: Money | None
    friend_earns: Money | None
    metadata: dict[str, Any]
    occurred_at: Moment
    created: Moment


class EventsOut(Struct):
    """A part of the list of your events, the newest first; `next` is the cursor of the part behind it."""

    events: list[EventOut]
    next: str | None
