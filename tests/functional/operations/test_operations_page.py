"""The commands of docs/operations.md do what it says, word for word but for the first block: where things are."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from referralhub.clock import system_clock
from referralhub.config import PROJECT
from referralhub.extensions import db
from referralhub.migrations import upgrade
from referralhub.services.accounts import signup
from referralhub.services.operations import heartbeat
from tests import servers
from tests.archives import command, everything_of
from tests.conftest import SECRET_KEY, sqlite_url
from tests.factories import befriend, member

BLOCKS = re.findall(r"^```\n(.*?)^```$", (PROJECT / "docs/operations.md").read_text(), re.DOTALL | re.MULTILINE)
SHELL = """
CHECKOUT={project} OWNER=$(id --user --name) STATE={folder}/state SETTINGS={folder}/settings
BACKUPS={folder}/backups REDIS={folder}/redis DATABASE='{postgresql}'
flask() {{ ENVIRONMENT_FILE=${{ENVIRONMENT_FILE:-$SETTINGS}} $CHECKOUT/deploy/flask "$@"; }}
service() {{ "$@"; }}
postgres() {{ "$@"; }}
systemctl() {{ echo "$@" >> {folder}/systemctl; }}
"""


def block(containing: str) -> str:
    """Find the one block of commands with these words in it."""
    (found,) = [each for each in BLOCKS if containing in each]
    return found


PREPARE, SETTINGS = block("install --directory"), block("$BACKUPS/settings")
BACK_UP = {"postgresql": block("pg_dump"), "sqlite": block(".backup(")}
RESTORE = {"postgresql": block("pg_restore"), "sqlite": block("$STATE/before")}
STOP, CHECK = BLOCKS[BLOCKS.index(RESTORE["postgresql"]) - 1], block("flask leaderboard rebuild")
MOVE, CREATE, NEW_KEY = block("flask import"), block("CREATE ROLE"), block("s/^SECRET_KEY")
PACK, UNPACK = block("tar --create"), block("tar --extract")


@dataclass
class Place:
    """An installation as the page has it: a database of its own, settings in a file, and a shell in which one works."""

    folder: Path
    server: servers.PostgreSQL
    app: Flask
    postgresql: str

    def run(self, *blocks: str) -> str:
        """Run blocks of the page as one script, and give what they print."""
        script = SHELL.format(project=PROJECT, folder=self.folder, postgresql=self.postgresql) + "\n".join(blocks)
        programs = f"{self.server.programs}:{os.environ['PATH']}"
        environment = {
            "PATH": programs,
            "PGHOST": str(self.server.folder),
            "PGUSER": "postgres",
            "PGDATABASE": "postgres",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def file(self, name: str) -> str:
        return (self.folder / name).read_text()

    def close(self) -> None:
        """Let go of the database, as a service does that is stopped."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="module")
def own_postgresql() -> Iterator[servers.PostgreSQL]:
    """A server of which the page may use every name."""
    with servers.short_folder() as folder, servers.PostgreSQL(folder) as server:
        yield server


@pytest.fixture
def place(database: str, own_postgresql, make_app, valkey, mail_url: str, tmp_path: Path) -> Iterator[Place]:
    server = own_postgresql
    server.execute("CREATE ROLE referralhub LOGIN")
    server.execute("CREATE DATABASE referralhub OWNER referralhub ENCODING 'UTF8' TEMPLATE template0")
    (tmp_path / "state").mkdir(mode=0o700)
    postgresql = f"postgresql://referralhub@/referralhub?host={server.folder}"
    url = {"sqlite": "sqlite:///referralhub.sqlite3", "postgresql": postgresql}[database]
    (tmp_path / "settings").write_text(
        f"SECRET_KEY={SECRET_KEY}\nBASE_URL=https://refer.example.com\nMAIL_URL={mail_url}\nTRUSTED_PROXIES=1\n"
        f"DATABASE_URL={url}\nREDIS_URL={valkey.url}\nINSTANCE_PATH={tmp_path}/state\n"
    )
    (tmp_path / "settings").chmod(0o640)
    app = make_app(database_url=url_of(database, tmp_path, postgresql))
    with app.app_context():
        upgrade()
        signup.create_admin("grace", "grace@example.com", "grace likes tea", system_clock())
        db.session.execute(db.text("DELETE FROM outbox"))
        db.session.commit()
    assert app.test_cli_runner().invoke(args=["seed", "bulk", "--members", "200"]).exit_code == 0
    member(app, "mira", system_clock())
    befriend(app, "mira", 3, system_clock())
    heartbeat.beat(app.extensions["redis"], system_clock())
    yield Place(tmp_path, server, app, postgresql)
    for name in ("referralhub", "referralhub_before", "refer"):
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.execute("DROP ROLE IF EXISTS referralhub")
    server.execute("DROP ROLE IF EXISTS refer")


def url_of(database: str, folder: Path, postgresql: str) -> str:
    if database == "sqlite":
        return sqlite_url(folder / "state/referralhub.sqlite3")
    return postgresql.replace("postgresql:", "postgresql+psycopg:")


@contextmanager
def friends_joining(app: Flask) -> Iterator[None]:
    """Let one friend after the other join and be credited, each in one transaction, for the length of the block."""
    enough, errors = threading.Event(), []

    def join() -> None:
        while not enough.is_set():
            try:
                befriend(app, "mira", 1, system_clock())
            except Exception as error:
                errors.append(error)
                return

    thread = threading.Thread(target=join)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
    assert errors == []


def test_what_was_backed_up_is_what_is_in_the_new_place(place: Place, database: str):
    before, state = everything_of(place.app), place.folder / "state"
    place.run(PREPARE, BACK_UP[database], SETTINGS)
    befriend(place.app, "mira", 2, system_clock())
    place.close()
    said = place.run(STOP, RESTORE[database], CHECK)
    assert everything_of(place.app) == before
    assert "Everything follows from the ledger" in said
    assert place.file("backups/referralhub.audit") in said
    assert place.file("systemctl").splitlines() == ["stop referralhub.target", "start referralhub.target"]
    if database == "sqlite":
        assert (state / "before/referralhub.sqlite3").exists()
        assert not [file for file in state.glob("*.sqlite3*") if file.stat().st_mode & 0o077]
    else:
        (kept,) = place.run(
            "psql --tuples-only --dbname referralhub_before --command 'SELECT count(*) FROM profile'"
        ).split()
        assert int(kept) == len(before["profile"]) + 2
    befriend(place.app, "mira", 1, system_clock())  # the next numbers are free
    backups = place.folder / "backups"
    assert len(list(backups.iterdir())) == 3
    assert [path for path in (backups, *backups.iterdir()) if path.stat().st_mode & 0o077] == []


def test_a_backup_while_friends_join_is_one_moment(place: Place, database: str):
    before = len(everything_of(place.app)["profile"])
    with friends_joining(place.app):
        place.run(PREPARE, BACK_UP[database])
    after = len(everything_of(place.app)["profile"])
    place.close()
    place.run(STOP, RESTORE[database])
    for words in (("leaderboard", "rebuild"), ("ledger", "verify"), ("audit", "verify")):
        command(place.app, *words)
    there = everything_of(place.app)
    assert before <= len(there["profile"]) < after
    assert after - before > 5
    friends = [row for row in there["profile"] if row[3] is not None]
    assert len(friends) == len(there["referral"])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_from_sqlite_to_postgresql(place: Place, make_app, tmp_path: Path):
    before = everything_of(place.app)
    place.close()
    place.run(MOVE)
    assert f"DATABASE_URL={place.postgresql}\n" in place.file("settings")
    assert (tmp_path / "settings").stat().st_mode & 0o777 == 0o640
    there = make_app(database_url=url_of("postgresql", tmp_path, place.postgresql))
    assert everything_of(there) == before
    assert "here already" in place.run("flask import $STATE/members.zip")
    assert everything_of(there) == before


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_role_and_a_database_for_another_machine(place: Place):
    said = place.run(CREATE, "psql --tuples-only --no-align --command '\\l refer'", 'echo "$PASSWORD"')
    assert "refer|refer|UTF8" in said
    assert len(said.splitlines()[-1]) == 48
    assert place.run("PGUSER=refer psql --tuples-only --no-align --dbname refer --command 'CREATE TABLE mine (id int)'")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_another_secret_key(place: Place):
    lines = place.file("settings").splitlines()
    place.run(NEW_KEY)
    (old, *others), (new, *left) = lines, place.file("settings").splitlines()
    assert left == others
    assert new != old
    assert len(new) == len("SECRET_KEY=") + 64


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_redis_folder_takes_sessions_along(place: Place, tmp_path: Path):
    with servers.short_folder() as folder:
        here, there = folder / "here", folder / "there"
        for each in (here, there):
            each.mkdir()
        with servers.Valkey(here, "--appendonly", "yes") as valkey:
            valkey.client.set("session:one", "mira")
        place.run(PREPARE, f"REDIS={here}\n", PACK)
        place.run(f"REDIS={there}\n", UNPACK)
        with servers.Valkey(there, "--appendonly", "yes") as valkey:
            assert valkey.client.get("session:one") == b"mira"
    assert (tmp_path / "backups/redis.tar").stat().st_mode & 0o077 == 0


def test_every_block_is_run_here_or_is_for_docker():
    run = {
        PREPARE, SETTINGS, *BACK_UP.values(), *RESTORE.values(), STOP, CHECK, MOVE, CREATE, NEW_KEY, PACK, UNPACK
    }  # fmt: skip
    where, docker = (each for each in BLOCKS if each not in run)
    assert "CHECKOUT=/opt/referralhub" in where
    assert "docker compose" in docker
