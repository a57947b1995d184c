"""A Redis that answers and is of no use all the same: probes, the doctor and those who start something say which."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from traceback import format_exception
from unittest import mock

import pytest
from redis import RedisError

from referralhub import launch
from referralhub.config import PROJECT, ConfigurationError
from referralhub.extensions import huey
from tests import servers
from tests.doctors import Examine, says
from tests.pages import Visitor
from tests.people import Person, PostOffice

pytestmark = pytest.mark.one_database
Begin = Callable[..., servers.Valkey]


class Odd(servers.Valkey):
    """A Valkey that may refuse even to say that it is there."""

    def answers(self) -> bool:
        with suppress(RedisError):
            self.client.ping()
            return True
        return (self.folder / "valkey.sock").exists()


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start one with options of its command line; it ends with the test."""
    started: list[Odd] = []
    with servers.short_folder() as folder:

        def run(*more: str) -> servers.Valkey:
            server = Odd(folder, *more)
            started.append(server)
            server.start()
            return server

        yield run
        for server in started:
            server.__exit__()


@pytest.fixture
def cluster(begin: Begin) -> servers.Valkey:
    """A cluster of one node, which has all slots and is well."""
    ports = ("--port", str(servers.free_port()), "--cluster-port", str(servers.free_port()))
    server = begin("--cluster-enabled", "yes", *ports)
    server.client.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
    servers.wait_until(lambda: server.client.cluster("INFO")["cluster_state"] == "ok", "the cluster is well")
    return server


def readiness(make_app, url: str) -> str:
    """Ask as a load balancer does, and give what is said of Redis."""
    answer = make_app(redis_url=url).test_client().get("/readyz")
    assert answer.status_code == (200 if answer.json["redis"] == "ok" else 503)
    assert answer.json["database"] == "ok"
    return answer.json["redis"]


@pytest.mark.parametrize(
    ("options", "path", "said", "words"),
    [
        (("--replicaof", "127.0.0.1 1"), "", "read_only", "cannot be written to"),
        (("--requirepass", "right"), "", "not_let_in", "does not let us in"),
        (("--requirepass", "right"), ":wrong@", "not_let_in", "does not let us in"),
        (("--user", "hub", "on", "nopass", "~*", "+@all", "-@scripting"), "hub:x@", "not_let_in", "does not let us in"),
        (("--maxmemory", "1mb"), "", "full", "is full"),
        (("--rename-command", "HELLO", ""), "", "too_old", "before version 6"),  # which had no HELLO yet
        (("--rename-command", "EVALSHA", ""), "", "refuses", "refuses what every page needs"),
    ],
    ids=[
        "a replica", "no password", "a wrong password", "a user without scripts", "a full one", "an old one",
        "one without scripts",
    ],
)  # fmt: skip
def test_one_that_pages_cannot_use(
    begin: Begin, make_app, examine: Examine, options: tuple[str, ...], path: str, said: str, words: str
):
    url = begin(*options).url.replace("unix://", f"unix://{path}")
    assert readiness(make_app, url) == said
    says(examine(expect=1, redis_url=url)["redis"], words)


def test_one_that_has_just_been_started(begin: Begin, make_app, examine: Examine):
    server = begin("--rdbcompression", "no")
    with server.client.pipeline() as pipeline:
        for number in range(2000):
            pipeline.set(str(number), "x" * 2000)
        pipeline.execute()
    server.client.save()
    server.stop()
    # It takes 20 s, and answers after every key.
    server.more = ("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
    server.start()
    assert readiness(make_app, server.url) == "loading"
    says(examine(expect=1, redis_url=server.url)["redis"], "still loads")


def test_a_user_who_may_not_ask_for_more_than_pages_need(begin: Begin, make_app, examine: Examine):
    server = begin("--user", "hub", "on", "nopass", "~*", "+@all", "-info")
    url = server.url.replace("unix://", "unix://hub:x@")
    assert readiness(make_app, url) == "ok"
    assert examine(redis_url=url)["redis_memory"]["status"] == "ok"


def test_the_worker_says_what_is_wrong_and_waits(begin: Begin, make_app, caplog):
    url = begin("--requirepass", "right").url
    command = import_module("referralhub.cli.worker")
    with mock.patch.object(huey, "create_consumer") as consumer, mock.patch.object(command, "give_way"):
        result = make_app(redis_url=url).test_cli_runner().invoke(args=["worker"])
    assert result.exit_code == 0
    assert "Correct the user name and the password in REDIS_URL" in caplog.text
    consumer.return_value.run.assert_called_once_with()


def test_an_old_one_is_refused_at_the_start_and_nobody_reads_the_password(begin: Begin, caplog):
    url = begin("--rename-command", "HELLO", "").url.replace("unix://", "unix://:hunter2@")
    with pytest.raises(ConfigurationError, match="a Redis before version 6") as refusal:
        launch._refuse_unsupported(url)
    assert "hunter2" not in "".join(format_exception(refusal.value))


def test_trying_it_out_leaves_nothing_behind(make_app, valkey):
    assert readiness(make_app, valkey.url) == "ok"
    assert valkey.client.dbsize() == 0


def test_one_that_throws_sessions_away_when_it_is_full_is_a_hint(begin: Begin, examine: Examine):
    server = begin("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    says(examine(redis_url=server.url)["redis_memory"], "allkeys-lru", "hint")
    server.client.config_set("maxmemory-policy", "noeviction")
    assert examine(redis_url=server.url)["redis_memory"]["status"] == "ok"


class TestCluster:
    """Keys of one script are in different slots there, so that half of the pages would work."""

    def test_probes_and_the_doctor_say_so(self, cluster: servers.Valkey, make_app, examine: Examine):
        assert readiness(make_app, cluster.url) == "cluster_not_supported"
        says(examine(expect=1, redis_url=cluster.url)["redis"], "a Redis Cluster, which is not supported")

    def test_where_it_may_not_be_asked_it_shows(self, cluster: servers.Valkey, make_app, examine: Examine):
        cluster.client.execute_command("ACL SETUSER hub on nopass ~* +@all -info")
        url = cluster.url.replace("unix://", "unix://hub:x@")
        assert readiness(make_app, url) == "cluster_not_supported"
        says(examine(expect=1, redis_url=url)["redis"], "a Redis Cluster, which is not supported")

    def test_nothing_works_by_half(self, cluster: servers.Valkey, make_app, caplog):
        app = make_app(redis_url=cluster.url)
        alice = Person(app, PostOffice(app), "alice")
        alice.get("/login", 503)
        alice.client.set_cookie("referralhub", "of-before")
        for path in ("/login", "/dashboard/", "/", "/leaderboard"):
            assert "can't reach our database" in alice.get(path, 503).text
        assert cluster.client.dbsize() == 0
        assert "a Redis Cluster, which is not supported" in caplog.text

    def test_the_launcher_refuses(self, cluster: servers.Valkey, database_url: str, instance: Path, monkeypatch):
        monkeypatch.setenv("PORT", str(servers.free_port()))
        environment = servers.environment_of(instance, database_url, cluster.url)
        command = [sys.executable, "-m", "referralhub.launch"]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=servers.PATIENCE
        )
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "ReferralHub cannot start: REDIS_URL names a Redis Cluster, which is not supported: name a server by itself"
        ]
        assert done.stdout == ""

    def test_the_worker_refuses(self, cluster: servers.Valkey, make_app):
        with mock.patch.object(huey, "create_consumer"):  # or it would run for ever
            result = make_app(redis_url=cluster.url).test_cli_runner().invoke(args=["worker"])
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: REDIS_URL names a Redis Cluster")

    def test_one_that_is_away_is_not_waited_for_at_the_start(self):
        begun = time.monotonic()
        launch._refuse_unsupported(f"redis://127.0.0.1:{servers.free_port()}")
        assert time.monotonic() - begun < 5


def test_sentinels_lead_to_the_primary(begin: Begin, make_app, tmp_path: Path):
    port, sentinel_port = servers.free_port(), servers.free_port()
    primary = begin("--port", str(port))
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"port {sentinel_port}\nsentinel monitor main 127.0.0.1 {port} 1\n")
    url = f"sentinel://127.0.0.1:{sentinel_port}/main"
    assert readiness(make_app, url) == "unreachable"
    with Sentinel(settings, sentinel_port):
        assert readiness(make_app, url) == "ok"
        assert Visitor(make_app(redis_url=url)).get("/login").all("form")
        with primary.away():
            assert readiness(make_app, url) == "unreachable"


class Sentinel(servers.Server):
    """What tells where the primary is."""

    def __init__(self, settings: Path, port: int) -> None:
        self.settings, self.url = settings, f"http://127.0.0.1:{port}"
        self.port = port

    def command(self) -> list[str | Path]:
        return [servers.get_binary_path(), self.settings, "--sentinel"]

    def answers(self) -> bool:
        with suppress(RedisError):
            return bool(servers.redis.Redis(port=self.port).ping())
        return False


def test_encryption_that_the_server_does_not_speak(begin: Begin, make_app):
    port = servers.free_port()
    begin("--port", str(port))
    assert readiness(make_app, f"rediss://127.0.0.1:{port}") == "unreachable"
