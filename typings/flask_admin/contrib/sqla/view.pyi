"""Types of Flask-Admin's lists of rows that SQLAlchemy reads: how each is made, and how it reads them."""

from collections.abc import Sequence
from typing import Any

from flask_admin.model.base import BaseModelView
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Query

class ModelView(BaseModelView):
    model: type[Any]
    def __init__(
        self,
        model: type[Any],
        session: SQLAlchemy,
        name: str | None = None,
        category: str | None = None,
        endpoint: str | None = None,
        url: str | None = None,
    ) -> None: ...
    _search_fields: list[tuple[Any, list[Any]]]
    def get_query(self) -> Query[Any]: ...
    def get_list(  # how many there are, and the rows; where it is not executed, the query for them
        self,
        page: int | None,
        sort_column: str | None,
        sort_desc: bool,
        search: str | None,
        filters: Sequence[tuple[int, str, str]] | None,
        execute: bool = True,
        page_size: int | None = None,
    ) -> tuple[int | None, Any]: ...
    def _apply_sorting(
        self, query: Query[Any], joins: dict[Any, Any], sort_column: str | None, sort_desc: bool
    ) -> tuple[Query[Any], dict[Any, Any]]: ...
