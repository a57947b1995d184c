"""What a story is made of: who joins when, by whose link, and from where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.fraud_corpus.people import Device, Draw, Human


@dataclass(frozen=True)
class Join:
    """Somebody signs up, and opens the link in the mail some minutes later."""

    minute: float
    who: Human
    device: Device
    by: str = ""  # whose link it was; nobody's
    seconds: int = 45  # for the form
    read_after: float = 5  # minutes from the signup to the click in the mail
    looks: int = 0  # others who follow the same link just before, and do not join
    code: bool = False  # the code was typed in, instead of following the link
    trapped: bool = False
    judged: bool = True  # counts in the table; else it is only there
    confirms: bool = False  # opens the mail also where it does not count
    extra: bool = False  # there for the numbers alone: not seen again


@dataclass(frozen=True)
class SignIn:
    """Somebody who has an account signs in."""

    minute: float
    username: str
    device: Device


@dataclass(frozen=True)
class Erase:
    """Somebody deletes the account."""

    minute: float
    username: str


@dataclass
class Story:
    """One referrer or one gang, and everything they do."""

    kind: str
    attack: bool
    steps: list[Join | SignIn | Erase] = field(default_factory=list)

    def judged(self) -> int:
        return sum(isinstance(step, Join) and step.judged for step in self.steps)


class Teller:
    """Writes one story: remembers the referrer, and fills in what is usual."""

    def __init__(self, draw: Draw, kind: str, *, attack: bool) -> None:
        self.draw = draw
        self.story = Story(kind, attack)

    def referrer(self, device: Device | None = None, who: Human | None = None, days: float | None = None) -> str:
        """Somebody joined by themselves, just now or days ago, and signs in to copy the link."""
        random = self.draw.random
        self.device = device or self.draw.device()
        self.who = who or self.draw.human()
        days = random.choice((0, 0, 1, 4, 12)) if days is None else days
        joined = -days * 1440 - random.uniform(2, 10)
        self.story.steps.append(Join(joined, self.who, self.device, judged=False))
        if days:
            self.story.steps.append(SignIn(-random.uniform(0.5, 8), self.who.username, self.device))
        return self.who.username

    def join(self, minute: float, who: Human, device: Device, by: str = "", **details: object) -> str:
        """A person signs up by the referrer's link, with the time that people take unless told."""
        usual: dict = {"seconds": self.draw.typing(), "read_after": self.draw.soon_read()}
        self.story.steps.append(Join(minute, who, device, by or self.who.username, **(usual | details)))
        return who.username


SEED = 20_310


def all_stories(most_friends: int, seed: int = SEED) -> Iterator[Story]:
    """Tell every story; the same ones for the same seed. Of 2,031 friends so many are there, at the same pace."""
    from tests.fraud_corpus import attacks, honest

    draw = Draw(Random(seed), most_friends)
    for tell in (*honest.STORIES, *attacks.STORIES):
        yield from tell(draw)
