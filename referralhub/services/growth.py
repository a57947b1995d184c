"""How fast the program grows, month by month."""

from dataclasses import dataclass

from sqlalchemy import extract, func, select

from referralhub.extensions import db
from referralhub.models import Profile


@dataclass(frozen=True)
class Month:
    """Signups of one calendar month (UTC), and how many members there were at its end."""

    year: int
    month: int
    organic: int
    referred: int
    members: int

    @property
    def signups(self) -> int:
        """Everybody who joined."""
        return self.organic + self.referred

    @property
    def referred_per_organic(self) -> float | None:
        """Referred signups for each organic one: what the founding article calls viral coefficient and growth.

        None in a month without organic signups.
        """
        return self.referred / self.organic if self.organic else None

    @property
    def share_referred(self) -> float | None:
        """The part of all signups that were referred, 0 to 1; None in a month without signups."""
        return self.referred / self.signups if self.signups else None


def monthly() -> list[Month]:
    """Count signups by month, from the first month with one to the last. One query."""
    year, month = extract("year", Profile.created), extract("month", Profile.created)
    rows = db.session.execute(
        select(year, month, func.count() - func.count(Profile.referred_by_id), func.count(Profile.referred_by_id))
        .group_by(year, month)
        .order_by(year, month)
    )
    months: list[Month] = []
    members = 0
    for y, m, organic, referred in rows:
        members += organic + referred
        months.append(Month(int(y), int(m), organic, referred, members))
    return months
