"""Types of Flask-Admin's lists: their settings, which are attributes of a class, and the parts that ours replace."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from flask_admin.base import BaseView
from flask_admin.model.filters import BaseFilter
from wtforms import Form

class ViewArgs:
    page: int | None
    page_size: int | None
    sort: int | None
    sort_desc: bool
    search: str | None
    filters: Sequence[tuple[int, str, str]] | None
    extra_args: dict[str, Any]

class BaseModelView(BaseView):
    list_template: str
    can_create: bool
    can_edit: bool
    can_delete: bool
    page_size: int
    column_list: Sequence[str] | None
    column_labels: Mapping[str, str] | None
    column_default_sort: str | tuple[str, bool] | None
    column_searchable_list: Sequence[str] | None
    column_sortable_list: Sequence[str] | None
    column_filters: Collection[Any] | None
    # Each is given the page, the template's context where there is one, the row, and the name of the column.
    column_formatters: ClassVar[Mapping[str, Callable[[Any, Any, Any, str], Any]]]
    _filters: Sequence[BaseFilter] | None
    _list_columns: Sequence[tuple[str, str]]
    @property
    def _template_args(self) -> dict[str, Any]: ...
    def index_view(self) -> str: ...
    def scaffold_form(self) -> type[Form]: ...
    def get_filter_arg(self, index: int, flt: BaseFilter) -> str: ...
    def _get_column_by_idx(self, idx: int | None) -> tuple[str, str] | None: ...
    def _get_field_value(self, model: Any, name: str) -> Any: ...
    def _get_filters(self, filters: Sequence[tuple[int, str, str]] | None) -> dict[str, str]: ...
    def _get_list_extra_args(self) -> ViewArgs: ...
    def _get_list_filter_args(self) -> list[tuple[int, str, str]] | None: ...
