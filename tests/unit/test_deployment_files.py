"""What the files of `deploy/` promise an operator, as far as it can be read off them without an engine."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from referralhub.config import PROJECT, ConfigurationError, Settings

STRONG = "0123456789abcdef" * 4
PROCFILE = dict(line.split(": ", 1) for line in (PROJECT / "Procfile").read_text().splitlines())
COMPOSE = yaml.safe_load((PROJECT / "deploy/compose.yml").read_text())["services"]
OURS = {name: service for name, service in COMPOSE.items() if service["image"] == "referralhub"}


def env_file(text: str) -> dict[str, str]:
    """Read NAME=value lines, quoted or not."""
    pairs = (line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value.strip("'") for name, value in pairs}


class TestProcess:
    """`deploy/process`, by which containers, units and tasks take their commands from the Procfile."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        (tmp_path / "deploy").mkdir()
        script = tmp_path / "deploy/process"
        script.write_text((PROJECT / "deploy/process").read_text())
        script.chmod(0o755)
        (tmp_path / "Procfile").write_text('release: echo release\nweb: echo "on" ${PORT:-8000} $PWD\n')
        return tmp_path

    def run(self, checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [checkout / "deploy/process", *arguments]
        path = os.environ["PATH"]
        return subprocess.run(
            command, cwd="/", env={"PATH": path, **environment}, capture_output=True, text=True, check=False
        )

    def test_is_a_line_of_the_procfile_with_its_settings(self, checkout: Path):
        assert self.run(checkout, "web").stdout == f"on 8000 {checkout}\n"
        assert self.run(checkout, "web", PORT="8001").stdout == f"on 8001 {checkout}\n"

    def test_finds_the_programs_that_are_installed_beside_it(self, checkout: Path):
        (checkout / ".venv/bin").mkdir(parents=True)
        (checkout / ".venv/bin/granian").write_text("#!/bin/sh\necho ours")
        (checkout / ".venv/bin/granian").chmod(0o755)
        (checkout / "Procfile").write_text("web: granian\n")
        assert self.run(checkout, "web").stdout == "ours\n"

    @pytest.mark.parametrize("arguments", [[], ["wed"], [""]])
    def test_says_what_there_is(self, checkout: Path, arguments: list[str]):
        done = self.run(checkout, *arguments)
        assert done.returncode == 2
        assert "web|worker|release" in done.stderr


class TestCompose:
    def test_each_process_of_the_procfile_is_a_service_and_web_is_two(self):
        commands = [service["command"] for service in OURS.values()]
        assert sorted(command[1] for command in commands) == sorted([*PROCFILE, "web"])
        assert {command[0] for command in commands} == {"deploy/process"}

    @pytest.mark.parametrize("name", ["web-1", "web-2", "worker"])
    def test_what_serves_waits_for_the_migration(self, name: str):
        assert OURS[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"

    def test_the_migration_runs_once_and_everything_else_comes_back(self):
        assert {name for name, service in COMPOSE.items() if service["restart"] != "unless-stopped"} == {"migrate"}
        assert COMPOSE["migrate"]["restart"] == "no"

    @pytest.mark.parametrize("name", COMPOSE)
    def test_nothing_writes_outside_of_its_volumes_or_gains_rights(self, name: str):
        service = COMPOSE[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]

    @pytest.mark.parametrize("name", COMPOSE)
    def test_only_nginx_can_be_reached_from_outside(self, name: str):
        assert ("ports" in COMPOSE[name]) == (name == "nginx")

    def test_redis_keeps_what_it_was_told(self):
        command = COMPOSE["redis"]["command"]
        assert command[command.index("--appendonly") + 1] == "yes"
        assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
        assert COMPOSE["redis"]["volumes"] == ["redis:/data"]

    def test_nginx_knows_both_web_processes_by_their_names(self):
        upstream = (PROJECT / "deploy/nginx/upstream.compose.conf").read_text()
        named = re.findall(r"server ([a-z0-9-]+):8000 resolve max_fails=0;", upstream)
        assert named == [name for name, service in OURS.items() if service["command"][1] == "web"]

    def test_no_two_files_of_nginx_call_different_memory_by_one_name(self):
        text = "".join(file.read_text() for file in (PROJECT / "deploy/nginx").glob("*.conf"))
        names = re.findall(r"\b(?:zone |shared:|zone=)(\w+)", text)
        assert len(names) == len(set(names)) == 2

    def test_the_example_asks_for_all_that_is_needed_and_starts_nothing_as_it_is(self, tmp_path: Path):
        example = env_file((PROJECT / "deploy/compose.env.example").read_text())
        environment = {**example, **OURS["web-1"]["environment"], "INSTANCE_PATH": str(tmp_path)}
        with pytest.raises(ConfigurationError) as refusal:
            Settings.from_environment(environment)
        assert str(refusal.value).startswith("SECRET_KEY is missing")
        assert len(str(refusal.value).splitlines()) == 1
        settings = Settings.from_environment(environment | {"SECRET_KEY": STRONG})
        assert settings.trusted_proxies == 1
        assert example["POSTGRES_PASSWORD"] == ""
        assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]  # compose refuses to start without


def test_liveness_of_a_container_does_not_depend_on_its_neighbours():
    check = re.search(r"HEALTHCHECK.*\n.*", (PROJECT / "Dockerfile").read_text())
    assert check is not None
    assert "/healthz" in check[0]
    assert "readyz" not in check[0]


def test_no_file_with_settings_gets_into_an_image():
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    assert "*" in lines  # nothing but what is named
    named = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert not any("env" in name for name in named)
    assert {"referralhub", "migrations", "wsgi.py", "Procfile", "requirements.txt", "deploy/process"} <= named
