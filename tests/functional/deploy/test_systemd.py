"""The units for a server of one's own, and commands with the settings of its services."""

import os
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from referralhub.config import PROJECT
from tests.functional.deploy.conftest import SYSTEM

pytestmark = pytest.mark.one_database

ANALYZE = shutil.which("systemd-analyze", path=SYSTEM)
READER = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
UNITS = (
    "referralhub.target",
    "referralhub-migrate.service",
    "referralhub-web@8001.service",
    "referralhub-worker.service",
)
MOST_EXPOSED = 20  # tenths, of systemd's own score; 100 is without any protection
MAIL_URL = "smtp://hub:pa&ss@mail.example.com:587?tls=1&from=Refer a friend <refer@example.com>"


@pytest.fixture
def units(tmp_path: Path) -> dict[str, str]:
    """An environment in which systemd finds our units, with commands that are there."""
    if ANALYZE is None:
        pytest.skip("there is no systemd on this machine")
    folder = tmp_path / "system"
    shutil.copytree(PROJECT / "deploy/systemd", folder)
    for file in (file for file in folder.rglob("*") if file.is_file()):
        file.write_text(file.read_text().replace("/opt/referralhub", str(PROJECT)))
    return {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_every_line(units: dict[str, str], unit: str):
    done = subprocess.run([ANALYZE, "verify", unit], env=units, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_a_process_that_is_taken_over_can_do_little(units: dict[str, str], unit: str):
    command = [ANALYZE, "security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSED}", unit]
    done = subprocess.run(command, env=units, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", ["referralhub-web@.service", "referralhub-worker.service"])
def test_what_serves_starts_after_the_migration_and_does_not_fall_with_it(unit: str):
    """While the database is away at a start of the machine, pages answer 503 until it is there."""
    lines = (PROJECT / "deploy/systemd" / unit).read_text().splitlines()
    assert "Wants=referralhub-migrate.service" in lines
    assert any(line.startswith("After=referralhub-migrate.service") for line in lines)
    assert not any(line.startswith(("Requires=", "BindsTo=")) for line in lines)
    assert "Restart=always" in lines


def test_there_is_a_web_process_for_each_that_nginx_asks():
    target = (PROJECT / "deploy/systemd/referralhub.target").read_text()
    upstream = (PROJECT / "deploy/nginx/upstream.conf").read_text()
    for port in (8001, 8002):
        assert f"referralhub-web@{port}.service" in target
        assert f"server 127.0.0.1:{port} " in upstream


class TestFlask:
    """`deploy/flask`, which gives a command the settings of the services."""

    def run(self, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "ENVIRONMENT_FILE": str(file)}
        command = [sys.executable, PROJECT / "deploy/flask", *arguments]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)

    def test_a_command_has_them_though_a_shell_could_not_read_the_file(self, instance: Path, database_url: str, valkey):
        file = instance / "referralhub.env"
        strong = "0123456789abcdef" * 4
        file.write_text(
            f"# settings\nSECRET_KEY={strong}\nBASE_URL=https://refer.example.com\nMAIL_URL={MAIL_URL}\n"
            f"DATABASE_URL={database_url}\nREDIS_URL={valkey.url}\nINSTANCE_PATH={instance}\n"
        )
        assert subprocess.run(["sh", "-c", f". {file}"], capture_output=True, check=False).returncode
        done = self.run(file, "program", "show")
        assert done.returncode == 0, done.stderr
        assert "referralhub" in done.stdout.lower()

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path):
        done = self.run(tmp_path / "nothing.env", "doctor")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"{tmp_path}/nothing.env cannot be read")
        (tmp_path / "open.env").write_text("# one\nSECRET_KEY='abc\n")
        assert "a quote is not closed in line 2" in self.run(tmp_path / "open.env", "doctor").stderr


LINES = {
    "PLAIN": ("some words ", "some words"),
    "MAIL_URL": (MAIL_URL, MAIL_URL),
    "SINGLE": ("""'a "b" \\ # c'""", 'a "b" \\ # c'),
    "DOUBLE": (r'"a \"b\" \\ \x"', r'a "b" \ \x'),
    "BACKSLASH": (r"a\b\\c", r"ab\c"),
    "PARTS": ("""'a'"b" c d""", "abc d"),
    "APOSTROPHE": ("it's", "it's"),
    "LONG": ("one \\\ntwo", "one two"),
    "LONGER": ('"one\\\ntwo"', "onetwo"),
    "EQUALS": ("a=b=c", "a=b=c"),
    "HASH": ("#a # b", "#a # b"),
    " SPACED ": ("  a", "a"),
    "UMLAUT": ("ü", "ü"),
}
TEXT = "# FIRST=x\n; SECOND=x\nno assignment\n\n" + "".join(f"{name}={line}\n" for name, (line, _) in LINES.items())


def test_a_file_of_settings_is_read_by_the_rules_of_systemd():
    settings_of = runpy.run_path(str(PROJECT / "deploy/flask"))["settings_of"]
    assert settings_of(TEXT) == {name.strip(): value for name, (_, value) in LINES.items()}
    assert settings_of("EMPTY=\nNEXT=1") == {"EMPTY": "", "NEXT": "1"}


@pytest.mark.skipif(not READER.exists(), reason="there is no systemd on this machine")
def test_these_are_the_rules_of_systemd(tmp_path: Path):
    (tmp_path / "environment.d").mkdir()
    (tmp_path / "environment.d/ours.conf").write_text(TEXT)
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run([READER], env=environment, capture_output=True, text=True, check=True)
    theirs = dict(line.split("=", 1) for line in done.stdout.splitlines())
    for name, (_, value) in LINES.items():
        assert shlex.split(theirs[name.strip()]) == [value], name


def test_one_more_web_process_comes_back_with_the_machine(tmp_path: Path):
    """`systemctl enable` does nothing for a unit that does not say with what it is wanted."""
    systemctl = shutil.which("systemctl", path=SYSTEM)
    if systemctl is None:
        pytest.skip("there is no systemd on this machine")
    folder = tmp_path / "etc/systemd/system"
    shutil.copytree(PROJECT / "deploy/systemd", folder)
    subprocess.run([systemctl, f"--root={tmp_path}", "enable", "referralhub-web@8003"], capture_output=True, check=True)
    assert (folder / "referralhub.target.wants/referralhub-web@8003.service").is_symlink()


@pytest.mark.parametrize("file", ["referralhub.service", "systemd/referralhub-.service.d/common.conf"])
def test_what_a_service_keeps_is_for_nobody_elses_eyes(file: str):
    lines = (PROJECT / "deploy" / file).read_text().splitlines()
    assert "StateDirectoryMode=0700" in lines
    assert "UMask=0077" in lines
