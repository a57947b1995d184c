"""Scales for charts that the server draws, and figures as people read them beside those."""

import math
from collections.abc import Sequence

STEPS = (1, 2, 2.5, 5, 10)


def scale(values: Sequence[float], lines: int = 4, least: float = 0.0) -> list[float]:
    """Choose round numbers from 0 up to at least the highest value, about `lines` of them above 0.

    `least` is the smallest step that makes sense, such as 1 for people.
    """
    highest = max([*values, least]) or 1
    rough = highest / lines
    size = 10 ** math.floor(math.log10(rough))
    step = max(least, next(size * each for each in STEPS if size * each >= rough * 0.999))
    if least and step != int(step):
        step = math.ceil(step)
    return [round(step * number, 10) for number in range(math.ceil(round(highest / step, 9)) + 1)]
