"""What the program promises, said truly wherever a member or a friend reads it: here is every such sentence.

An event that earns stands behind a "for": "for every purchase, from €20.00, in the first 12 months".
"""

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from referralhub.models import Terms
from referralhub.words.amounts import format_amount, format_share
from referralhub.words.program import plain
from referralhub.words.text import before_stop

SIGNUP = "signup"  # of which there is one


def referrer_gets(terms: Terms, to_friend: bool = False) -> str:
    """Return what who refers gets, as that member reads it, or the friend; nothing where it is nothing."""
    if not terms.referrer_share:
        return format_amount(terms.referrer_amount, terms.unit) if terms.referrer_amount else ""
    share = format_share(terms.referrer_share)
    if to_friend:
        return _("%(share)s of what you pay", share=share)
    return _("%(share)s of what your friend pays", share=share)


def friend_gets(terms: Terms, to_friend: bool = True) -> str:
    """Return what the friend gets, as the friend reads it, or the member; nothing where it is nothing."""
    if not terms.friend_share:
        return format_amount(terms.friend_amount, terms.unit) if terms.friend_amount else ""
    share = format_share(terms.friend_share)
    if to_friend:
        return _("%(share)s of what you pay", share=share)
    return _("%(share)s of what they pay", share=share)


def what_earns(terms: Terms) -> str:
    """Return which events earn, to stand behind a "for"; nothing where none does."""
    if not terms.by_event:
        return ""
    parts = [_which(terms)]
    if terms.least_amount:
        parts.append(_("from %(amount)s", amount=format_amount(terms.least_amount, terms.currency)))
    if terms.condition:
        conditions = ", ".join(f"{name} {plain(value)}" for name, value in terms.condition.items())
        parts.append(_("with %(condition)s", condition=conditions))
    if terms.earning_months and terms.qualifies_on != SIGNUP:
        parts.append(ngettext("in the first month", "in the first %(num)d months", terms.earning_months))
    return ", ".join(parts)


def to_member(terms: Terms) -> str:
    """Return what a member and a friend get, for the member."""
    yours, theirs = referrer_gets(terms), friend_gets(terms, to_friend=False)
    if yours and theirs:
        both = _("You get %(yours)s, your friend gets %(theirs)s.", yours=yours, theirs=theirs)
        return f"{both} {_that_is_for(terms)}".rstrip()
    if yours and terms.by_event:
        return _("You get %(amount)s.", amount=_whole(yours, terms))
    if yours:
        return _("You get %(amount)s for each friend who joins and confirms their address.", amount=yours)
    if theirs:
        return _("Your friend gets %(amount)s.", amount=_whole(theirs, terms))
    if terms.by_event:
        return _("Each friend who counts moves you up: towards badges, perks and the top of the leaderboard.")
    return _(
        "Each friend who joins and confirms their address moves you up: towards badges, perks and the top of the "
        "leaderboard."
    )


def to_friend(terms: Terms, name: str) -> str:
    """Return what a friend and `name`, who invited them, get, for the friend."""
    yours, theirs = friend_gets(terms), referrer_gets(terms, to_friend=True)
    if yours and theirs:
        both = _("You get %(yours)s, %(name)s gets %(theirs)s.", yours=yours, name=name, theirs=theirs)
        return f"{both} {_that_is_for(terms)}".rstrip()
    if yours:
        return _("You get %(amount)s.", amount=_whole(yours, terms))
    if theirs and terms.by_event:
        return _("%(name)s gets %(amount)s.", name=name, amount=_whole(theirs, terms))
    if theirs:
        return _("%(name)s gets %(amount)s once you confirm your address.", name=name, amount=theirs)
    if terms.by_event:
        return _("It counts for %(name)s.", name=before_stop(name))
    return _("It counts for %(name)s once you confirm your address.", name=name)


def to_newcomer(terms: Terms) -> str:
    """Return what somebody gets who comes by nobody's link."""
    amount = referrer_gets(terms)
    if amount and terms.by_event:
        return _("You get a link of your own, and %(amount)s.", amount=_whole(amount, terms))
    if amount:
        return _("You get a link of your own, and %(amount)s for each friend who joins by it.", amount=amount)
    return _("You get a link of your own.")


def in_short(terms: Terms) -> str:
    """Return what it is all about, for the home page."""
    amount = referrer_gets(terms)
    if amount and terms.by_event:
        return _(
            "You get a link of your own. With it you earn %(amount)s, live, and with the reason for every credit.",
            amount=_whole(amount, terms),
        )
    if amount:
        return _(
            "You get a link of your own. When friends join by it you earn %(amount)s each, live, and with the reason "
            "for every credit.",
            amount=amount,
        )
    return _(
        "You get a link of your own. When friends join by it you move up, live, and with the reason for every credit."
    )


def for_member(terms: Terms) -> str:
    """Return what a member gets, behind "You:"."""
    amount = referrer_gets(terms)
    if amount and terms.by_event:
        return f"{_whole(amount, terms)}."
    if amount:
        return _("%(amount)s for each confirmed friend.", amount=amount)
    return _("badges, perks, and a place on the leaderboard.")


def for_friend(terms: Terms) -> str:
    """Return what a friend gets, behind "Your friend:"."""
    amount = friend_gets(terms, to_friend=False)
    if amount and terms.by_event:
        return f"{_whole(amount, terms)}."
    if amount:
        return _("%(amount)s for joining.", amount=amount)
    return _("a place in your network, and a link of their own.")


def when(terms: Terms) -> str:
    """Return when there is something to get, below what that is."""
    if terms.by_event:
        return _that_is_for(terms)
    return _("Once you have an account and your address is confirmed.")


def preview(terms: Terms) -> str:
    """Return what a shared link says of itself."""
    amount = friend_gets(terms)
    if amount and terms.by_event:
        return _("Join by this link, and you get %(amount)s.", amount=_whole(amount, terms))
    if amount:
        return _("Join by this link, and you get %(amount)s to start.", amount=amount)
    return _("Share one link, and see every friend count.")


def on_picture(terms: Terms) -> str:
    """Return what the picture of an invitation says below who invites; nothing where the friend gets nothing."""
    amount = friend_gets(terms)
    if amount and terms.by_event:
        return _("and gives you %(amount)s", amount=_whole(amount, terms))
    return _("and gives you %(amount)s to start", amount=amount) if amount else ""


def in_letter(terms: Terms) -> str:
    """Return what an invited friend gets, as a letter and a shared text name it; nothing where it is nothing."""
    amount = friend_gets(terms)
    return _whole(amount, terms) if amount else ""


def _whole(reward: str, terms: Terms) -> str:
    earns = what_earns(terms)
    return _("%(reward)s for %(what)s", reward=reward, what=earns) if earns else reward


def _that_is_for(terms: Terms) -> str:
    earns = what_earns(terms)
    return _("That is for %(what)s.", what=earns) if earns else ""


def _which(terms: Terms) -> str:
    number, event = terms.earning_events, terms.qualifies_on.replace("_", " ").replace(".", " ")
    match terms.qualifies_on:
        case "signup":
            return _("the signup")
        case "purchase" if number is None:
            return _("every purchase")
        case "purchase":
            return ngettext("the first purchase", "the first %(num)d purchases", number or 1)
    if number is None:
        return _("every event “%(event)s”", event=event)
    return ngettext("the first event “%(event)s”", "the first %(num)d events “%(event)s”", number, event=event)


FILTERS: dict[str, Any] = {
    f"offer_{each.__name__}": each
    for each in (referrer_gets, friend_gets, to_member, to_friend, to_newcomer, in_short, for_member, for_friend, when,
                 preview)
}  # fmt: skip
