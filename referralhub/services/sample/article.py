"""The founding article's three months."""

from datetime import UTC, date, datetime

from referralhub.services.sample.people import Newcomer, Population

# The founding article's growth table: organic and referred signups of its first three months.
MONTHS = ((date(2026, 1, 1), 127, 43), (date(2026, 2, 1), 298, 187), (date(2026, 3, 1), 401, 573))
END = date(2026, 4, 1)


def members() -> list[Newcomer]:
    """Make the 1,629 members of the founding article's three months."""
    population = Population(seed=1629, separator=".")
    ends = [start for start, _, _ in MONTHS[1:]] + [END]
    for (start, organic, referred), end in zip(MONTHS, ends, strict=True):
        population.grow(organic, referred, _midnight(start), _midnight(end))
    return population.members


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
