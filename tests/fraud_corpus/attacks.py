"""False friends; `play` adds twenty hidden frames, which it sends over HTTP."""

from collections.abc import Callable, Iterator
from random import Random

from disposable_email_domains import blocklist

from tests.fraud_corpus.people import HEADLESS, Device, Draw, Human
from tests.fraud_corpus.stories import Erase, SignIn, Story, Teller


def bot_farm(draw: Draw) -> Iterator[Story]:
    """Programs that fill in the form: on one server, through proxies, and a slow one with numbered names."""
    random = draw.random
    teller = Teller(draw, "bot farm, one server", attack=True)
    teller.referrer()
    server = draw.network()
    for minute in draw.moments(14, 40):
        bot = draw.device(server, HEADLESS)
        teller.join(minute, draw.human(), bot, seconds=random.choice((0, 1, 1)), read_after=random.uniform(1, 20))
    yield teller.story

    teller = Teller(draw, "bot farm, proxies", attack=True)
    teller.referrer()
    for minute in draw.moments(12, 300):
        seconds = random.choice((0, 1, 2))
        teller.join(minute, draw.human(), draw.device(), seconds=seconds, read_after=random.uniform(1, 60), looks=1)
    yield teller.story

    teller = Teller(draw, "bot farm, numbered names", attack=True)
    teller.referrer()
    numbers = random.sample(range(100, 999), 14)
    for minute, number in zip(draw.moments(14, 240), numbers, strict=True):
        who = Human(f"skylark{number}", f"skylark{number}@outlook.com")
        teller.join(minute, who, draw.device(), read_after=250 - minute, looks=2)  # all mails at the end
    yield teller.story


def plus_tags(draw: Draw) -> Iterator[Story]:
    """One mailbox under many addresses: the referrer's own, or a second one."""
    teller = Teller(draw, "plus tags and dots", attack=True)
    teller.referrer(who=Human("rhea_moss", "rhea.moss@gmail.com"))
    guises = (
        "rhea.moss+1@gmail.com", "rhea.moss+two@gmail.com", "rheamoss@gmail.com", "r.hea.moss@gmail.com",
        "Rhea.Moss@googlemail.com", "rheamoss+x@googlemail.com", "r.h.e.a.m.o.s.s+9@gmail.com", "rhe.amoss@gmail.com",
    )  # fmt: skip
    for minute, address in zip(draw.moments(8, 60 * 20), guises, strict=True):
        teller.join(minute, Human(draw.human().username, address), draw.device())
    yield teller.story

    teller = Teller(draw, "plus tags and dots", attack=True)
    teller.referrer(who=Human("oskar", "oskar@lindqvist-family.example"))
    for index, minute in enumerate(draw.moments(6, 60 * 3)):
        who = Human(draw.human().username, f"oskar+{index + 1}@lindqvist-family.example")
        teller.join(minute, who, teller.device.without_cookies())
    yield teller.story

    teller = Teller(draw, "plus tags and dots", attack=True)
    teller.referrer()
    for index, minute in enumerate(draw.moments(7, 60 * 24 * 4)):
        who = Human(draw.human().username, f"sunny.meadow+{draw.random.randrange(1000)}@gmail.com")
        teller.join(minute + index, who, draw.device(), judged=index > 0)  # the first is a person's one account
    yield teller.story


def rings(draw: Draw) -> Iterator[Story]:
    """One person brings a second self, who brings a third, and so on; and around again."""
    for kind, without_cookies in (("ring, one browser", False), ("ring, private windows", True)):
        teller = Teller(draw, kind, attack=True)
        last = teller.referrer(days=0)
        for link in range(8):
            device = teller.device.without_cookies() if without_cookies else teller.device
            last = teller.join(4 + link * 6 + draw.random.uniform(-2, 2), draw.human(), device, by=last)
        yield teller.story

    for _ in range(2):  # three people, each with a machine of their own, go around a second time
        teller = Teller(draw, "ring, three people", attack=True)
        last, minute = teller.referrer(days=0), 5.0
        homes = [teller.device, draw.device(), draw.device()]
        for index, device in enumerate((*homes[1:], *homes)):
            last = teller.join(minute, draw.human(), device, by=last, judged=index >= 2)
            minute += draw.random.uniform(4, 30)
        yield teller.story


def throwaway(draw: Draw) -> Iterator[Story]:
    """Mailboxes for ten minutes, with everything else done well."""
    services = Random(7).sample(_disposable(), 24)
    for start in range(0, 24, 8):
        teller = Teller(draw, "throw-away addresses", attack=True)
        teller.referrer()
        for index, minute in enumerate(draw.moments(8, 60 * 6)):
            domain = services[start + index]
            if index % 3 == 0:
                domain = f"box{index}.{domain}"
            teller.join(minute, draw.human(domain), draw.device(), looks=draw.random.randrange(3))
        yield teller.story


def self_referral(draw: Draw) -> Iterator[Story]:
    """A second account by one's own link, in every guise."""

    def tell(guise: str, device: Callable[[Device], Device], minute: float = 3, **details: object) -> Story:
        teller = Teller(draw, f"self-referral, {guise}", attack=True)
        teller.referrer()
        if minute > 600:
            teller.story.steps.append(SignIn(minute - 30, teller.who.username, teller.device))
        teller.join(minute, draw.human(), device(teller.device), **details)
        return teller.story

    for _ in range(6):
        yield tell("signed out", lambda device: device, draw.random.uniform(1, 60 * 30))
    for _ in range(4):
        yield tell("signed out, VPN", lambda device: device.elsewhere(draw.network()))
    for _ in range(3):
        yield tell("signed out, code typed", lambda device: device, code=True)
    for _ in range(10):
        yield tell("private window", Device.without_cookies, draw.random.uniform(0.5, 3))
    yield tell("private window next day", Device.without_cookies, 60 * 20)
    yield tell("other browser, same Wi-Fi", lambda device: draw.device(device.network, draw.agent(but=device.agent)))
    for index in range(5):
        teller = Teller(draw, "self-referral, own name again", attack=True)
        teller.referrer()
        bare = teller.who.username.rstrip("0123456789")
        numbered = (Human(f"{bare}{number}", f"{bare}{number}@gmail.com") for number in range(index + 31, 100))
        who = next(filter(draw.nobodys, numbered))
        teller.join(20, who, teller.device.without_cookies(), seconds=25)
        yield teller.story


def two_thousand(draw: Draw) -> Iterator[Story]:
    """2,031 friends in five hours: a program in data centres, which follows the link and signs up each time.

    What is judged are 26 of them, drawn from the first hours.
    """
    teller = Teller(draw, "2,031 in five hours", attack=True)
    teller.referrer(days=4)
    networks = [draw.network() for _ in range(60)]
    moments = [0.0]
    while len(moments) < draw.most_friends:
        moments.append(moments[-1] + draw.random.expovariate(2031 / 300))
    sample = draw.random.sample(range(len(moments)), 26)
    for index, minute in enumerate(moments):
        device = draw.device(draw.random.choice(networks))
        looks, judged = int(draw.random.random() < 0.1), index in sample
        teller.join(minute, draw.human(), device, looks=looks, judged=judged, extra=not judged)
    yield teller.story


def careful(draw: Draw) -> Iterator[Story]:
    """Whoever does their best: a domain of their own, a home network for each account, time for the form."""
    teller = Teller(draw, "careful, own domain, by timer", attack=True)
    teller.referrer()
    minute = 0.0
    for _ in range(11):
        minute += draw.random.uniform(16, 24)
        who = draw.human("northwind-mail.example")
        teller.join(minute, who, draw.device(), read_after=draw.random.uniform(60, 400), looks=1)
    yield teller.story

    teller = Teller(draw, "careful, nothing left to see", attack=True)
    teller.referrer()
    for minute in draw.moments(3, 60 * 24 * 5):
        teller.join(minute, draw.human(), draw.device(), looks=draw.random.randrange(4))
    yield teller.story


def erased(draw: Draw) -> Iterator[Story]:
    """A friend who was credited deletes the account, and comes again: the same mailbox, or the same browser."""
    guises = ("{}", "{}", "{}", "{}+again", "{}+2", None, None, None)
    for guise in guises:
        teller = Teller(draw, "credited, erased, joined again", attack=True)
        teller.referrer()
        device = draw.device()
        first = draw.human("gmail.com")
        teller.join(5, first, device, judged=False, confirms=True, read_after=4)
        teller.story.steps.append(Erase(60, first.username))
        second = draw.human()
        if guise:
            name, _, domain = first.address.partition("@")
            second = Human(second.username, f"{guise.format(name)}@{domain}")
            device = draw.device()
        teller.join(60 * 24 * 9, second, device.elsewhere(draw.network()))
        yield teller.story


def hidden_by_the_proxy(draw: Draw) -> Iterator[Story]:
    """A private window on one's own machine; the proxy in front writes addresses in forms of its own."""
    for form in ("{}:50312", "{}:443", "::ffff:{}", "[::ffff:{}]:50312", '"[::ffff:{}]"', "64:ff9b::{}"):
        teller = Teller(draw, "addresses as proxies write them", attack=True)
        teller.referrer()
        teller.join(3, draw.human(), teller.device.without_cookies().as_written(form))
        yield teller.story


def trapped(draw: Draw) -> Iterator[Story]:
    """A program that fills in every field there is."""
    teller = Teller(draw, "bot that fills in the trap", attack=True)
    teller.referrer()
    for minute in draw.moments(4, 60 * 8):
        teller.join(minute, draw.human(), draw.device(), trapped=True)
    yield teller.story


def _disposable() -> list[str]:
    return sorted(domain for domain in blocklist if domain.count(".") == 1)


STORIES: tuple[Callable[[Draw], Iterator[Story]], ...] = (
    bot_farm,
    plus_tags,
    rings,
    throwaway,
    self_referral,
    two_thousand,
    careful,
    erased,
    hidden_by_the_proxy,
    trapped,
)
