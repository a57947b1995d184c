"""The brand that each process works with: a small object, as every page, mail and picture shows it. What members share
in the operator's own words is a part of it, since every dashboard shows that, and so is what links lead to, since a
click is answered without a query.

It is asked for again when it is five seconds old, when this process has changed it, and when the version of everybody's
figures, which each change of the brand renews, is another one than when it was loaded. So no answer with an old brand
is kept as one of the new (`kept_answers.py`). While the database does not answer, the last one that is known is used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload

from referralhub.database import apart
from referralhub.models import Brand, Logo, LogoType, OwnText, Program, Touch
from referralhub.services.brand.palette import DEFAULT_ACCENT, Palette, palette_of
from referralhub.services.mailing.letters import SHARED, Letter

GOOD_FOR = timedelta(seconds=5)
QUERY = select(Brand).order_by(Brand.version.desc()).limit(1).options(joinedload(Brand.logo).defer(Logo.content))
NEWEST_RULES = select(func.max(Program.version)).correlate(None).scalar_subquery()
# With what links lead to, and what members share in the operator's own words: a row for each, or one without.
WITH_SHARED = (
    select(Brand, Program.personal_landing, Program.destination, Program.touch, OwnText)
    .select_from(Brand)
    .outerjoin(Program, Program.version == NEWEST_RULES)
    .outerjoin(OwnText, OwnText.name.in_(SHARED))
    .where(Brand.version == select(func.max(Brand.version)).correlate(None).scalar_subquery())
    .options(joinedload(Brand.logo).defer(Logo.content))
)


@dataclass(frozen=True)
class Mark:
    """Where the logo is found, and how wide it is for its height."""

    digest: str
    media_type: LogoType
    width: int
    height: int


@dataclass(frozen=True)
class Branding:
    """What pages, mails and pictures show of the brand; everything optional is None where it is not set."""

    name: str = "ReferralHub"
    accent: str = DEFAULT_ACCENT
    support_email: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    sender_name: str | None = None
    headline: str | None = None
    logo: Mark | None = None
    shared: Mapping[tuple[str, str], Letter] = field(default_factory=dict)  # own texts, by letter and language
    personal_landing: bool = False  # links lead to a page in the referrer's name
    destination: str | None = None  # or to this page of a product
    first_touch: bool = False  # of several links the first one counts

    @property
    def palette(self) -> Palette:
        """Every colour."""
        return palette_of(self.accent)

    @property
    def has_own_colours(self) -> bool:
        """Whether the site's style sheet is not enough."""
        return self.accent != DEFAULT_ACCENT

    @property
    def product(self) -> str | None:
        """The host of the product that links lead to, whose customers are members."""
        return urlsplit(self.destination).netloc if self.destination else None


class Known(NamedTuple):
    """A brand, and what was known of changes before it was asked for."""

    brand: Branding = Branding()
    version: bytes | None = None  # of everybody's figures, as Redis said
    change: int = -1  # how many changes this process had made


class InForce:
    """Knows the brand in force, for one application in one process."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.version: bytes | None = None
        self.change = 0
        self.known = Known()
        self.asked_at: datetime | None = None
        self.failed = False  # what is known is older than that

    def note(self, version: bytes | None) -> None:
        """Hear which version everybody's figures have by now."""
        self.version = version

    def forget(self) -> None:
        """Hear that the brand was changed here."""
        self.change += 1
        self.asked_at = None

    def is_of(self, version: bytes | None) -> bool:
        """Whether what is known is of this version of everybody's figures, and was not changed here since."""
        return self.asked_at is not None and self.known.version == version

    def get(self) -> Known:
        """Return the brand in force; at most one query, and none where it is known well enough."""
        now, fresh = self.clock(), Known(self.known.brand, self.version, self.change)
        lately = self.asked_at is not None and abs(now - self.asked_at) < GOOD_FOR
        if lately and (self.failed or self.known == fresh):
            return self.known
        return self._ask(fresh, now)

    def _ask(self, fresh: Known, now: datetime) -> Known:
        """Load it. What is `fresh` was noted before the query: what is loaded during a change counts as older."""
        try:
            with apart() as session:
                rows = session.execute(WITH_SHARED).all()
        except SQLAlchemyError:
            self.failed = True
        else:
            self.failed = False
            own = [each for *_, each in rows if each]
            self.known = fresh._replace(brand=_shown(*rows[0][:4], own) if rows else Branding())
        self.asked_at = now
        return self.known


def _shown(
    brand: Brand, personal_landing: bool | None, destination: str | None, touch: Touch | None, own: list[OwnText]
) -> Branding:
    row = brand.logo
    logo = Mark(row.digest, row.media_type, row.width, row.height) if row else None
    shared = {(each.name, each.language): Letter(each.subject, each.body) for each in own}
    return Branding(
        brand.name, brand.accent, brand.support_email, brand.terms_url, brand.privacy_url, brand.sender_name,
        brand.headline, logo, shared, bool(personal_landing), destination, touch is Touch.FIRST,
    )  # fmt: skip


_keeper: Callable[[], InForce]


def use(keeper: Callable[[], InForce]) -> None:
    """Take what knows the brand from here: services do not know the application at work."""
    global _keeper  # noqa: PLW0603 - there is one brand, as there is one application at work
    _keeper = keeper


def get() -> Known:
    """Return the brand in force, for the request, job or command at work, and what is known of its age."""
    return _keeper().get()


def last_known() -> Known:
    """Return the last brand that is known, and ask nobody."""
    return _keeper().known


def brand() -> Branding:
    """Return the brand in force."""
    return get().brand


def forget() -> None:
    """Let this process ask again: the brand was changed."""
    _keeper().forget()
