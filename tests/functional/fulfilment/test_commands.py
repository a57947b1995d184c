"""`flask rewards …`."""

import csv
import io
from pathlib import Path

import pytest


@pytest.fixture
def two(books) -> None:
    books.credit(500)
    books.credit(300)


def test_listed_handed_over_failed_and_tried_again(two, run, ask, books):
    assert [each["id"] for each in ask("rewards", "list")["rewards"]] == [2, 1]
    assert "€5.00  a-1" in run("rewards", "list", "--state", "due").output
    done = ask("rewards", "fulfil", "1", "--reference", "invoice 7")
    assert (done["state"], done["reference"], done["changed"]) == ("fulfilled", "invoice 7", True)
    assert ask("rewards", "fulfil", "1")["changed"] is False
    assert "failed now" in run("rewards", "fail", "2", "--reason", "no account").output
    assert "already" in run("rewards", "fail", "2", "--reason", "no account").output
    assert ask("rewards", "retry", "2")["state"] == "due"
    assert "that is final" in run("rewards", "fail", "1", "--reason", "late", expect=1).stderr
    run("rewards", "fulfil", "9", expect=1)
    run("rewards", "list", "--state", "lost", expect=2)
    assert [state for _, _, state in books.rewards] == ["fulfilled", "due"]


def test_a_file_goes_out_and_comes_back(two, run, ask, books, tmp_path: Path):
    rows = list(csv.DictReader(io.StringIO(run("rewards", "export").output)))
    assert [(row["id"], row["amount"], row["unit"], row["external_id"]) for row in rows] == [
        ("1", "5.00", "EUR", "a-1"), ("2", "3.00", "EUR", "a-1"),
    ]  # fmt: skip
    assert [each["amount"] for each in ask("rewards", "export")["rewards"]] == [500, 300]
    file = tmp_path / "done.csv"
    file.write_text("id,state,reference,reason\n1,fulfilled,run 12,\n2,failed,,no account\n")
    assert ask("rewards", "import", str(file), "--dry-run") == {
        "changed": 0, "unchanged": 0, "wrong": 0, "would_change": 2,
    }  # fmt: skip
    assert {state for _, _, state in books.rewards} == {"due"}
    assert ask("rewards", "import", str(file)) == {"changed": 2, "unchanged": 0, "wrong": 0}
    assert ask("rewards", "import", str(file)) == {"changed": 0, "unchanged": 2, "wrong": 0}
    assert [state for _, _, state in books.rewards] == ["fulfilled", "failed"]
    assert [row["reason"] for row in ask("rewards", "export", "--state", "failed")["rewards"]] == ["no account"]


def test_a_file_with_a_mistake_is_refused_with_its_line(two, run, books, tmp_path: Path):
    file = tmp_path / "done.csv"
    file.write_text("id,state\n1,fulfilled\n7,fulfilled\n")
    refused = run("rewards", "import", str(file), expect=1)
    assert "Line 3: There is no reward with this number." in refused.stderr
    assert "1 line is wrong. Nothing was changed." in refused.stderr
    assert {state for _, _, state in books.rewards} == {"due"}
