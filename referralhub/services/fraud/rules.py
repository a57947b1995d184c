"""What speaks against a referral: each rule is a pure function of `Facts` and gives a finding with points, or none.

The points are judgement, tried on `tests/fraud_corpus`: what a family or an office may have in common stays under 30,
also together; what one person or one program cannot help doing is 30 or more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise
from statistics import mean, pstdev
from typing import Any

from referralhub.services.mailing.addresses import (
    canonical,
    disposable_domain,
    domain_of,
    is_free_mail,
    masked,
    masked_domain,
)

FAST = timedelta(seconds=3)  # nobody types a name, an address and two passwords in that time
BURST = 30  # friends in an hour, beyond which it is looked at who they are
CONVERSION = 0.8  # of visitors who sign up: people look and leave, programs do not
MOST_ON_CONNECTION = 4  # friends within an hour, from one network with one kind of browser
MOST_AT_DOMAIN = 4  # friends just before and after
SHARE = 1 / 3  # of the hour's friends who are on one connection; phones of a whole country come through a few addresses
SIBLINGS = 3  # other friends of the referrer, in one browser; a family's tablet has fewer
NEAR = 8  # friends before and after, who are compared in name and tempo
ALIKE = 0.8  # of two names
GAPS, EVEN = 8, 0.35  # between signups, and how much they vary; by chance one series in 300 is as even
VERY_EVEN = 0.2  # by chance none is


class LacksData(Exception):
    """A rule cannot say anything, because what it judges by is not known."""


@dataclass(frozen=True)
class Friend:
    """Another friend of the same referrer."""

    username: str
    address: str
    at: datetime  # of the signup
    seconds: int | None = None


@dataclass(frozen=True)
class Facts:
    """What is known when a referral is judged. `local` means this very machine, whose network and tempo say nothing."""

    username: str
    address: str
    referrer_name: str
    referrer_address: str
    at: datetime  # of the signup
    before: tuple[Friend, ...] = ()  # the referrer's other friends, the nearest in time first
    after: tuple[Friend, ...] = ()
    local: bool = False
    seconds: int | None = None  # from opening the form to sending it
    formless: bool = False  # no form of ours is known: they signed up with a product, or named the referrer later
    trapped: bool = False  # filled in the field that people do not see
    same_browser: bool = False  # the referrer was signed in with it
    ancestors_in_browser: int = 0  # members who brought the referrer, and were
    siblings_in_browser: int = 0  # other friends of the referrer, who were
    erased_in_browser: int = 0  # erased accounts, who were referred friends, too
    referred_before: bool = False  # the mailbox was a friend's, who left it after the referral was judged
    same_network: bool = False  # as the referrer's, on the same day
    same_agent: bool = False
    moments_ago: bool = False  # that the referrer was there with the same kind of browser
    ancestors_on_network: int = 0  # members who brought the referrer, and were there, with the same kind of browser
    on_connection: int = 0  # friends of the referrer within an hour, from this network with this kind of browser
    last_hour: int = 0  # friends of the referrer
    usual_hour: float = 0.0  # friends in an hour, in the month before
    visitors_last_day: int = 0
    friends_by_link: int = 0  # on the same day


@dataclass(frozen=True)
class Finding:
    """What one rule found: its points, and the values that it compared, masked.

    `code` says which of a rule's findings it is, where there are several; else it is the rule's own name.
    """

    rule: str
    points: int
    values: dict[str, Any]
    code: str = ""

    def __post_init__(self) -> None:
        """Call it after the rule where it has no code of its own."""
        if not self.code:
            object.__setattr__(self, "code", self.rule)


def same_browser(facts: Facts) -> Finding | None:
    """The referrer was signed in with the browser in which the friend signed up."""
    if not facts.same_browser:
        return None
    return Finding("same_browser", 60, _both_names(facts))


def ring(facts: Facts) -> Finding | None:
    """Others of the referrer's tree were: one person who brings themselves, link after link."""
    found = {"above": facts.ancestors_in_browser, "beside": facts.siblings_in_browser}
    if facts.ancestors_in_browser or facts.siblings_in_browser >= SIBLINGS:
        return Finding("ring", 45, found)
    if facts.siblings_in_browser == SIBLINGS - 1:
        return Finding("ring", 15, found)
    return None


def same_address(facts: Facts) -> Finding | None:
    """The mailbox is the referrer's own, or another friend's: plus tags, dots, googlemail."""
    mine = canonical(facts.address)
    for other in (facts.referrer_address, *(friend.address for friend in (*facts.before, *facts.after))):
        if canonical(other) == mine:
            return Finding("same_address", 60, {"address": masked(facts.address), "other": masked(other)})
    return None


def referred_before(facts: Facts) -> Finding | None:
    """The mailbox was a friend's before, who erased the account or changed the address: one person is one friend."""
    if not facts.referred_before:
        return None
    return Finding("referred_before", 60, {"address": masked(facts.address)})


def erased_in_browser(facts: Facts) -> Finding | None:
    """A friend who erased the account was signed in with this browser: the same one under another address, mostly."""
    if not facts.erased_in_browser:
        return None
    return Finding("erased_in_browser", 45, {"accounts": facts.erased_in_browser})


def trap(facts: Facts) -> Finding | None:
    """A field was filled in that people do not see."""
    if not facts.trapped:
        return None
    return Finding("trap", 60, {})


def disposable(facts: Facts) -> Finding | None:
    """The address is of a service for throw-away mailboxes."""
    if not (service := disposable_domain(facts.address)):
        return None
    return Finding("disposable", 40, {"domain": service})


def sequence(facts: Facts) -> Finding | None:
    """At least two of the friends just before and after have nearly the same name, in the account or in the address.

    Names that differ only in their number are a machine's; others run in families, who share the referrer's network.
    """
    if facts.local:
        return None
    pairs = [(friend, _names(facts, friend.username, friend.address)) for friend in _near(facts)]
    numbered = [friend for friend, names in pairs if any(_bare(a) == _bare(b) for a, b in names)]
    alike = [friend for friend, names in pairs if any(_similar(a, b) for a, b in names)]
    if len(alike) < 2 or (facts.same_network and len(numbered) < 2):
        return None
    values = {"friends": len(alike), "name": _short(facts.username), "other": _short(alike[0].username)}
    return Finding("sequence", 35 if len(numbered) >= 2 else 15, values)


def namesake(facts: Facts) -> Finding | None:
    """The referrer's own name with another number: a second account is often called like the first.

    It weighs little, since colleagues who share a first name are alike, too.
    """
    names = _names(facts, facts.referrer_name, facts.referrer_address)
    if facts.local or not any(_bare(a) == _bare(b) for a, b in names):
        return None
    return Finding("namesake", 15, _both_names(facts))


def fast_form(facts: Facts) -> Finding | None:
    """The form was filled in faster than anybody types; a password manager may have done it."""
    if facts.local or facts.formless:
        return None
    if facts.seconds is None:
        raise LacksData
    if not _fast(facts.seconds):
        return None
    return Finding("fast_form", 15, {"seconds": facts.seconds, "least": FAST.seconds})


def fast_friends(facts: Facts) -> Finding | None:
    """So were those of two friends just before and after: password managers are not that common."""
    fast = sum(_fast(friend.seconds) for friend in _near(facts))
    if facts.local or not _fast(facts.seconds) or fast < 2:
        return None
    return Finding("fast_friends", 20, {"friends": fast, "most": 1})


def same_network_and_browser(facts: Facts) -> Finding | None:
    """The same network as the referrer's today, with the same kind of browser.

    It weighs more at the same moment, unless they are colleagues, who have one kind of browser and hear of it at once.
    """
    if facts.local or not (facts.same_network and facts.same_agent):
        return None
    if facts.moments_ago and not _company(facts):
        return Finding("same_network_and_browser", 35, {}, "same_network_and_browser_minutes_apart")
    return Finding("same_network_and_browser", 25, {})


def same_network(facts: Facts) -> Finding | None:
    """The same network alone: offices, dorms and families share one."""
    if facts.local or not facts.same_network or facts.same_agent:
        return None
    return Finding("same_network", 10, {})


def cluster(facts: Facts) -> Finding | None:
    """One after the other brings the next, and all of them are in one network with one kind of browser."""
    if facts.local or not facts.same_agent or facts.ancestors_on_network < 2:
        return None
    return Finding("cluster", 15, {"above": facts.ancestors_on_network, "most": 1})


def shared_connection(facts: Facts) -> Finding | None:
    """A good part of the hour's friends are in one network with one kind of browser, where the referrer is not."""
    if facts.local or facts.same_network or facts.on_connection < max(MOST_ON_CONNECTION, SHARE * facts.last_hour):
        return None
    return Finding("shared_connection", 15, {"friends": facts.on_connection, "most": MOST_ON_CONNECTION - 1})


def rhythm(facts: Facts) -> Finding | None:
    """Friends come as by clockwork; people come when they like."""
    if facts.local:
        return None
    moments = sorted([facts.at, *(friend.at for friend in _near(facts))])
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    if len(gaps) < GAPS or not any(gaps) or (uneven := pstdev(gaps) / mean(gaps)) >= EVEN:
        return None
    points = 30 if uneven < VERY_EVEN else 20
    return Finding("rhythm", points, {"uneven": uneven, "least": EVEN})


def velocity(facts: Facts) -> Finding | None:
    """Far more friends in an hour than this referrer usually brings."""
    if facts.local or facts.last_hour < max(BURST, 5 * facts.usual_hour):
        return None
    return Finding("velocity", 14, {"last_hour": facts.last_hour, "usual_hour": facts.usual_hour})


def conversion(facts: Facts) -> Finding | None:
    """In a burst, nearly everybody who followed the link signed up; people look and leave."""
    if facts.local or facts.last_hour < BURST or not facts.visitors_last_day:
        return None
    share = facts.friends_by_link / facts.visitors_last_day
    if share < CONVERSION:
        return None
    return Finding("conversion", 16, {"share": min(share, 1.0), "most": CONVERSION})


def one_domain(facts: Facts) -> Finding | None:
    """The friends just before and after have addresses of one domain, which is neither public nor the referrer's."""
    domain = domain_of(facts.address)
    alike = sum(domain_of(friend.address) == domain for friend in _near(facts))
    if facts.local or alike < MOST_AT_DOMAIN or is_free_mail(domain) or domain == domain_of(facts.referrer_address):
        return None
    return Finding("one_domain", 10, {"friends": alike, "domain": masked_domain(domain), "most": MOST_AT_DOMAIN - 1})


def shared_company(facts: Facts) -> Finding | None:
    """A company's address like the referrer's: colleagues, mostly."""
    if not (company := _company(facts)):
        return None
    return Finding("shared_company", 4, {"domain": masked_domain(company)})


RULES: dict[str, Callable[[Facts], Finding | None]] = {
    rule.__name__: rule
    for rule in (
        same_browser,
        ring,
        same_address,
        referred_before,
        erased_in_browser,
        trap,
        disposable,
        sequence,
        namesake,
        fast_form,
        fast_friends,
        same_network_and_browser,
        same_network,
        cluster,
        shared_connection,
        rhythm,
        velocity,
        conversion,
        one_domain,
        shared_company,
    )
}


def _company(facts: Facts) -> str:
    domain = domain_of(facts.address)
    shared = domain == domain_of(facts.referrer_address)
    return domain if shared and not is_free_mail(domain) and not disposable_domain(domain) else ""


def _near(facts: Facts) -> tuple[Friend, ...]:
    near = (*facts.before[:NEAR], *facts.after[:NEAR])
    return tuple(friend for friend in near if abs(friend.at - facts.at) <= timedelta(days=1))


def _names(facts: Facts, username: str, address: str) -> list[tuple[str, str]]:
    """Pair the names to compare; schools and companies number their addresses, so that those say nothing."""
    pairs = [(facts.username.lower(), username.lower())]
    if all(is_free_mail(domain_of(each)) for each in (facts.address, address)):
        pairs.append((_mailbox(facts.address), _mailbox(address)))
    return pairs


def _mailbox(address: str) -> str:
    return canonical(address).rpartition("@")[0]


def _similar(a: str, b: str) -> bool:
    matcher = SequenceMatcher(None, a, b)
    return _bare(a) == _bare(b) or (matcher.quick_ratio() > ALIKE and matcher.ratio() > ALIKE)


def _bare(name: str) -> str:
    """Take digits and punctuation off; what is nothing else stays as it is."""
    return "".join(character for character in name if character.isalpha()) or name


def _fast(seconds: int | None) -> bool:
    return seconds is not None and seconds < FAST.total_seconds()


def _both_names(facts: Facts) -> dict[str, Any]:
    return {"friend": _short(facts.username), "referrer": _short(facts.referrer_name)}


def _short(name: str) -> str:
    return f"{name[:1]}…"
