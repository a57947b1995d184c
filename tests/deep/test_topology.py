"""Nothing ties a visitor to a web process, nginx says who asks, and what was started is ended, however it ends."""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests import servers
from tests.deep.conftest import needs_packages
from tests.deep.load import Browser, Newcomer, some_address
from tests.deep.topology import SERVICES, WEB, Topology
from tests.functional.test_access import LOGIN, ROUTES

pytestmark = [pytest.mark.deep, pytest.mark.one_database]

TRIES = 10  # at one account from one address in five minutes
IN_PRODUCTION = {
    "GET /dev/mailbox": 404, "GET /dev/styleguide": 404,
    "GET /join": 302, "GET /signup": 200,  # where links lead by default
}  # fmt: skip
IN_PATHS = {
    "code": "", "token": "nonsense", "filename": "css/app.css", "step": "release", "which": "monthly",
    "accent": "e5342b", "digest": "0" * 64, "icon": "icon-192", "decision": "confirm", "extension": "png",
}  # fmt: skip


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    needs_packages()
    with servers.short_folder() as folder, Topology(folder, METRICS_TOKEN="a token for tests alone") as topology:
        yield topology


@pytest.fixture(scope="module")
def member(topology: Topology) -> Iterator[Newcomer]:
    member = Newcomer(topology, "alice", "")
    member.open_form()
    member.sign_up()
    assert member.joined
    member.find_code()
    yield member
    member.connection.close()


class TestWithoutStickySessions:
    def test_a_session_works_on_each_web_process(self, topology: Topology, member: Newcomer):
        cookies = "; ".join(f"{name}={value}" for name, value in member.cookies.items())
        host = f"localhost:{topology.port}"
        headers = {"Host": host, "Cookie": cookies, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        for web in WEB:
            connection = HTTPConnection("127.0.0.1", topology.ports[web], timeout=10)
            connection.request("GET", "/dashboard/network", headers=headers | {"X-Forwarded-Host": host})
            assert connection.getresponse().status == 200
            connection.close()

    @pytest.mark.parametrize("web", WEB)
    def test_it_goes_on_while_one_of_them_is_killed(self, topology: Topology, member: Newcomer, web: str):
        before = topology.pid(web)
        topology.signal(web, signal.SIGKILL)
        assert Counter(member.ask("/dashboard/network").status for _ in range(50)) == {200: 50}
        servers.wait_until(lambda: topology.pid(web) != before, "it is started again")
        servers.wait_until(lambda: servers.serves(f"http://127.0.0.1:{topology.ports[web]}"), "it serves again")


class TestWhoAsks:
    def try_to_sign_in(self, topology: Topology, address: str, **headers: str) -> int:
        browser = Browser(topology)
        browser.connection.source_address = (address, 0)
        browser.headers |= headers
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.ask("/login").body)[1]
        answer = browser.ask("/login", {"username": "nobody", "password": "x", "csrf_token": token})
        browser.connection.close()
        return answer.status

    def test_each_address_has_limits_of_its_own(self, topology: Topology):
        one, other = some_address(), some_address()
        tries = [self.try_to_sign_in(topology, one) for _ in range(TRIES + 2)]
        assert tries == [422] * TRIES + [429] * 2
        assert self.try_to_sign_in(topology, other) == 422

    def test_nobody_can_make_one_up(self, topology: Topology):
        address = some_address()
        tries = [
            self.try_to_sign_in(topology, address, **{"X-Forwarded-For": f"192.0.2.{number}"})
            for number in range(TRIES + 1)
        ]
        assert tries == [422] * TRIES + [429]

    def test_a_long_query_is_no_longer_header_than_nginx_takes(self, topology: Topology):
        stranger = Browser(topology)
        answer = stranger.ask(f"/dashboard/referrals?after={'x' * 6000}")
        stranger.connection.close()
        assert (answer.status, answer.location) == (302, "/login?next=/dashboard/referrals")

    def test_strangers_are_answered_as_the_table_says(self, topology: Topology, member: Newcomer):
        stranger = Browser(topology)
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', stranger.ask("/login").body)[1]
        wrong = []
        for route, answers in sorted(
            ROUTES.items(), key=lambda item: item[0] == "POST /logout"
        ):  # which ends a session
            method, rule = route.split(maxsplit=1)
            in_paths = IN_PATHS | {"code": member.code}
            path = re.sub(r"<(?:[^<>]*:)?(\w+)>", lambda name, known=in_paths: known.get(name[1], "1"), rule)
            stranger.connection.close()
            stranger.connection.source_address = (some_address(), 0)  # these are more requests than a person sends
            answer = stranger.ask(path, {"csrf_token": token} if method == "POST" else None)
            found = LOGIN if answer.location.startswith("/login") else answer.status
            if found != IN_PRODUCTION.get(route, answers[0]):
                wrong.append(f"{route}: {found}")
        stranger.connection.close()
        assert not wrong, "\n".join(wrong)


class TestOperators:
    def test_the_audit_log_is_whole(self, topology: Topology):
        password = ("--username", "grace", "--email", "grace@example.com", "--password-stdin")
        made = topology.flask("users", "create-admin", *password, typed="grace likes tea")
        assert made.returncode == 0, made.stderr
        verified = topology.flask("audit", "verify")
        assert verified.returncode == 0, verified.stdout

    @pytest.mark.parametrize(("proxies", "says"), [("1", False), ("0", True)])
    def test_the_doctor_names_a_wrong_number_of_proxies(
        self, topology: Topology, tmp_path: Path, proxies: str, says: bool
    ):
        wrong = tmp_path / "settings.env"
        settings = (topology.folder / "settings.env").read_text()
        wrong.write_text(settings.replace("TRUSTED_PROXIES=1", f"TRUSTED_PROXIES={proxies}"))
        found = topology.flask("doctor", ENVIRONMENT_FILE=str(wrong)).stdout
        assert ("TRUSTED_PROXIES" in found) == says, found

    @pytest.mark.parametrize(
        ("believed", "others", "remark"),
        [
            (2, {}, "TRUSTED_PROXIES is 2, and requests come through 1"),
            (1, {"X-Forwarded-For": "192.0.2.1"}, "every request of the last hour named more addresses"),
        ],
    )
    def test_and_one_that_only_requests_show(self, believed: int, others: dict[str, str], remark: str):
        """`others`: what a proxy before nginx adds."""
        with servers.short_folder() as folder, Topology(folder, TRUSTED_PROXIES=str(believed)) as topology:
            visitor = Browser(topology)
            visitor.headers |= others
            visitor.ask("/login")
            visitor.connection.close()
            found = topology.flask("doctor").stdout
        assert remark in " ".join(found.split())


class TestTheEnd:
    @pytest.fixture
    def another(self) -> Iterator[Topology]:
        needs_packages()
        with servers.short_folder() as folder:
            yield Topology(folder)

    def everything(self, topology: Topology) -> set[int]:
        """Name all processes, of nginx and PostgreSQL too."""
        first = {topology.pid(service) for service in SERVICES}
        return first | {child for service in SERVICES for child in topology.children(service)}

    def alive(self, numbers: set[int]) -> set[int]:
        """Name those that have not ended; somebody may still have to be told that they did."""
        stats = {number: Path(f"/proc/{number}/stat") for number in numbers}
        return {number for number, stat in stats.items() if stat.exists() and ") Z " not in stat.read_text()}

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_nothing_is_left(self, another: Topology, how: signal.Signals):
        with another:
            started = self.everything(another)
            assert len(started) > len(SERVICES)
            another.stop(how)
        assert self.alive(started) == set()

    def test_nor_of_an_nginx_that_was_killed(self, another: Topology):
        with another:
            before = another.pid("nginx")
            orphans = set(another.children("nginx"))
            os.kill(before, signal.SIGKILL)
            servers.wait_until(
                lambda: another.pid("nginx") != before and another.children("nginx"), "it is started again"
            )
            assert self.alive(orphans) == set()
            started = self.everything(another)
            another.signal("nginx", signal.SIGKILL)
        assert self.alive(started) == set()

    def test_nor_where_it_is_killed_itself(self, another: Topology):
        with another:
            started = self.everything(another)
            another.stop(signal.SIGKILL)
            servers.wait_until(lambda: not self.alive(started), "everything has ended")

    def test_the_next_one_goes_on_with_what_there_was(self, another: Topology):
        with another:
            alice = Newcomer(another, "alice", "")
            alice.open_form()
            assert alice.sign_up().status == 303
        with another:
            assert alice.ask("/dashboard/").status == 200
            alice.connection.close()
