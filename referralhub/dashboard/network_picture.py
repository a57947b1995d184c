"""Where the people of a network stand in its picture: a row for each generation, everybody below whoever brought them.

Places across are per cent of the width, so that letters keep their size on any screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from referralhub.services.referrals.network import DOTS, Dot, Overview

WHOLE, WIDEST = 100.0, 22.0  # of the width: all of it, and how far two may be apart
BESIDE_REST, ROOM_BESIDE_REST = 12, 75.0  # dots, and their room, where “+2,310” stands beside them
FEW, SOME = 4, 8  # dots that can be large, and of middle size


@dataclass(frozen=True)
class Spot:
    """Where one member is, and where whoever brought them is in the row above."""

    x: float
    above: float
    name: str


@dataclass(frozen=True)
class PictureRow:
    """A generation: some of its members, how many more there are, and how large a dot can be."""

    number: int
    spots: list[Spot]
    more: int
    size: str


def lay_out(overview: Overview) -> list[PictureRow]:
    """Give everybody who is drawn a place: nobody on somebody else, and as near below the one above as can be."""
    rows: list[PictureRow] = []
    above, most = {0: WHOLE / 2}, 0
    for generation, dots in zip(overview.count.generations, overview.rows, strict=False):
        known = [dot for dot in dots if dot.parent in above]
        is_whole = len(known) >= generation.members
        known = known if is_whole else known[:BESIDE_REST]
        places = _places(known, above, WHOLE if is_whole else ROOM_BESIDE_REST)
        spots = [Spot(x, above[dot.parent], dot.name) for dot, x in zip(known, places, strict=True)]
        most = max(most, len(known) if is_whole else DOTS)  # nobody is larger than those above
        size = "few" if most <= FEW else "some" if most <= SOME else "many"
        rows.append(PictureRow(generation.number, spots, max(0, generation.members - len(known)), size))
        above = {dot.place: x for dot, x in zip(known, places, strict=True)}
    return rows


def _places(dots: Sequence[Dot], above: dict[int, float], room: float) -> list[float]:
    """Place one row. Whoever has brought more than one stands above the middle of them, where it can be."""
    if not dots:
        return []
    apart = min(room / len(dots), WIDEST)
    wanted: list[float] = []
    for parent, siblings in groupby(dots, key=lambda dot: dot.parent):
        number = len(list(siblings))
        wanted += [above[parent] + (each - (number - 1) / 2) * apart for each in range(number)]
    # Without the room that each needs, the places must only not go down: those that would are moved to their mean.
    blocks: list[tuple[float, int]] = []
    for place, x in enumerate(wanted):
        block = (x - place * apart, 1)
        while blocks and blocks[-1][0] > block[0]:
            (mean, number), (other, others) = blocks.pop(), block
            block = ((mean * number + other * others) / (number + others), number + others)
        blocks.append(block)
    settled = [mean for mean, number in blocks for _ in range(number)]
    least, most = apart / 2, room - apart * (len(dots) - 0.5)
    return [round(min(max(x, least), most) + place * apart, 2) for place, x in enumerate(settled)]
