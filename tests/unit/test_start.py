"""What a start costs: a web process loads what pages need, and nothing of what only commands do."""

import subprocess
import sys
from pathlib import Path

import pytest

from referralhub.config import PROJECT

LATER = ("alembic", "flask_migrate", "mako", "pygments", "valkey", "rich", "cryptography.hazmat", "authlib", "requests")
LAUNCHER_TOO = ("flask", "sqlalchemy", "redis", "limits")


def loaded_by(module: str, instance: Path) -> set[str]:
    """Return the names of all that Python has loaded once it imported a module of ours."""
    environment = {"REFERRALHUB_ENV": "development", "INSTANCE_PATH": str(instance)}
    program = f"import sys, {module}; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def web_process(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return loaded_by("wsgi", tmp_path_factory.mktemp("instance"))


@pytest.mark.parametrize("library", LATER)
def test_a_web_process_does_not_load_what_commands_need(web_process: set[str], library: str):
    assert "referralhub.application" in web_process
    assert library not in web_process


@pytest.mark.parametrize("library", [*LATER, *LAUNCHER_TOO])
def test_the_launcher_loads_no_application(tmp_path: Path, library: str):
    assert library not in loaded_by("referralhub.launch", tmp_path)
