"""What lists can be narrowed to: a value, a span of days, one of several conditions, a part of a text.

Names and options are marked texts: pages translate them, and addresses have the name as it is written.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from flask_admin.contrib.sqla.filters import BaseSQLAFilter

from referralhub.clock import zone
from referralhub.services.shared.calendar import midnight
from referralhub.words.language import N_
from referralhub.words.names import NAMES

YES_OR_NO = (("1", N_("yes")), ("0", N_("no")))


class Choice(BaseSQLAFilter):
    """One of the values of an enum, or yes and no."""

    def __init__(self, column: Any, name: str, of: type[StrEnum] | None = None) -> None:
        super().__init__(column, name, options=[(each.value, NAMES[of][each]) for each in of] if of else [*YES_OR_NO])
        self.of = of

    def clean(self, value: str) -> Any:
        """Read what was chosen. Raises ValueError."""
        return self.of(value) if self.of else ["0", "1"].index(value) == 1

    def apply(self, query: Any, value: Any, alias: Any = None) -> Any:
        """Keep rows with this value."""
        return query.filter(self.get_column(alias) == value)

    def operation(self) -> str:
        """Return what it does."""
        return "is"


class Day(BaseSQLAFilter):
    """From a day on, or up to a day and with it, in the program's time zone."""

    def __init__(self, column: Any, name: str, *, until: bool = False) -> None:
        super().__init__(column, name, data_type="date")
        self.until = until

    def clean(self, value: str) -> datetime:
        """Read a date. Raises ValueError."""
        day = date.fromisoformat(value)
        if not 2000 <= day.year <= 2100:
            raise ValueError(value)
        return midnight(day + timedelta(days=1 if self.until else 0), zone())

    def apply(self, query: Any, value: datetime, alias: Any = None) -> Any:
        """Keep rows since then, or before."""
        column = self.get_column(alias)
        return query.filter(column < value if self.until else column >= value)

    def operation(self) -> str:
        """Return what it does."""
        return "until" if self.until else "since"


class OneOf(BaseSQLAFilter):
    """One of several conditions, chosen by name; `words` says each."""

    def __init__(self, column: Any, name: str, conditions: Mapping[str, Any], words: Mapping[str, str]) -> None:
        super().__init__(column, name, options=[(each, words[each]) for each in conditions])
        self.conditions = conditions

    def clean(self, value: str) -> Any:
        """Read what was chosen. Raises ValueError."""
        if value not in self.conditions:
            raise ValueError(value)
        return self.conditions[value]

    def apply(self, query: Any, value: Any, alias: Any = None) -> Any:
        """Keep rows of which this holds."""
        return query.filter(value)

    def operation(self) -> str:
        """Return what it does."""
        return "is"


class Contains(BaseSQLAFilter):
    """A part of a text, however it is capitalised."""

    def apply(self, query: Any, value: str, alias: Any = None) -> Any:
        """Keep rows that contain it; what LIKE takes for a wildcard is a character like others."""
        return query.filter(self.get_column(alias).icontains(value[:100], autoescape=True))

    def operation(self) -> str:
        """Return what it does."""
        return "contains"
