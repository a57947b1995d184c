"""Which of the ways to share a link brings visits, and which brings friends."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from referralhub.models import Channel


@dataclass(frozen=True)
class ChannelFigures:
    """What came by one channel until now: confirmed referrals, and visits."""

    channel: Channel
    confirmed: int
    visits: int


def by_channel(confirmed: Iterable[tuple[Channel, int]], visits: Iterable[tuple[Channel, int]]) -> list[ChannelFigures]:
    """Add up what came by each channel, the one with the most friends first."""
    friends, visitors = Counter[Channel](), Counter[Channel]()
    for each, number in confirmed:
        friends[each] += number
    for each, number in visits:
        visitors[each] += number
    found = [ChannelFigures(each, friends[each], visitors[each]) for each in Channel]
    found.sort(key=lambda each: (-each.confirmed, -each.visits))
    return [each for each in found if each.confirmed or each.visits]
