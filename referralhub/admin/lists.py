"""Tables that are looked at: searched, filtered, sorted, turned over, and taken away as CSV, but not edited."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from math import ceil
from typing import Any, ClassVar

from flask import Response, request, url_for
from flask_admin import expose
from flask_admin.contrib.sqla import ModelView
from flask_admin.model.base import ViewArgs
from flask_admin.model.filters import BaseFilter
from flask_babel import gettext as _
from flask_babel import ngettext
from wtforms import Form

from referralhub.admin.access import AdminPage
from referralhub.admin.search import matching
from referralhub.extensions import db
from referralhub.forms import has_control_characters
from referralhub.languages import SOURCE, speaking
from referralhub.services.shared.csv import BYTE_ORDER_MARK, csv_lines
from referralhub.services.shared.currencies import is_money, major
from referralhub.words.amounts import format_decimals, format_number, unit_name
from referralhub.words.dates import minute
from referralhub.words.names import called

BATCH = 1000  # rows that an export reads at once
MOST = 10_000  # rows that are counted and turned over; who looks for one behind them searches, or takes all as CSV


class ListPage(AdminPage, ModelView):
    """One table. A row's relations are loaded with it: the models refuse to run a query for each row."""

    list_template = "admin/list.html"
    can_create = can_edit = can_delete = False
    page_size = 50
    simple_list_pager = True  # the library counts to the end; see `get_list`
    column_default_sort = ("id", True)
    columns: ClassVar[dict[str, str]]  # what is shown of a row, with its heading, a marked text; `a.b` is b of a
    csv_only: ClassVar[tuple[str, ...]] = ()  # of them those without a column on the page
    details_endpoint: str | None = None  # where a row leads, by its id
    load: tuple[Any, ...] = ()  # loader options: what belongs to each row, read for those shown and not joined to all

    # Routes of the library that this panel has no use for.
    create_view = edit_view = details_view = delete_view = action_view = ajax_lookup = ajax_update = export = None

    def __init__(self, model: type, name: str, endpoint: str) -> None:
        self.column_list = [each for each in self.columns if each not in self.csv_only]
        self.column_labels = self.columns
        address = f"/admin/{endpoint.replace('_', '-')}"
        super().__init__(model, db, name=name, endpoint=f"admin_{endpoint}", url=address)

    def scaffold_form(self) -> type[Form]:
        """Nothing is edited here."""
        return Form

    def get_query(self) -> Any:
        """Read rows with what belongs to them."""
        return super().get_query().options(*self.load)

    def get_list(
        self,
        page: int | None,
        sort_column: str | None,
        sort_desc: bool,
        search: str | None,
        filters: Sequence[tuple[int, str, str]] | None,
        execute: bool = True,
        page_size: int | None = None,
    ) -> tuple[int | None, Any]:
        """Return how many rows there are, as far as that is counted, and those of one page, or the query for all."""
        query = super().get_list(None, sort_column, sort_desc, search, filters, execute=False, page_size=0)[1]
        if not execute:
            return None, query
        # Found once, by one statement that need not read on: it stands for the count, and for what this page shows.
        ids = list(db.session.scalars(query.with_entities(self.model.id).limit(MOST + 1).statement))
        first = (page or 0) * self.page_size
        place = {row_id: number for number, row_id in enumerate(ids[first : first + self.page_size])}
        rows = self.get_query().filter(self.model.id.in_(place)).all()
        return len(ids), sorted(rows, key=lambda row: place[row.id])

    def how_many(self, count: int) -> str:
        """Return in words how many rows there are."""
        if count > MOST:
            return _("more than %(number)s rows", number=format_number(MOST))
        return ngettext("%(number)s row", "%(number)s rows", count, number=format_number(count))

    def turned_to(self, count: int) -> int:
        """Return how many pages can be turned."""
        return ceil(min(count, MOST) / self.page_size)

    def get_filter_arg(self, index: int, flt: BaseFilter) -> str:
        """Name a filter in the address, in every language by its English name: `joined_since`."""
        return re.sub(r"\W+", "_", flt.name.lower())

    def details_url(self, row: Any) -> str | None:
        """Return the page of a row, if rows have one."""
        return url_for(self.details_endpoint, row_id=row.id) if self.details_endpoint else None

    def shown(self, row: Any, column: str) -> Any:
        """Return a cell as people read it."""
        value = self.value(row, column)
        if column == "unit":
            return unit_name(value)
        return str(value) if column.endswith("id") and value is not None else _as_read(value)

    def value(self, row: Any, column: str) -> Any:
        """Return a cell as it is."""
        formatter = self.column_formatters.get(column)
        return formatter(self, None, row, column) if formatter else self._get_field_value(row, column)

    def active_filters(self) -> dict[str, str]:
        """Return the filters in use, by their name in the address."""
        return self._get_filters(self._get_list_filter_args())

    def csv_heading(self, column: str) -> str:
        """Return what a column is called in a file that is taken away."""
        return self.columns[column]

    @expose("/rows.csv")
    def take_away(self) -> Response:
        """Return all rows that the filters leave, as CSV, which is in English whoever takes it away."""
        args = self._get_list_extra_args()
        sort = self._get_column_by_idx(args.sort)
        query = self.get_list(None, sort and sort[0], args.sort_desc, args.search, args.filters, execute=False)[1]
        headers = {"Content-Disposition": f'attachment; filename="{self.endpoint.removeprefix("admin_")}.csv"'}
        rows = self._cells(db.session.scalars(query.statement.execution_options(yield_per=BATCH)))
        with speaking(SOURCE):
            # Written while the database is being read, which ends with the request.
            lines = [BYTE_ORDER_MARK, *csv_lines([*map(self.csv_heading, self.columns)], rows)]
        return Response("".join(lines), 200, headers, mimetype="text/csv")

    def _cells(self, rows: Iterable[Any]) -> Iterator[list[Any]]:
        for row in rows:
            yield [_plain(self.value(row, column)) for column in self.columns]

    def _get_list_filter_args(self) -> list[tuple[int, str, str]]:
        found = []
        for index, each in enumerate(self._filters or []):
            typed = request.args.get(f"flt_{self.get_filter_arg(index, each)}", "").strip()
            if typed and not has_control_characters(typed) and each.validate(typed):
                found.append((index, each.name, typed))
        return found

    def _get_filters(self, filters: Sequence[tuple[int, str, str]] | None) -> dict[str, str]:
        known = self._filters or []
        return {f"flt_{self.get_filter_arg(index, known[index])}": typed for index, _, typed in filters or []}

    def _get_list_extra_args(self) -> ViewArgs:
        args = super()._get_list_extra_args()
        args.page = max(0, min(args.page or 0, MOST // self.page_size - 1))
        args.extra_args = {}
        args.search = None if has_control_characters(args.search or "") else args.search
        return args

    def _apply_search(self, query: Any, count_query: Any, joins: Any, count_joins: Any, search: str) -> Any:
        return query.filter(matching(self.model, self._search_fields, search)), count_query, joins, count_joins

    def _apply_sorting(self, *args: Any) -> Any:
        query, joins = super()._apply_sorting(*args)
        return query.order_by(self.model.id.desc()), joins  # equals in one order, so that turning pages skips nobody


def in_its_unit(_view: ListPage, _context: Any, row: Any, name: str) -> int | Decimal:
    """Return an amount of a row as the number that stands before its unit; a formatter of columns."""
    number = getattr(row, name)
    return major(number, row.unit) if is_money(row.unit) else number


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _as_read(value: Any) -> Any:
    if value is None or value == "":
        return "–"
    for kind, words in _WORDS.items():
        if isinstance(value, kind):
            return words(value)
    return value


_WORDS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: _("yes") if value else _("no"),
    datetime: minute,
    StrEnum: called,
    int: format_number,
    Decimal: lambda value: format_decimals(value, len(f"{value}".partition(".")[2])),
}
