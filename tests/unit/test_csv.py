"""No cell of an export is run by a spreadsheet, and no other cell is changed."""

import csv
from datetime import UTC, datetime
from typing import Any

import pytest

from referralhub.services.shared.csv import csv_lines, csv_text, defused

RUN = [
    "=1+1",
    "+1",
    "-1",
    "-1,000",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "  =1",
    "=cmd|x",
]
LEFT = ["alice", "", "a=b", "x|y", "50%", "'=1", 5, -5, 0.5, None, True]


@pytest.mark.parametrize("cell", RUN)
def test_text_that_would_be_run_gets_an_apostrophe_and_is_not_changed_otherwise(cell: str):
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", LEFT)
def test_other_cells_stay_as_they_are(cell: Any):
    assert defused(cell) == cell


def test_moments_are_written_by_the_standard():
    assert defused(datetime(2026, 5, 1, 12, tzinfo=UTC)) == "2026-05-01T12:00:00+00:00"


def test_both_ways_of_writing_defuse_every_cell_and_can_be_read_back():
    rows = [{"name": "=1+1", "note": 'two\nlines, "quoted"'}, {"name": "bob", "note": "-"}]
    expected = [["name", "note"], ["'=1+1", 'two\nlines, "quoted"'], ["bob", "'-"]]
    lines = csv_lines(["name", "note"], (list(row.values()) for row in rows))
    for text in (csv_text(rows), "".join(lines)):
        assert list(csv.reader(text.splitlines(keepends=True))) == expected


def test_no_rows_make_an_empty_text_and_a_lone_header():
    assert csv_text([]) == ""
    assert list(csv_lines(["name"], [])) == ["name\r\n"]
