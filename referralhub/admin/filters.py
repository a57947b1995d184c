"""Filters of lists beyond one column: several conditions, each with a name, and a part of a text."""

from collections.abc import Mapping
from typing import Any

from flask_admin.contrib.sqla.filters import BaseSQLAFilter


class OneOf(BaseSQLAFilter):
    """One of several conditions, chosen by name."""

    def __init__(self, column: Any, name: str, conditions: Mapping[str, Any]) -> None:
        super().__init__(column, name, options=[(each, each) for each in conditions])
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
        """Say what it does."""
        return "is"


class Contains(BaseSQLAFilter):
    """A part of a text, however it is capitalised."""

    def apply(self, query: Any, value: str, alias: Any = None) -> Any:
        """Keep rows that contain it; what LIKE takes for a wildcard is a character like others."""
        return query.filter(self.get_column(alias).icontains(value[:100], autoescape=True))

    def operation(self) -> str:
        """Say what it does."""
        return "contains"
