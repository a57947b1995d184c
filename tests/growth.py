"""What the tests of the growth page share: a day in June, and reading the page's tables."""

import csv
import io
from datetime import UTC, datetime

from tests.pages import Element, Page
from tests.people import Person

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
SPRING = "?from=2026-01-01&to=2026-03-31"
MARCH = "?from=2026-03-01&to=2026-03-31"
CSV_NAMES = ("monthly", "funnel", "cohorts", "k", "referrers", "costs")


def moment(month: int, day: int, hour: int = 0) -> datetime:
    """Give a moment of 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


def cells(row: Element) -> list[str]:
    """Read the cells of a row, without its heading."""
    return [cell.text for cell in row.all("td")]


def row_of(page: Page, section: str, key: str, value: str) -> Element:
    """Find a row of a section's table."""
    return page.one(f"#{section}").one(f'tr[data-{key}="{value}"]')


def table(admin: Person, name: str, span: str = SPRING) -> list[dict[str, str]]:
    """Read one of the tables as CSV."""
    answer = admin.file(f"/admin/growth/{name}.csv{span}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
