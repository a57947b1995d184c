"""What makes referrals of sample members look wrong; the real rules judge it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

from referralhub.services.fraud import assessment
from referralhub.services.fraud.rules import Facts, Friend
from referralhub.services.sample.people import Newcomer


def ordinary(member: Newcomer, referrer: Newcomer) -> Facts:
    """Return the facts of a referral about which nothing is strange."""
    return Facts(
        username=member.username,
        address=member.address,
        referrer_name=referrer.username,
        referrer_address=referrer.address,
        at=member.joined,
        seconds=20 + sum(member.username.encode()) % 60,
        visitors_last_day=member.visitors or 0,
    )


def judge(member: Newcomer, facts: Facts) -> None:
    """Let the rules look at a member's referral, and keep what they say with the member."""
    member.address, member.assessment = facts.address, assessment.assess(facts).snapshot()


def draw(random: Random, facts: Facts) -> Facts:
    """Make ordinary facts look wrong in one of several ways, each enough for a referral to be held."""
    return random.choice(SUSPICIONS)(facts)


def _same_browser(facts: Facts) -> Facts:
    return replace(facts, same_browser=True, same_network=True, same_agent=True, moments_ago=True)


def same_mailbox(facts: Facts) -> Facts:
    """Let the friend have an address that leads to the referrer's mailbox."""
    name, _, host = facts.referrer_address.rpartition("@")
    return replace(facts, address=f"{name.partition('+')[0]}+{facts.username}@{host}")


def _hidden_field(facts: Facts) -> Facts:
    return replace(facts, trapped=True, seconds=1)


def same_desk(facts: Facts) -> Facts:
    """Let the friend sit where the referrer and another one have just sat."""
    return replace(facts, same_network=True, same_agent=True, moments_ago=True, ancestors_on_network=2)


def _ring(facts: Facts) -> Facts:
    return replace(facts, ancestors_in_browser=2)


def _program(facts: Facts) -> Facts:
    friends = [Friend(f"{name}-visitor", f"{name}@example.com", facts.at, 1) for name in ("first", "second")]
    before = tuple(
        replace(friend, at=facts.at - timedelta(minutes=5 + 7 * place)) for place, friend in enumerate(friends)
    )
    return replace(facts, seconds=1, before=before)


def _flood(facts: Facts) -> Facts:
    return replace(facts, last_hour=46, usual_hour=0.4, visitors_last_day=48, friends_by_link=46)


def _form_unknown(facts: Facts) -> Facts:
    return replace(facts, seconds=None)


SUSPICIONS: tuple[Callable[[Facts], Facts], ...] = (
    _same_browser,
    same_mailbox,
    _hidden_field,
    same_desk,
    _ring,
    _program,
    _flood,
    _form_unknown,
)
