"""Types of what lists of rows that SQLAlchemy reads can be narrowed to."""

from collections.abc import Sequence
from typing import Any

from flask_admin.model.filters import BaseFilter
from sqlalchemy.orm import InstrumentedAttribute

class BaseSQLAFilter(BaseFilter):
    def __init__(
        self,
        column: InstrumentedAttribute[Any] | str,
        name: str,
        options: Sequence[tuple[str, str]] | None = None,
        data_type: str | None = None,
    ) -> None: ...
    def get_column(self, alias: Any) -> InstrumentedAttribute[Any]: ...
    def apply(self, query: Any, value: Any, alias: Any = None) -> Any: ...
