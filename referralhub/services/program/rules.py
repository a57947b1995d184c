"""The rules in force and what follows from them without asking the database."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from sqlalchemy import select
from sqlalchemy.orm import Session

from referralhub.config import SESSION_DAYS
from referralhub.database import reading, transaction
from referralhub.models import CONFIRMED_ADDRESS, Program, Touch, Unit
from referralhub.services.shared import audit, calendar, currencies, figure_changes
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import BadSetting, StaleRules

LONGEST_HOLD = 3650  # days
LONGEST_NAME, LONGEST_ADDRESS, LONGEST_COUPON = 40, 500, 80  # characters
MOST_CONDITIONS, LONGEST_CONDITION = 10, 100  # characters of a name or a value
LONGEST_EARNING = 120  # months
WHOLE = 10_000  # basis points
REFUND = "refund"  # the type of the events that take back
EVENT_TYPE = re.compile(r"[a-z][a-z0-9_.]{0,39}", re.ASCII)
IN_AN_ADDRESS = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # RFC 3986, which headers take, too
MOST = 10_000_000  # of what is counted in pieces or people
LARGEST = 1_000_000_000  # of any amount, in its unit: ten million rupiah; a million of these are exact in a double


class Tier(msgspec.Struct, forbid_unknown_fields=True):
    """A tier, and the number of confirmed referrals from which a member is in it."""

    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    at: Annotated[int, Meta(ge=0, le=MOST)]


class Milestone(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A number of confirmed referrals, and what the member gets once it is reached."""

    at: Annotated[int, Meta(ge=1, le=MOST)]
    bonus: Annotated[int, Meta(ge=0, le=LARGEST)] = 0


@dataclass(frozen=True)
class Standing:
    """Where a number of confirmed referrals puts a member; `next_name` is None at the top."""

    tier: str
    floor: int
    next_name: str | None
    next_at: int
    remaining: int


def current() -> Program:
    """Return the highest version of the rules. One query."""
    return reading().scalars(select(Program).order_by(Program.version.desc()).limit(1)).one()


def timezone() -> str:
    """Return the name of the time zone in force. One query."""
    return reading().scalars(select(calendar.zone_in_force())).one()


TIERS = [
    {"name": "Bronze", "at": 0},
    {"name": "Silver", "at": 10},
    {"name": "Gold", "at": 50},
    {"name": "Diamond", "at": 100},
]
DEFAULT: dict[str, Any] = {
    "name": "referralhub",
    "unit": Unit.POINTS,
    "currency": currencies.DOLLARS,
    "referrer_amount": 10,
    "friend_amount": 0,
    "member_cap": None,
    "window_days": 30,
    "touch": Touch.LAST,
    "hold_days": 0,
    "tiers": TIERS,
    "milestones": [],
    "timezone": "UTC",
    "email_invitations": False,
    "personal_landing": False,
    "late_code_days": 14,
    "destination": None,
    "friend_coupon": None,
    "qualifies_on": CONFIRMED_ADDRESS,
    "least_amount": None,
    "condition": {},
    "referrer_share": 0,
    "friend_share": 0,
    "earning_events": 1,
    "earning_months": None,
    "referral_cap": None,
    "monthly_cap": None,
    "handed_over": False,
    "paid_customer_cost": None,
    "thousand_units_cost": None,
}
COSTS = ("paid_customer_cost", "thousand_units_cost")  # with which growth is compared
AMOUNTS = ("referrer_amount", "friend_amount", "member_cap", "referral_cap", "monthly_cap", "least_amount", *COSTS)
SHARES = ("referrer_share", "friend_share")  # in basis points
TEXTS = {"destination", "friend_coupon"}  # which can be "none"
OPTIONAL = {key for key, value in DEFAULT.items() if value is None} | {"earning_events"}  # so can these be
# What belongs to the business and its shop, whatever terms it offers.
OWN = {"currency", "timezone", "destination", "friend_coupon"}
TERMS = {key: value for key, value in DEFAULT.items() if key not in OWN}
# What the companies of the founding article's case studies did. Amounts of money are in those companies' currency.
PRESETS: dict[str, dict[str, Any]] = {
    "referralhub": TERMS,
    # Storage to both sides, up to a limit: 500 MB for each friend, 16 GB in all.
    "dropbox": TERMS
    | {
        "name": "dropbox",
        "unit": Unit.MEGABYTES,
        "referrer_amount": 500,
        "friend_amount": 500,
        "member_cap": 16_000,
    },
    # Twenty dollars to both, spread by e-mail invitations.
    "paypal": TERMS
    | {
        "name": "paypal",
        "unit": Unit.MONEY,
        "currency": "USD",
        "referrer_amount": 2000,
        "friend_amount": 2000,
        "email_invitations": True,
    },
    # Twenty-five dollars of travel credit to both, and a page in the referrer's own name.
    "airbnb": TERMS
    | {
        "name": "airbnb",
        "unit": Unit.MONEY,
        "currency": "USD",
        "referrer_amount": 2500,
        "friend_amount": 2500,
        "personal_landing": True,
    },
    # No points: places on the leaderboard, and perks that milestones unlock.
    "tesla": TERMS
    | {
        "name": "tesla",
        "referrer_amount": 0,
        "milestones": [{"at": 1}, {"at": 5}, {"at": 10}, {"at": 20}, {"at": 50}],
    },
}


def change(values: dict[str, Any], now: datetime, actor: Actor = OPERATOR) -> Program:
    """Put a new version of the rules in force: the current one with these values changed.

    Referrals that began under an earlier version keep it. Values that are in force already make no new version.
    Raises BadSetting.
    """
    return put_in_force(values, now, actor)[0]


def put_in_force(
    values: dict[str, Any], now: datetime, actor: Actor = OPERATOR, *, made_from: int | None = None
) -> tuple[Program, bool]:
    """Do so, and return whether there is a new version.

    `made_from` is the version that somebody looked at when choosing the values: StaleRules is raised when another one
    came in force meanwhile, unless it is what they wanted.
    """
    with transaction() as session:
        _one_after_the_other(session)
        before = current()
        changed = changes(before, values)
        if not changed:
            return before, False
        if made_from not in {None, before.version}:
            raise StaleRules(before.version)
        program = Program(version=before.version + 1, created=now, **rules_of(before) | changed)
        session.add(program)
        session.flush()
        figure_changes.note(session, figure_changes.EVERYBODY)
        old = {key: getattr(before, key) for key in changed}
        audit.record(session, actor, "program.change", "program", program.id, old, changed, now)
    return program, True


def _one_after_the_other(session: Session) -> None:
    """Let others who change the rules wait until the transaction ends, but nobody who refers to them."""
    session.execute(select(Program.id).where(Program.version == 1).with_for_update(key_share=True))


def changes(before: Program, values: dict[str, Any]) -> dict[str, Any]:
    """Return which of these values would be new. Raises BadSetting for those that cannot be.

    In another currency, what things cost is not known until somebody says it.
    """
    rules = rules_of(before)
    if values.get("currency", before.currency) != before.currency:
        values = dict.fromkeys(COSTS) | values
    check(rules | values, values)
    return {key: value for key, value in values.items() if rules[key] != value}


def rules_of(program: Program) -> dict[str, Any]:
    """Return the rules of a version as plain values, by name."""
    return {key: getattr(program, key) for key in DEFAULT}


def parse(key: str, text: str) -> dict[str, Any]:
    """Read one value as it is typed on the command line. Raises BadSetting."""
    if key not in DEFAULT:
        raise BadSetting(key, "setting_unknown", settings=", ".join(DEFAULT))
    if key == "unit" and text == currencies.US_CENTS:
        return {"unit": Unit.MONEY, "currency": currencies.DOLLARS}
    try:
        match DEFAULT[key]:
            case bool():
                value: Any = {"true": True, "false": False}[text.lower()]
            case list() | dict():
                value = json.loads(text)
            case Unit() | Touch() as example:
                value = type(example)(text)
            case str():
                value = text.upper() if key == "currency" else text
            case _:
                none = key in OPTIONAL and text.lower() == "none"
                value = None if none else text if key in TEXTS else int(text)
    except (ValueError, KeyError):
        raise BadSetting(key, "setting_unreadable", text=text) from None
    return {key: value}


def check(rules: dict[str, Any], changed: Collection[str]) -> None:
    """Refuse rules that make no sense; lists, currency and zone only where they are `changed`. Raises BadSetting."""
    if not 0 <= rules["hold_days"] <= LONGEST_HOLD:
        raise BadSetting("hold_days", "setting_out_of_range", least=0, most=LONGEST_HOLD)
    if not 0 <= rules["late_code_days"] <= SESSION_DAYS:
        raise BadSetting("late_code_days", "setting_out_of_range", least=0, most=SESSION_DAYS)
    for key in AMOUNTS:
        if rules[key] is not None and not 0 <= rules[key] <= LARGEST:
            raise BadSetting(key, "setting_out_of_range", least=0, most=LARGEST)
    if not 1 <= rules["window_days"] <= SESSION_DAYS:
        raise BadSetting("window_days", "window_out_of_range", least=1, most=SESSION_DAYS)
    if not 1 <= len(rules["name"]) <= LONGEST_NAME:
        raise BadSetting("name", "name_length", least=1, most=LONGEST_NAME)
    _check_earning(rules)
    _check_shop(rules)
    if "currency" in changed and rules["currency"] not in currencies.codes():
        raise BadSetting("currency", "currency_unknown")
    if "timezone" in changed and not calendar.is_zone(rules["timezone"]):
        raise BadSetting("timezone", "timezone_unknown")
    if "tiers" in changed:
        _check_tiers(rules["tiers"])
    if "milestones" in changed:
        _check_milestones(rules["milestones"])


def _check_earning(rules: dict[str, Any]) -> None:
    """Refuse what could not earn. Raises BadSetting."""
    if not EVENT_TYPE.fullmatch(rules["qualifies_on"]) or rules["qualifies_on"] == REFUND:
        raise BadSetting("qualifies_on", "event_type_malformed")
    for key in SHARES:
        if not 0 <= rules[key] <= WHOLE:
            raise BadSetting(key, "setting_out_of_range", least=0, most=WHOLE)
        if rules[key] and rules[key.replace("share", "amount")]:
            raise BadSetting(key, "amount_and_share")
        if rules[key] and rules["qualifies_on"] == CONFIRMED_ADDRESS:
            raise BadSetting(key, "share_of_nothing")
    for key, most in (("earning_events", MOST), ("earning_months", LONGEST_EARNING)):
        if rules[key] is not None and not 1 <= rules[key] <= most:
            raise BadSetting(key, "setting_out_of_range", least=1, most=most)
    _check_condition(rules["condition"])


def _check_condition(condition: Any) -> None:
    """Refuse what cannot be asked of metadata. Raises BadSetting."""
    try:
        conditions = msgspec.convert(condition, dict[str, str | int | bool])
        texts = [*conditions, *map(str, conditions.values())]
    except (msgspec.ValidationError, ValueError):
        texts = [""]
    if len(texts) > 2 * MOST_CONDITIONS or not all(_is_short(text, LONGEST_CONDITION) for text in texts):
        raise BadSetting("condition", "condition_malformed", most=MOST_CONDITIONS, longest=LONGEST_CONDITION)


def _check_shop(rules: dict[str, Any]) -> None:
    """Refuse what no shop has. Raises BadSetting."""
    destination, coupon = rules["destination"], rules["friend_coupon"]
    if destination is not None and not _is_address(destination):
        raise BadSetting("destination", "destination_malformed", most=LONGEST_ADDRESS)
    if coupon is not None and not _is_short(coupon, LONGEST_COUPON):
        raise BadSetting("friend_coupon", "coupon_malformed", most=LONGEST_COUPON)


def _is_short(text: str, longest: int) -> bool:
    """Whether it is a text that can be seen, and no longer than that."""
    return bool(text.strip()) and len(text) <= longest and text.isprintable()


def _is_address(text: str) -> bool:
    """Whether it is an address of a web page, written so that a query can be added and a header can hold it."""
    if len(text) > LONGEST_ADDRESS or not IN_AN_ADDRESS.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        return False
    return known and bool(parts.hostname) and "@" not in parts.netloc


def _check_tiers(steps: Any) -> None:
    try:
        marks = [tier.at for tier in msgspec.convert(steps, list[Tier])]
    except msgspec.ValidationError:
        raise BadSetting("tiers", "tiers_malformed", longest=LONGEST_NAME, most=MOST) from None
    _require_rising("tiers", marks)
    if not marks or marks[0] != 0:
        raise BadSetting("tiers", "tiers_not_from_zero")


def _check_milestones(steps: Any) -> None:
    try:
        marks = [milestone.at for milestone in msgspec.convert(steps, list[Milestone])]
    except msgspec.ValidationError:
        raise BadSetting("milestones", "milestones_malformed", most=MOST, largest=LARGEST) from None
    _require_rising("milestones", marks)


def _require_rising(key: str, marks: list[int]) -> None:
    if marks != sorted(set(marks)):
        raise BadSetting(key, "steps_not_rising")


def standing(tiers: Sequence[dict[str, Any]], referrals: int) -> Standing:
    """Find the tier for a count; `tiers` are those of a Program, lowest first."""
    reached = [tier for tier in tiers if tier["at"] <= referrals][-1]
    ahead = [tier for tier in tiers if tier["at"] > referrals]
    if not ahead:
        return Standing(reached["name"], reached["at"], None, reached["at"], 0)
    return Standing(reached["name"], reached["at"], ahead[0]["name"], ahead[0]["at"], ahead[0]["at"] - referrals)


def tier_reached(tiers: Sequence[dict[str, Any]], referrals: int) -> str | None:
    """Name the tier that begins with exactly this count; none for the one that everybody begins in."""
    return next((tier["name"] for tier in tiers if referrals and tier["at"] == referrals), None)
