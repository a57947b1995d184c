"""What was measured: rounds by side and route, and what is measured once."""

from dataclasses import dataclass, field
from statistics import median

from bench.load import Sample

FLOOR, PEER, FEW, MANY = "floor", "peer", "few", "many"  # who is measured; ReferralHub with few members, and with many
MEMBERS = {PEER: 1_000, FEW: 1_000, MANY: 1_000_000}
TOLERATED = 0.001  # of all answers; with more that are wrong, a route counts as not answered at all


@dataclass
class Claim:
    """One claim of the founding article, and what came of it here."""

    text: str
    article: str
    measured: str


@dataclass
class Results:
    """All that a run found out. Memory is in MB."""

    members: dict[str, int]  # by side
    rounds: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)  # by side and route
    queries: dict[tuple[str, str], float] = field(default_factory=dict)  # for one answer
    memory: dict[str, float] = field(default_factory=dict)  # of one process, by side, at the end
    half: dict[str, list[Sample]] = field(default_factory=dict)  # by route, at half of saturation
    polling: dict[str, Sample] = field(default_factory=dict)
    events: dict[str, Sample] = field(default_factory=dict)  # by how they were told
    dashboards: int = 0  # that polled
    growth: list[tuple[int, float]] = field(default_factory=list)  # memory after so many requests to each process
    seconds_to_load: float = 0.0
    claims: list[Claim] = field(default_factory=list)

    @property
    def large(self) -> str:
        """The side of ReferralHub with the most members."""
        return MANY if MANY in self.members else FEW

    @property
    def polled(self) -> Sample:
        """All answers of the polling, whatever was asked for."""
        together = Sample()
        for sample in self.polling.values():
            together.latencies += sample.latencies
            together.errors += sample.errors
        return together

    def has(self, side: str, route: str) -> bool:
        """Whether this was measured."""
        return bool(self.rounds.get((side, route)))

    def is_sound(self, side: str, route: str) -> bool:
        """Whether the answers were right, but for a few."""
        rounds = self.rounds[side, route]
        return sum(sample.errors.total() for sample in rounds) <= TOLERATED * sum(
            len(each.latencies) for each in rounds
        )

    def rate(self, side: str, route: str) -> float:
        """Return the median of right answers in a second."""
        return median(sample.rate for sample in self.rounds[side, route])

    def percentile(self, side: str, route: str, hundredth: int) -> float:
        """Return the median of the rounds' percentiles, in milliseconds."""
        return median(sample.percentile(hundredth) for sample in self.rounds[side, route])

    def ratio(self, ours: tuple[str, str], other: tuple[str, str]) -> float:
        """Return the median of how many times as many answers we gave, round by round; 0 where they were wrong."""
        if not (self.is_sound(*ours) and self.is_sound(*other)):
            return 0.0
        pairs = zip(self.rounds[ours], self.rounds[other], strict=True)
        return median(mine.rate / theirs.rate if theirs.rate else float("inf") for mine, theirs in pairs)

    def errors(self) -> dict[str, int]:
        """Return what went wrong, by where it did."""
        found = [(f"{route} of {side}", sample) for (side, route), rounds in self.rounds.items() for sample in rounds]
        found += [(f"{route} at half", sample) for route, rounds in self.half.items() for sample in rounds]
        found += [(f"polling: {name}", sample) for name, sample in self.polling.items()]
        found += [(f"events {name}", sample) for name, sample in self.events.items()]
        counted: dict[str, int] = {}
        for where, sample in found:
            for what, number in sample.errors.items():
                counted[f"{where}: {what}"] = counted.get(f"{where}: {what}", 0) + number
        return counted
