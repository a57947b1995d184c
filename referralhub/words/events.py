"""What became of an event, and why, in words."""

from collections.abc import Mapping
from typing import Any

from referralhub.models import CONFIRMED_ADDRESS
from referralhub.services.conversions.earning import Why
from referralhub.services.integration import signups
from referralhub.services.integration.events import UNKNOWN_CUSTOMER
from referralhub.words.language import N_, Plural, translated
from referralhub.words.text import Text, fill

WHYS: dict[str, Text] = {
    Why.OTHER_TYPE: N_("the program rewards another type of event: {type}"),
    Why.BEFORE_SIGNUP: N_("it was before the friend signed up"),
    Why.TOO_LATE: Plural(
        "months", "the program rewards 1 month after the signup", "the program rewards {months} months after the signup"
    ),
    Why.AMOUNT_MISSING: N_("it was told without an amount"),
    Why.OTHER_CURRENCY: N_("it is in another currency than {currency}"),
    Why.AMOUNT_TOO_SMALL: N_("the amount is too small"),
    Why.CONDITION_NOT_MET: N_("it does not meet the program's condition"),
    Why.AFTER_THE_LAST: Plural(
        "events", "the program rewards the first one alone", "the program rewards the first {events} alone"
    ),
    Why.NOT_CONFIRMED: N_("the referral is not confirmed"),
    Why.REVERSED: N_("the referral was taken back"),
    Why.CAP_REACHED: N_("the most that the program gives is reached"),
    Why.UNKNOWN_PURCHASE: N_("the purchase that was refunded is not known yet"),
    Why.NOTHING_LEFT: N_("all of the purchase was refunded before"),
    UNKNOWN_CUSTOMER: N_("no signup of this customer is known yet"),
    signups.Why.NOT_REFERRED: N_("the customer came by nobody's link or code"),
    signups.Why.BROKEN_CLICK: N_("the click is too old, or none of ours"),
    signups.Why.CLICK_USED: N_("the click counted for another account"),
    signups.Why.CLICK_TOO_OLD: N_("the click was too long before the signup"),
    signups.Why.UNKNOWN_CODE: N_("no member has this code yet"),
    signups.Why.OWN_LINK: N_("it is the member's own link"),
    signups.Why.ALREADY_REFERRED: N_("it is known already who brought this customer"),
    signups.Why.MEMBER_BEFORE: N_("the customer was a member before"),
}
BY_ADDRESS = N_("the program rewards a confirmed signup, and no events")


def why(code: str, values: Mapping[str, Any]) -> str:
    """Return why an event earned nothing, or less than promised, as a part of a sentence; nothing where it did not."""
    if not code:
        return ""
    if values.get("type") == CONFIRMED_ADDRESS:
        return translated(BY_ADDRESS)
    return fill(WHYS[code], values)


FILTERS: dict[str, Any] = {"event_why": why}
