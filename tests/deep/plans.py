"""The plans by which PostgreSQL carries out what an application sends it, as its own auto_explain tells them.

These are the plans that ran, with the values that were sent, and among them those that the database makes by itself:
to look for rows that a foreign key forbids to delete. Only a superuser may ask for them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.errors import Diagnostic
from sqlalchemy import Engine, event

TELL = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_buffers = on;
SET auto_explain.log_format = json;
SET client_min_messages = log;
"""

FEW = 1000  # rows that may be read in the order of an index without a condition, or are passed over by one


@dataclass(frozen=True)
class Plan:
    """How one statement was carried out, for which page, and what it took: milliseconds, and blocks of 8 kB."""

    page: str
    statement: str
    milliseconds: float
    root: dict[str, Any] = field(repr=False)

    @property
    def blocks(self) -> int:
        """How many blocks were looked at, in memory or not."""
        found: int = self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"]
        return found

    def read_through(self) -> set[str]:
        """Name the tables that were read row after row, be it in the order of an index."""
        return {node["Relation Name"] for node in _nodes(self.root) if _reads_on(node)}

    def indexes(self) -> set[str]:
        """Name the indexes that rows were found by, or that stood for the rows."""
        return {node["Index Name"] for node in _nodes(self.root) if "Index Name" in node}

    def __str__(self) -> str:
        words = " ".join(self.statement.split())
        return f"{self.milliseconds:9.1f} ms {self.blocks:8,} blocks  {self.page}  {words}"


@dataclass
class Plans:
    """All plans since it began to listen, and the page that is being asked for."""

    page: str = ""
    found: list[Plan] = field(default_factory=list)

    def listen(self, engine: Engine) -> None:
        """Hear of whatever is sent over connections that this engine makes from now on."""

        def begin(connection: Connection, _: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(TELL)
            connection.commit()
            connection.add_notice_handler(self._note)

        event.listen(engine, "connect", begin)

    def _note(self, told: Diagnostic) -> None:
        _, is_plan, text = (told.message_primary or "").partition("plan:\n")
        if is_plan:
            plan = json.loads(text)
            milliseconds = float(told.message_primary.split()[1])
            self.found.append(Plan(self.page, plan["Query Text"], milliseconds, plan["Plan"]))


def _reads_on(node: dict[str, Any]) -> bool:
    if node["Node Type"] == "Seq Scan":
        return True
    if node["Node Type"] not in ("Index Scan", "Index Only Scan"):
        return False
    in_vain, found = node.get("Rows Removed by Filter", 0), 0 if "Index Cond" in node else node["Actual Rows"]
    return bool(node["Actual Loops"] * (in_vain + found) > FEW)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)
