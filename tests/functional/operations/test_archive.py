"""Everything moves to another database and back: the same rows, chains and figures, all of them or none."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from flask import Flask

from referralhub.models import ReferralState
from referralhub.services.operations import archive
from referralhub.services.program import rules
from tests.archives import busy, command, elsewhere, everything_of
from tests.conftest import extra_database
from tests.people import Person, PostOffice, Records

__all__ = ["busy", "elsewhere"]  # fixtures


def lines_of(path: Path) -> dict[str, list[bytes]]:
    with ZipFile(path) as archived:
        return {name: archived.read(name).splitlines() for name in archived.namelist() if name.endswith(".jsonl")}


def assert_much_is_in(lines: dict[str, list[bytes]]) -> None:
    """Every table has something in it, and there is whatever can become of a referral and of credit."""
    assert [name for name, rows in lines.items() if not rows] == []
    referrals, entries = (map(json.loads, lines[f"{name}.jsonl"]) for name in ("referral", "reward_entry"))
    assert {row["state"] for row in referrals} == set(ReferralState)
    assert {row["kind"] for row in entries} == {"referrer", "friend", "redemption", "reversal"}


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], sealed: bool = False) -> Path:
    """Write the archive with other files in it; None leaves one out. `sealed` lets the manifest say so."""
    with ZipFile(path) as old:
        files = {name: change(name, old.read(name)) for name in old.namelist()}
    if sealed:
        manifest = json.loads(files[archive.MANIFEST])
        for name, content in manifest["tables"].items():
            text = files[f"{name}.jsonl"]
            content |= {"rows": text.count(b"\n"), "sha256": hashlib.sha256(text).hexdigest()}
        files[archive.MANIFEST] = json.dumps(manifest).encode()
    target = path.with_name("changed")
    with ZipFile(target, "w", ZIP_DEFLATED) as new:
        for name, text in files.items():
            if text is not None:
                new.writestr(name, text)
    return target


@pytest.mark.usefixtures("busy")
class TestMoving:
    def test_all_rows_are_the_same_there_and_on_the_way_back(
        self, app, elsewhere, make_app, tmp_path, request, database
    ):
        first, second = tmp_path / "first", tmp_path / "second"
        command(app, "export", str(first))
        command(elsewhere, "import", str(first))
        command(elsewhere, "export", str(second))
        assert lines_of(first) == lines_of(second)
        assert_much_is_in(lines_of(first))
        assert everything_of(elsewhere) == everything_of(app)
        with extra_database(database, tmp_path, request, migrated=True) as url:
            back = make_app(database_url=url)
            command(back, "import", str(second))
            assert everything_of(back) == everything_of(app)

    def test_the_books_and_the_chain_are_whole_and_life_goes_on(self, app, elsewhere, tmp_path, alice, clock):
        before = alice.get("/dashboard/")
        command(app, "export", str(tmp_path / "archive"))
        command(elsewhere, "import", str(tmp_path / "archive"))
        command(elsewhere, "ledger", "verify")
        command(elsewhere, "audit", "verify")
        there = Person(elsewhere, PostOffice(elsewhere), "alice")
        there.sign_in()
        page = there.get("/dashboard/")
        for figure in ("total_referrals", "rewards", "pending", "active_network"):
            assert page.stat(figure) == before.stat(figure)
        assert page.one("#referral-link")["value"] == alice.link
        dora = Person(elsewhere, PostOffice(elsewhere), "dora")  # and the next numbers are free
        dora.click(there.link)
        dora.sign_up()
        dora.confirm_address()
        assert there.get("/dashboard/").stat("total_referrals") == before.stat("total_referrals") + 1
        command(elsewhere, "program", "set", "hold_days", "3")
        command(elsewhere, "ledger", "verify")
        command(elsewhere, "audit", "verify")

    def test_a_second_time_changes_nothing(self, app, elsewhere, tmp_path):
        command(app, "export", str(tmp_path / "archive"))
        command(elsewhere, "import", str(tmp_path / "archive"))
        before = Records(elsewhere).everything()
        assert "here already" in command(elsewhere, "import", str(tmp_path / "archive"))
        assert "here already" in command(app, "import", str(tmp_path / "archive"))
        assert Records(elsewhere).everything() == before

    def test_where_there_is_other_data_it_is_refused(self, app, elsewhere, tmp_path):
        command(app, "export", str(tmp_path / "archive"))
        with elsewhere.app_context():
            rules.change({"hold_days": 3}, PostOffice(elsewhere).app.config["CLOCK"]())
        before = Records(elsewhere).everything()
        assert "other data" in command(elsewhere, "import", str(tmp_path / "archive"), expect=1)
        assert Records(elsewhere).everything() == before


class TestWhatIsNoArchive:
    @pytest.fixture
    def saved(self, app: Flask, alice: Person, tmp_path: Path) -> Path:
        alice.sign_up()
        command(app, "export", str(tmp_path / "archive"))
        return tmp_path / "archive"

    @pytest.fixture
    def refused(self, elsewhere: Flask) -> Callable[..., str]:
        def check(path: Path) -> str:
            before = Records(elsewhere).everything()
            output = command(elsewhere, "import", str(path), expect=1)
            assert Records(elsewhere).everything() == before
            assert len(output.strip().splitlines()) == 1
            return output

        return check

    def test_a_cut_or_changed_or_foreign_file_is_refused(self, saved: Path, refused, tmp_path):
        content = saved.read_bytes()
        at = content.index(b"user.jsonl") + 60
        for number, damaged in enumerate(
            (b"", b"no archive", content[: len(content) // 2], content[:at] + b"\0\0\0\0" + content[at + 4 :])
        ):
            file = tmp_path / f"damaged{number}"
            file.write_bytes(damaged)
            assert "damaged" in refused(file)

    def test_an_archive_that_lacks_a_table_a_line_or_the_manifest_is_refused(self, saved: Path, refused):
        assert "damaged" in refused(rewritten(saved, lambda name, text: None if name == "user.jsonl" else text))
        assert "damaged" in refused(rewritten(saved, lambda name, text: b"" if name == "outbox.jsonl" else text))
        assert "damaged" in refused(rewritten(saved, lambda name, text: None if name == archive.MANIFEST else text))

    def test_one_of_another_schema_is_refused(self, saved: Path, refused):
        def older(name: str, text: bytes) -> bytes:
            return json.dumps(json.loads(text) | {"revision": "0001"}).encode() if name == archive.MANIFEST else text

        said = refused(rewritten(saved, older))
        assert "its tables are at 0001, those here at 0" in said

    def test_one_of_another_format_is_refused(self, saved: Path, refused):
        def newer(name: str, text: bytes) -> bytes:
            return json.dumps(json.loads(text) | {"format": 2}).encode() if name == archive.MANIFEST else text

        assert "damaged" in refused(rewritten(saved, newer))

    @pytest.mark.parametrize("line", [b"{}", b"[]", b"nothing", b'{"id": 1}'])
    def test_a_foreign_line_is_named(self, saved: Path, refused, line: bytes):
        changed = rewritten(saved, lambda name, text: text + line + b"\n" if name == "user.jsonl" else text)
        assert "Line 2 of user" in refused(changed)

    @pytest.mark.parametrize(
        ("column", "value"),
        [("created", "soon"), ("created", "2026-01-01T00:00:00"), ("is_admin", "perhaps"), ("id", None), ("email", {})],
    )
    def test_a_value_that_is_none_is_refused(self, saved: Path, refused, column: str, value: object):
        def change(name: str, text: bytes) -> bytes:
            return json.dumps(json.loads(text) | {column: value}).encode() + b"\n" if name == "user.jsonl" else text

        assert "Nothing was changed" in refused(rewritten(saved, change))

    def test_rows_that_contradict_each_other_are_refused(self, saved: Path, refused):
        assert "contradicts" in refused(
            rewritten(saved, lambda name, text: text + text if name == "user.jsonl" else text, sealed=True)
        )

    def test_a_file_that_is_there_is_not_written_over(self, app: Flask, saved: Path):
        before = saved.read_bytes()
        assert "exists already" in command(app, "export", str(saved), expect=1)
        assert saved.read_bytes() == before

    def test_a_place_that_cannot_be_written_to_is_named(self, app: Flask, saved: Path):
        assert "cannot be written" in command(app, "export", str(saved.parent / "nowhere" / "archive"), expect=1)

    def test_nobody_else_may_read_it_and_nothing_else_is_left(self, saved: Path):
        assert saved.stat().st_mode & 0o077 == 0
        assert [file.name for file in saved.parent.iterdir() if saved.name in file.name] == [saved.name]
