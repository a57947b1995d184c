"""The pages about deployment: what they name is there, and their commands do what they say, as far as they can here."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from referralhub.config import PROJECT, Settings
from tests.unit.test_deployment_files import env_file

PAGES = [
    *(PROJECT / name for name in ("README.md", "docs/deploy.md", "docs/operations.md")),
    *sorted((PROJECT / "docs/deploy").glob("*.md")),
]
NAMES = [str(page.relative_to(PROJECT)) for page in PAGES]
BLOCK = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: str, containing: str) -> str:
    """Return the one block of commands with these words in it."""
    (found,) = [block for block in BLOCK.findall((PROJECT / page).read_text()) if containing in block]
    return found


def run(script: str, folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DOMAIN": "invite.example.org"}
    subprocess.run(["bash", "-eu", "-c", script], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("page", NAMES)
def test_every_file_that_a_page_names_is_there(page: str):
    text = (PROJECT / page).read_text()
    linked = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    assert all(((PROJECT / page).parent / target).exists() for target in linked), linked
    made = {"deploy/site.conf", "deploy/.env"}  # by the commands themselves
    for named in set(re.findall(r"\bdeploy/[\w./-]*\w", text)) - made:
        assert (PROJECT / named).exists() or (PROJECT / "docs" / named).exists(), named


@pytest.mark.parametrize("page", [name for name in NAMES if name != "README.md"])
def test_every_block_is_something_that_a_shell_can_read(page: str):
    for block in BLOCK.findall((PROJECT / page).read_text()):
        done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_docker_the_settings_are_complete_but_for_the_mail_server(tmp_path: Path):
    shutil.copytree(PROJECT / "deploy", tmp_path / "deploy")
    run(commands("docs/deploy/docker.md", "deploy/site.conf"), tmp_path)
    file = tmp_path / "deploy/.env"
    assert file.stat().st_mode & 0o777 == 0o600
    written = env_file(file.read_text())
    assert len(written["POSTGRES_PASSWORD"]) == 48
    settings = Settings.from_environment({**written, "INSTANCE_PATH": str(tmp_path)})
    assert settings.base_url == "https://invite.example.org"
    assert settings.mail_url.startswith("smtp://user:password@mail.example.com")
    site = (tmp_path / "deploy/site.conf").read_text()
    assert site.count("server_name invite.example.org;") == 2
    assert "ssl_certificate /etc/letsencrypt/live/invite.example.org/fullchain.pem;" in site
    assert "refer.example.com" not in site


def test_ubuntu_the_settings_are_complete_but_for_the_mail_server(tmp_path: Path):
    script = commands("docs/deploy/ubuntu.md", "SECRET_KEY=$(")
    script = script.replace("/etc/referralhub.env", str(tmp_path / "settings")).replace(
        "--owner root --group referralhub", ""
    )
    run(script, tmp_path)
    assert (tmp_path / "settings").stat().st_mode & 0o777 == 0o640
    written = env_file((tmp_path / "settings").read_text())
    settings = Settings.from_environment({**written, "INSTANCE_PATH": str(tmp_path)})
    assert settings.base_url == "https://invite.example.org"
    assert settings.database_url == "postgresql+psycopg:///referralhub?host=/run/postgresql"
    assert settings.trusted_proxies == 1
