"""People who join as they should, many of whom look odd to a machine."""

from collections.abc import Callable, Iterator

from tests.fraud_corpus.people import CHROMEBOOK, PHONE, Draw, Human
from tests.fraud_corpus.stories import Erase, Story, Teller


def strangers(draw: Draw) -> Iterator[Story]:
    """Friends here and there: what referrals mostly are. One in ten types the code."""
    for number in (1, 1, 2, 3, 1, 4, 2, 3, 1, 5, 2, 1, 2, 2, 1):
        teller = Teller(draw, "friends here and there", attack=False)
        teller.referrer()
        for minute in draw.moments(number, 60 * 9):
            code = draw.random.random() < 0.1
            teller.join(minute, draw.human(), draw.device(), looks=draw.random.randrange(4), code=code)
        yield teller.story


def office(draw: Draw) -> Iterator[Story]:
    """Twelve colleagues behind one address, most with the browser that the company installs."""
    for kind, domain, minutes in (
        ("office, company addresses", "brandt-logistik.example", 75),
        ("office, private addresses", "", 240),
    ):
        teller = Teller(draw, kind, attack=False)
        network, usual = draw.network(), draw.agent()
        teller.referrer(draw.device(network, usual), draw.human(domain))
        for minute in draw.moments(12, minutes):
            agent = usual if draw.random.random() < 0.8 else draw.agent()
            teller.join(minute, draw.human(domain), draw.device(network, agent), looks=draw.random.randrange(3))
        yield teller.story


def family_laptop(draw: Draw) -> Iterator[Story]:
    """One laptop; everybody has an account of their own on it, so that no cookies are shared."""
    for number in (3, 2, 3, 4, 3):
        teller = Teller(draw, "family, one laptop", attack=False)
        laptop = draw.device()
        name = draw.random.choice(draw.lasts)
        teller.referrer(laptop, draw.human(last=name))
        for minute in draw.moments(number, 60 * 5):
            teller.join(minute, draw.human(last=name), laptop.without_cookies())
        yield teller.story


def family_tablet(draw: Draw) -> Iterator[Story]:
    """Children who share a tablet and its browser; mother has sent them the link from her phone."""
    for number in (2, 3, 3):
        teller = Teller(draw, "family, one tablet", attack=False)
        network = draw.network()
        teller.referrer(draw.device(network))
        tablet = draw.device(network, PHONE[2])
        for minute in draw.moments(number, 90):
            teller.join(minute, draw.human(), tablet)
        yield teller.story


def couple(draw: Draw) -> Iterator[Story]:
    """One computer, one browser: he signs out, she signs up. No machine can tell that from cheating."""
    teller = Teller(draw, "couple, one browser", attack=False)
    teller.referrer()
    teller.join(40, draw.human(), teller.device)
    yield teller.story


def surnames(draw: Draw) -> Iterator[Story]:
    """A family reunion: nearly the same names, one network, all kinds of phones."""
    for last in ("papadopoulos", "vandenberg"):
        teller = Teller(draw, "family, like names", attack=False)
        network = draw.network()
        teller.referrer(draw.device(network), Human(f"maria.{last}", f"maria.{last}@gmail.com"))
        for minute, first in zip(draw.moments(4, 60), ("marina", "nikos", "tim", "kim"), strict=True):
            who = Human(f"{first}.{last}", f"{first}.{last}@gmail.com")
            teller.join(minute, who, draw.device(network))
        yield teller.story


def twins(draw: Draw) -> Iterator[Story]:
    """Two who are called nearly the same, one after the other, at one table."""
    for one, other in (("lena.koch1999", "lara.koch1999"), ("jan-meier", "jana-meier")):
        teller = Teller(draw, "twins", attack=False)
        network = draw.network()
        teller.referrer(draw.device())
        for minute, name in ((10, one), (13, other)):
            teller.join(minute, Human(name, f"{name}@gmail.com"), draw.device(network))
        yield teller.story


def campus(draw: Draw) -> Iterator[Story]:
    """A dorm: one network, numbered addresses of the university, an evening."""
    teller = Teller(draw, "campus", attack=False)
    network, domain = draw.network(), "student.uni-norden.example"
    number = 1_204_311
    teller.referrer(draw.device(network), Human("jonas.w", f"s{number}@{domain}"))
    for minute in draw.moments(25, 120):
        number += draw.random.randrange(1, 40)
        who = Human(draw.human().username, f"s{number}@{domain}")
        teller.join(minute, who, draw.device(network), looks=draw.random.randrange(3))
    yield teller.story


def school_class(draw: Draw) -> Iterator[Story]:
    """The teacher shows the link; the same Chromebooks, one network, one lesson, and nearly everybody joins."""
    teller = Teller(draw, "school class", attack=False)
    network, domain = draw.network(), "gymnasium-nord.example"
    teller.referrer(draw.device(network), draw.human(domain), days=4)
    for index, minute in enumerate(draw.moments(22, 25)):
        teller.join(minute, draw.human(domain), draw.device(network, CHROMEBOOK), looks=int(index % 8 == 0))
    yield teller.story


def viral_post(draw: Draw) -> Iterator[Story]:
    """Three hundred in two hours from a real post: most look and leave, phones come through few addresses."""
    teller = Teller(draw, "viral post", attack=False)
    teller.referrer(days=12)
    carriers = [draw.network() for _ in range(6)]
    for index, minute in enumerate(draw.moments(300, 120)):
        mobile = draw.random.random() < 0.3
        phone = draw.device(draw.random.choice(carriers), draw.random.choice(PHONE))
        device = phone if mobile else draw.device()
        looks, judged = draw.random.randrange(2, 9), index % 8 == 0
        teller.join(minute, draw.human(), device, looks=looks, judged=judged, extra=not judged)
    yield teller.story


def carrier(draw: Draw) -> Iterator[Story]:
    """Friends in one town, all with the same phone behind the same address of their carrier; so is the referrer."""
    teller = Teller(draw, "phones behind one carrier", attack=False)
    network = draw.network()
    teller.referrer(draw.device(network, PHONE[1]))
    for minute in draw.moments(12, 60 * 8):
        phone = PHONE[1] if draw.random.random() < 0.6 else draw.agent()
        teller.join(minute, draw.human(), draw.device(network, phone), looks=draw.random.randrange(2))
    yield teller.story


def autofill(draw: Draw) -> Iterator[Story]:
    """A password manager fills in the form in two seconds; two of them share a flat with the referrer."""
    for index in range(6):
        teller = Teller(draw, "password manager", attack=False)
        teller.referrer()
        device = draw.device(teller.device.network, PHONE[3]) if index < 2 else draw.device()
        teller.join(25, draw.human(), device, seconds=2)
        yield teller.story


def careful_readers(draw: Draw) -> Iterator[Story]:
    """People who give each site an address of its own: tags, relays, and one throw-away mailbox."""
    tags = ("lea.hart+referralhub@gmail.com", "tom.weiss+ref@fastmail.com", "ines+hub@posteo.de")
    relays = ("k3v9x2@mozmail.com", "amber.fox.77@duck.com", "h.okafor@yopmail.com")
    for index, address in enumerate((*tags, *relays)):
        teller = Teller(draw, "people with odd addresses", attack=False)
        teller.referrer()
        teller.join(30 + index, Human(draw.human().username, address), draw.device())
        yield teller.story


def mapped(draw: Draw) -> Iterator[Story]:
    """Friends all over the country, with the browser most people have; the proxy writes IPv4 addresses as IPv6."""
    teller = Teller(draw, "addresses as proxies write them", attack=False)
    usual = draw.agent()
    teller.referrer(draw.device(agent=usual).as_written("::ffff:{}"))
    for index, minute in enumerate(draw.moments(12, 60 * 5)):
        form = "::ffff:{}" if index % 2 else "{}:50312"
        teller.join(minute, draw.human(), draw.device(agent=usual).as_written(form), looks=draw.random.randrange(3))
    yield teller.story


def second_thoughts(draw: Draw) -> Iterator[Story]:
    """Somebody deletes the account before the address is confirmed, and starts again."""
    for _ in range(2):
        teller = Teller(draw, "erased before the mail, joined again", attack=False)
        teller.referrer()
        device, who = draw.device(), draw.human()
        teller.join(20, who, device, judged=False)
        teller.story.steps.append(Erase(22, who.username))
        teller.join(30, Human(f"{who.username[:28]}_2", who.address), device)
        yield teller.story


def left_the_tablet(draw: Draw) -> Iterator[Story]:
    """One of a family deletes the account; another signs up on the tablet. No machine can tell that from cheating."""
    teller = Teller(draw, "family, one tablet, one has left", attack=False)
    teller.referrer()
    tablet, who = draw.device(agent=PHONE[2]), draw.human()
    teller.join(20, who, tablet, judged=False, confirms=True, read_after=3)
    teller.story.steps.append(Erase(60 * 24, who.username))
    teller.join(60 * 30, draw.human(), tablet)
    yield teller.story


STORIES: tuple[Callable[[Draw], Iterator[Story]], ...] = (
    strangers,
    office,
    family_laptop,
    family_tablet,
    couple,
    surnames,
    twins,
    campus,
    school_class,
    viral_post,
    carrier,
    autofill,
    careful_readers,
    mapped,
    second_thoughts,
    left_the_tablet,
)
