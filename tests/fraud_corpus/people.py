"""Names, addresses, networks and browsers for the stories: drawn with a seed, so that each run tells the same ones."""

from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random

DATA = Path(__file__).parent.parent.parent / "referralhub/data"

BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS, MAC = "Mozilla/5.0 (Windows NT 10.0; Win64; x64", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
IPHONE, ANDROID = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X)", "Mozilla/5.0 (Linux; Android 10; K)"
DESKTOP = (
    f"{WINDOWS}) {BLINK} Chrome/142.0.0.0 Safari/537.36",
    f"{WINDOWS}; rv:144.0) Gecko/20100101 Firefox/144.0",
    f"{MAC} {APPLE} Version/26.0 Safari/605.1.15",
    f"{MAC} {BLINK} Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    f"{WINDOWS}) {BLINK} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
)
PHONE = (
    f"{IPHONE} {APPLE} Version/26.0 Mobile/15E148 Safari/604.1",
    f"{ANDROID} {BLINK} Chrome/142.0.0.0 Mobile Safari/537.36",
    f"{ANDROID} {BLINK} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    f"{IPHONE} {APPLE} CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1",
)
CHROMEBOOK = f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} Chrome/142.0.0.0 Safari/537.36"
HEADLESS = f"Mozilla/5.0 (X11; Linux x86_64) {BLINK} HeadlessChrome/142.0.0.0 Safari/537.36"

# How popular each is, more or less.
BROWSERS = (*DESKTOP, *PHONE)
WEIGHTS = (30, 6, 8, 8, 2, 8, 18, 20, 4, 3)
FREE_MAIL = ("gmail.com", "gmail.com", "gmail.com", "outlook.com", "yahoo.com", "icloud.com", "gmx.de", "proton.me")


@dataclass(frozen=True)
class Device:
    """What somebody signs up with: a network, a kind of browser, and a cookie jar."""

    network: str
    agent: str
    jar: int

    def without_cookies(self) -> "Device":
        """The same machine in a private window, or in another person's account of the operating system."""
        return replace(self, jar=next(_jars))

    def as_written(self, form: str) -> "Device":
        """The same, but for how the proxy in front writes the address, such as "::ffff:{}" or "{}:50312"."""
        return replace(self, network=form.format(self.network))

    def elsewhere(self, network: str) -> "Device":
        """The same browser on another network: a VPN, or a laptop that was taken along."""
        return replace(self, network=network)


@dataclass(frozen=True)
class Human:
    """A name and an address."""

    username: str
    address: str


_jars = count(1)


@dataclass
class Draw:
    """Draws people and things, nobody's name or address twice."""

    random: Random
    most_friends: int  # of 2,031, who are played
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.firsts = _names("first-names.txt")
        self.lasts = _names("last-names.txt")

    def network(self) -> str:
        """A home, or anybody's exit of a proxy."""
        draw = self.random.randrange
        return f"{draw(11, 223)}.{draw(256)}.{draw(256)}.{draw(1, 255)}"

    def agent(self, but: str = "") -> str:
        drawn = but
        while drawn == but:
            drawn = self.random.choices(BROWSERS, WEIGHTS)[0]
        return drawn

    def device(self, network: str = "", agent: str = "") -> Device:
        return Device(network or self.network(), agent or self.agent(), next(_jars))

    def human(self, domain: str = "", last: str = "", first: str = "") -> Human:
        """Somebody who calls themselves as people do."""
        random = self.random
        while True:
            one, two = first or random.choice(self.firsts), last or random.choice(self.lasts)
            year = random.randrange(1960, 2008)
            username = random.choice(
                (
                    f"{one}.{two}", f"{one}{two[0]}", f"{one}{year}", f"{one}_{two}", f"{one[0]}{two}",
                    f"{two}{year % 100:02}", f"{one}{random.randrange(100)}", f"{random.choice(NICKS)}{two}",
                )
            )  # fmt: skip
            local = random.choice((f"{one}.{two}", f"{one}{two}", f"{one[0]}.{two}", f"{two}.{one}{year % 100:02}"))
            human = Human(username[:30], f"{local}@{domain or random.choice(FREE_MAIL)}")
            if len(username) >= 3 and self.nobodys(human):
                return human

    def nobodys(self, human: Human) -> bool:
        """Whether name and address are free; they are taken by that."""
        mine = {human.username.lower(), human.address.lower()}
        if mine & self.taken:
            return False
        self.taken |= mine
        return True

    def typing(self) -> int:
        """Seconds that a person takes for the form; some have it filled in by their password manager."""
        if self.random.random() < 0.02:
            return 2
        return round(self.random.lognormvariate(3.8, 0.5)) + 6

    def soon_read(self) -> float:
        """Minutes after which a person confirms the address; some do it next day."""
        random = self.random
        return random.uniform(0.3, 8) if random.random() < 0.85 else random.uniform(30, 900)

    def moments(self, number: int, minutes: float, start: float = 0) -> list[float]:
        """When people come who do not know of each other."""
        return sorted(start + self.random.uniform(0, minutes) for _ in range(number))


NICKS = ("the", "mister", "real", "its", "hey", "dr", "big", "little", "old", "just")


def _names(file: str) -> list[str]:
    lines = (DATA / file).read_text(encoding="utf-8").split()
    return [line for line in lines if line.isalpha()]
