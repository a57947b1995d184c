"""`make advisories`: what is concerned, what is not, and what nobody could find out are three different answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from referralhub.config import PROJECT

FLASK = {"name": "flask", "version": "3.1.3", "vulns": []}
OLD = {"name": "jinja2", "version": "3.1.3", "vulns": [{"id": "GHSA-h75v-3vvj-5mfj", "fix_versions": ["3.1.4"]}]}
UNKNOWN = {"name": "redis", "skip_reason": "Dependency not found on PyPI and could not be audited: redis (8.1.0)"}


def advisories(folder: Path, stdout: str, stderr: str = "", code: int = 0) -> tuple[int, str]:
    """Ask a program that answers so, as pip-audit did."""
    program = folder / "pip_audit.py"
    program.write_text(f"import sys; sys.stdout.write({stdout!r}); sys.stderr.write({stderr!r}); sys.exit({code})")
    command = [sys.executable, PROJECT / "deploy/advisories.py", sys.executable, program]
    done = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([FLASK], 0, "No advisory concerns any of the 1 packages."),
        ([FLASK, OLD], 1, "jinja2 3.1.3: GHSA-h75v-3vvj-5mfj, mended in 3.1.4"),
        ([FLASK, UNKNOWN], 3, "1 of 2 packages could not be looked up (redis)"),
        ([OLD, UNKNOWN], 1, "could not be looked up (redis)"),
        ([], 3, "0 of 0 packages"),
    ],
)
def test_what_was_found(tmp_path: Path, packages: list[dict[str, object]], code: int, words: str):
    found, said = advisories(tmp_path, json.dumps({"dependencies": packages, "fixes": []}))
    assert (found, words in said) == (code, True), said


def test_a_source_that_cannot_be_reached_is_not_called_well(tmp_path: Path):
    why = "requests.exceptions.ProxyError: no way out"
    code, said = advisories(tmp_path, "", f"Traceback …\n{why}\n", code=1)
    assert (code, said) == (3, f"The source of advisories could not be reached, so nothing is known: {why}\n")


def test_a_program_that_is_not_there():
    command = [sys.executable, PROJECT / "deploy/advisories.py", "/nothing/pip-audit"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, "could not be asked for" in done.stdout) == (3, True)
