"""The files for nginx: accepted by the program, safe in what they answer alone, and silent about visitors."""

import os
import re
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from threading import Thread

import pytest
from flask import Flask

from tests import servers
from tests.functional.deploy.conftest import NAME, Answer, Nginx, web_process

pytestmark = pytest.mark.one_database

SAFE = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = "Content-Security-Policy"
CODE = "zq7xk2m9"


def is_safe(answer: Answer) -> bool:
    """Tell whether an answer has each header of safety, once, and a policy by which nothing is loaded or run."""
    once = all(len(answer.headers.get_all(name, [])) == 1 for name in (*SAFE, POLICY, "Permissions-Policy"))
    assert once, answer.headers.items()
    assert {name: answer.headers[name] for name in SAFE}.items() == SAFE.items()
    return answer.headers[POLICY].startswith("default-src 'none'")


class Upstream:
    """An application that remembers what it was asked, and answers with what the test wants."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def __call__(self, environ: dict, start_response: Callable) -> list[bytes]:
        self.asked.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"here"]


@pytest.fixture
def nobody(start_nginx: Callable[..., Nginx]) -> Nginx:
    """nginx before two web processes that are away."""
    return start_nginx(servers.free_port(), servers.free_port())


def test_the_program_accepts_every_file_without_a_word_of_warning(start_nginx):
    nginx = start_nginx()  # with our own list of web processes
    done = nginx.says("-t")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "[warn]" in line]
    # Newer than 1.25 it would have http2 in a line of its own, which older ones do not know.
    assert [line for line in warnings if "http2" not in line] == []
    used = nginx.says("-T").stdout
    for file in (nginx.folder / "referralhub").glob("*.conf"):
        assert file.name in {"referralhub.conf", "upstream.compose.conf"} or f"# configuration file {file}:" in used, (
            f"{file.name} is not used"
        )


class TestWhatItAnswersAlone:
    def test_while_no_web_process_is_there(self, nobody: Nginx):
        for method in ("GET", "POST", "HEAD"):
            answer = nobody.ask("/signup", method)
            assert answer.status == 502
            assert is_safe(answer)
            assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("5", "no-store")
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        page = nobody.ask("/signup").body
        assert page.startswith("<!doctype html>")
        assert not re.search(r"<(script|style|link|img)|style=|nginx", page)

    @pytest.mark.parametrize(
        ("status", "request_"),
        [
            (413, b"POST /signup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194305\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n"),
            (414, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (400, b"nonsense\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
            (405, b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ],
    )
    def test_what_it_refuses(self, nobody: Nginx, status: int, request_: bytes):
        with nobody.connect() as connection:
            connection.sendall(request_)
            said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        assert said.split()[1] == str(status)
        for name, value in SAFE.items():
            assert said.count(f"{name}: {value}\r\n") == 1
        assert said.count(f"{POLICY}: default-src 'none'") == 1
        assert not re.search(r"nginx/\d", said)

    def test_http_is_sent_on_to_the_name_of_the_site_whatever_host_is_asked_for(self, nobody: Nginx):
        connection = HTTPConnection("localhost", nobody.ports["80"], timeout=10)
        connection.request("GET", f"/{CODE}/?utm_source=x", headers={"Host": "evil.example"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/{CODE}/?utm_source=x")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in answer.headers  # RFC 6797, 7.2: never by http

    def test_a_proof_for_the_certificate_is_handed_out_by_http(self, nobody: Nginx):
        (nobody.folder / ".well-known/acme-challenge").mkdir(parents=True)
        (nobody.folder / ".well-known/acme-challenge/token").write_text("proof")
        connection = HTTPConnection("localhost", nobody.ports["80"], timeout=10)
        connection.request("GET", "/.well-known/acme-challenge/token")
        assert connection.getresponse().read() == b"proof"
        connection.close()


class TestWhatTheApplicationAnswers:
    def test_has_each_header_once(self, start_nginx, lend_app: Callable[..., Flask]):
        app = lend_app(base_url="https://localhost", trusted_proxies=1)
        with web_process(app, servers.free_port()) as web:
            nginx = start_nginx(web.port, web.port)
            for path in (
                "/",
                "/signup",
                "/nothing-here",
                "/dashboard/",
                "/static/css/app.css",
                "/healthz",
                f"/{CODE}/",
            ):
                assert is_safe(nginx.ask(path)), path
            assert "script-src 'self'" in nginx.ask("/signup").headers[POLICY]  # the application's own

    def test_comes_as_small_as_the_application_sends_it(self, start_nginx, lend_app: Callable[..., Flask]):
        app = lend_app(base_url="https://localhost", trusted_proxies=1)
        with web_process(app, servers.free_port()) as web:
            nginx = start_nginx(web.port, web.port)
            assert nginx.ask("/static/css/app.css", Accept_Encoding="br").headers["Content-Encoding"] == "br"
            secret = nginx.ask("/verify/x", Accept_Encoding="gzip")  # which the application does not compress
            assert secret.headers["Content-Type"].startswith("text/html")
            assert "Content-Encoding" not in secret.headers


class TestWhatTheApplicationIsTold:
    def test_who_asks_and_by_which_address(self, start_nginx):
        upstream = Upstream()
        with web_process(upstream, servers.free_port()) as web:
            nginx = start_nginx(web.port, web.port)
            nginx.ask("/x", X_Forwarded_For="192.0.2.1", X_Forwarded_Prefix="/evil", X_Forwarded_Proto="http")
        (asked,) = upstream.asked
        assert asked["HTTP_HOST"] == asked["HTTP_X_FORWARDED_HOST"] == f"localhost:{nginx.ports['443']}"
        assert asked["HTTP_X_FORWARDED_FOR"] == "192.0.2.1, 127.0.0.1"  # the last is what TRUSTED_PROXIES=1 believes
        assert asked["HTTP_X_FORWARDED_PROTO"] == "https"
        assert "HTTP_X_FORWARDED_PREFIX" not in asked
        assert re.fullmatch(r"[0-9a-f]{32}", asked["HTTP_X_REQUEST_ID"])

    def test_by_a_browser_that_speaks_http_2(self, start_nginx):
        upstream = Upstream()
        with web_process(upstream, servers.free_port()) as web:
            nginx = start_nginx(web.port, web.port)
            command = ["curl", "--silent", "--http2", "--cacert", nginx.folder / "fullchain.pem"]
            environment = {**os.environ, "no_proxy": "*"}
            subprocess.run(
                [*command, f"{nginx.base_url}/x"], env=environment, check=True, capture_output=True, timeout=10
            )
        assert upstream.asked[0]["HTTP_HOST"] == f"localhost:{nginx.ports['443']}"


class TestWhileAProcessIsAway:
    def test_the_other_answers_every_request_forms_too(self, start_nginx):
        upstream = Upstream()
        with web_process(upstream, servers.free_port()) as web:
            nginx = start_nginx(servers.free_port(), web.port)
            answers = [nginx.ask("/", method) for method in ("GET", "POST") for _ in range(10)]
        assert {answer.status for answer in answers} == {200}
        assert len(upstream.asked) == 20

    def test_nobody_is_turned_away_longer_than_that(self, start_nginx):
        port = servers.free_port()
        nginx = start_nginx(port, servers.free_port())
        assert nginx.ask("/").status == 502
        with web_process(Upstream(), port):
            assert [nginx.ask("/").status for _ in range(5)] == [200] * 5

    def test_a_form_is_not_sent_twice(self, start_nginx):
        """The first process takes it and dies; whether it was done, nobody knows."""
        taken: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as dying, web_process(Upstream(), servers.free_port()) as other:
            dying.settimeout(10)
            nginx = start_nginx(dying.getsockname()[1], other.port)
            answer = take_and_die(dying, taken, lambda: nginx.ask("/signup", "POST", b"username=x"))
            assert taken
            assert answer.status == 502
            assert "look first whether it arrived" in answer.body


def take_and_die(listener: socket.socket, taken: list[bytes], send: Callable[[], Answer]) -> Answer:
    """Let the listener read one request and close without a word; return what is answered."""

    def once() -> None:
        connection, _ = listener.accept()
        taken.append(connection.recv(65536))
        connection.close()

    thread = Thread(target=once)
    thread.start()
    try:
        return send()
    finally:
        thread.join()


def fill_up(nginx: Nginx) -> None:
    """Let requests wait until there is no connection left: nginx has lines of its gravest levels for that."""
    with ExitStack() as stack:
        for _ in range(24):
            connection = stack.enter_context(nginx.connect())
            connection.settimeout(0.1)
            connection.sendall(f"GET /{CODE}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            with suppress(TimeoutError):
                assert connection.recv(100).startswith(b"HTTP/1.1 500")
                return
    raise AssertionError("nginx has room for everybody")


def test_no_line_is_kept_about_a_visitor(start_nginx):
    """Nor where something fails, for which nginx would quote who asked for what."""
    with servers.silence() as silent:
        nginx = start_nginx(servers.free_port(), silent)
        assert nginx.ask(f"/{CODE}/", "POST", b"x" * 4194305, Referer=f"https://elsewhere.example/{CODE}").status == 413
        with socket.create_connection(("127.0.0.1", nginx.ports["443"]), 10) as connection:
            connection.sendall(b"no TLS at all\r\n\r\n")
            connection.recv(1000)
        fill_up(nginx)
        nginx.stop()
    logs = "".join(log.read_text() for log in nginx.folder.glob("*.log"))
    assert CODE not in logs
    assert "client" not in logs


@pytest.mark.parametrize(("version", "accepted"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_only_encryption_of_today_is_spoken(nobody: Nginx, version: str, accepted: bool):
    option = {"TLSv1_1": "-tls1_1", "TLSv1_2": "-tls1_2", "TLSv1_3": "-tls1_3"}[version]
    address = f"127.0.0.1:{nobody.ports['443']}"
    weakest = ["-cipher", "ALL:@SECLEVEL=0"]
    command = ["openssl", "s_client", option, *weakest, "-connect", address]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode == 0) == accepted
