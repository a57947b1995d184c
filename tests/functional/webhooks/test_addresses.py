"""Nobody gets at what is in our network by the address of a webhook: not when it is entered, nor when it is called."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pytest import MonkeyPatch

from referralhub import webhook_transport
from referralhub.services.webhooks.addresses import BadUrl, Refused, is_public, normal
from referralhub.services.webhooks.delivery import SAID, Post
from referralhub.words.errors import ERRORS
from tests.conftest import make_settings
from tests.receiver import Receiver, Taken
from tests.servers import certify, silence

PUBLIC, PRIVATE = (socket.AF_INET, "93.184.215.14"), (socket.AF_INET, "127.0.0.1")
INSIDE = {  # addresses of this machine, or of what is beside it
    "IPv4": "127.0.0.1",
    "decimal": "2130706433",
    "octal": "0177.0.0.1",
    "hexadecimal": "0x7f000001",
    "short": "127.1",
    "any": "0.0.0.0",
    "IPv6": "[::1]",
    "any of IPv6": "[::]",
    "IPv4-mapped": "[::ffff:127.0.0.1]",
    "IPv4-compatible": "[::127.0.0.1]",
    "6to4": "[2002:7f00:1::]",
    "NAT64": "[64:ff9b::7f00:1]",
    "link-local, where clouds keep keys": "169.254.169.254",
    "the same as a number": "2852039166",
    "link-local of IPv6": "[fe80::1]",
    "unique local": "[fd00:ec2::254]",
    "carrier-grade NAT": "100.64.0.1",
    "multicast": "224.0.0.1",
    "name": "localhost",
    "dot of the root": "localhost.",
    "fullwidth digits": "１２７.０.０.１",
    "letters in circles": "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "name below": "metadata.google.internal",
}


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """Call addresses as production does."""
    return webhook_transport.transport(make_settings("", "", tmp_path))


@pytest.fixture
def listening() -> Iterator[Receiver]:
    """Whoever gets through is seen here."""
    with Receiver() as receiver:
        yield receiver
        assert receiver.taken == []


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("host", INSIDE.values(), ids=INSIDE)
def test_an_address_inside_is_refused_when_entered(host: str, scheme: str):
    with pytest.raises(BadUrl) as refusal:
        normal(f"{scheme}://{host}/hooks", private=False)
    assert refusal.value.code == "webhook_url_private"


def test_a_developer_is_told_which_setting_allows_it(post: Post):
    assert "WEBHOOK_PRIVATE_ADDRESSES=true" in ERRORS["webhook_url_private"]
    for url, what in (("http://127.0.0.1:8139/hook", "http://127.0.0.1:8139/hook is"), ("https://127.0.0.1/", "127.0")):
        with pytest.raises(Refused, match=f"^{what}.*WEBHOOK_PRIVATE_ADDRESSES=true") as refusal:
            post(url, {}, b"{}")
        assert len(str(refusal.value)) < SAID


@pytest.mark.parametrize("host", [host for name, host in INSIDE.items() if name != "name below"])
def test_and_when_called(post: Post, listening: Receiver, host: str):
    with pytest.raises((Refused, socket.gaierror)):  # not every machine knows each of the names
        post(f"https://{host}:{listening.port}/hooks", {}, b"{}")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop:secret@example.com/hooks",
        "https://127.0.0.1@example.com/",
        "https://example.com@127.0.0.1/",
        "https://127.0.0.1\\@example.com/",
    ],
)
def test_credentials_are_refused_and_go_nowhere(post: Post, listening: Receiver, url: str):
    with pytest.raises(BadUrl):
        normal(url, private=False)
    with pytest.raises((Refused, OSError, AssertionError)):  # nobody goes beyond this machine in tests
        post(url, {}, b"{}")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "webhook_url_not_https"),
        ("ftp://example.com/", "webhook_url_not_https"),
        ("file:///etc/passwd", "webhook_url_not_https"),
        ("example.com/hooks", "webhook_url_not_https"),
        ("https://", "webhook_url_malformed"),
        ("https://example.com:99999/", "webhook_url_malformed"),
        ("https://example.com/#here", "webhook_url_malformed"),
        ("https://exa mple.com/", "webhook_url_malformed"),
        ("https://example.com/a b", "webhook_url_malformed"),
        ("https://[fe80::1%25eth0]/", "webhook_url_malformed"),
        ("https://example..com/", "webhook_url_malformed"),
        (f"https://example.com/{'x' * 500}", "webhook_url_malformed"),
    ],
)
def test_what_is_no_address_to_be_told(url: str, code: str):
    with pytest.raises(BadUrl) as refusal:
        normal(url, private=False)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("  https://example.com:443/hooks?token=1 ", "https://example.com/hooks?token=1"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://müller.example/", "https://xn--mller-kva.example/"),
        ("https://93.184.215.14/", "https://93.184.215.14/"),
        ("https://[2606:2800:21f::1]/", "https://[2606:2800:21f::1]/"),
    ],
)
def test_public_addresses_are_kept_in_one_form(typed: str, kept: str):
    assert normal(typed, private=False) == normal(kept, private=False) == kept


def test_one_address_of_a_name_that_is_inside_is_one_too_many(tmp_path: Path, listening: Receiver):
    for found in ([PUBLIC, PRIVATE], [PRIVATE, PUBLIC]):
        post = webhook_transport.transport(make_settings("", "", tmp_path), lambda *_, found=found: found)
        with pytest.raises(Refused):
            post(f"https://example.com:{listening.port}/", {}, b"{}")


def test_a_name_that_changes_between_the_check_and_the_call_gets_nowhere(
    tmp_path: Path, listening: Receiver, monkeypatch: MonkeyPatch
):
    asked, called = [], []
    answers = iter([[PUBLIC], [PRIVATE], [PRIVATE]])

    def resolve(host: str, port: int) -> list[tuple[int, str]]:
        asked.append(host)
        return next(answers)

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*PRIVATE, 0, "", ("127.0.0.1", listening.port))])
    post = webhook_transport.transport(make_settings("", "", tmp_path), resolve)
    with pytest.raises(ConnectionRefusedError):
        post(f"https://example.com:{listening.port}/", {}, b"{}")
    assert (asked, called) == (["example.com"], [(PUBLIC[1], listening.port)])


def test_proxies_of_the_environment_are_not_asked(tmp_path: Path, monkeypatch: MonkeyPatch):
    with Receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        post = webhook_transport.transport(make_settings("", "", tmp_path, webhook_private_addresses=True))
        with Receiver() as receiver:
            assert post(receiver.url(), {}, b"{}").status == 200
        assert proxy.taken == []


def test_nobody_is_followed_to_another_address(tmp_path: Path):
    with Receiver() as inside:
        with Receiver(lambda _: (307, {"Location": inside.url("/keys")}, b"")) as receiver:
            post = webhook_transport.transport(make_settings("", "", tmp_path, webhook_private_addresses=True))
            answer = post(receiver.url(), {}, b"{}")
        assert (answer.status, answer.is_yes, len(receiver.taken)) == (307, False, 1)
        assert inside.taken == []


class TestEncryption:
    """The name is that of the address, though the call goes to a number."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        certify(tmp_path)
        both = tmp_path / "both.pem"
        both.write_bytes((tmp_path / "fullchain.pem").read_bytes() + (tmp_path / "privkey.pem").read_bytes())
        return both

    def test_the_name_is_told_and_proven(self, tmp_path: Path, certificate: Path):
        trust, names = ssl.create_default_context(cafile=certificate), []
        settings = make_settings("", "", tmp_path, webhook_private_addresses=True)
        post = webhook_transport.transport(settings, lambda *_: [PRIVATE], trust=trust)
        with Receiver(certificate=certificate) as receiver:
            assert post(f"https://localhost:{receiver.port}/hooks?a=1", {}, b"{}").text == "thanks"
            names = [(each.headers["host"], each.path) for each in receiver.taken]
            with pytest.raises(ssl.SSLCertVerificationError):
                post(f"https://shop.example.com:{receiver.port}/", {}, b"{}")
        assert names == [(f"localhost:{receiver.port}", "/hooks?a=1")]

    def test_whom_nobody_vouches_for_gets_nothing(self, tmp_path: Path, certificate: Path):
        post = webhook_transport.transport(make_settings("", "", tmp_path, webhook_private_addresses=True))
        with Receiver(certificate=certificate) as receiver:
            with pytest.raises(ssl.SSLCertVerificationError):
                post(f"https://localhost:{receiver.port}/", {}, b"{}")
            assert receiver.taken == []


class TestTime:
    """However somebody takes their time, it is soon over."""

    @pytest.fixture
    def hasty(self, tmp_path: Path) -> Post:
        settings = make_settings("", "", tmp_path, webhook_private_addresses=True)
        return webhook_transport.transport(settings, patience=0.5)

    def test_who_says_nothing(self, hasty: Post):
        with silence() as port, pytest.raises(TimeoutError):
            hasty(f"http://127.0.0.1:{port}/", {}, b"{}")

    @pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-A: "])
    def test_who_drips_before_the_answer_is_there(self, hasty: Post, beginning: bytes):
        with dripping(beginning) as port, pytest.raises(TimeoutError):
            hasty(f"http://127.0.0.1:{port}/", {}, b"{}")

    def test_who_has_answered_and_drips_has_answered(self, hasty: Post):
        with dripping(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n") as port:
            answer = hasty(f"http://127.0.0.1:{port}/", {}, b"{}")
        assert answer.status == 202
        assert answer.text.startswith("xx")

    def test_of_a_long_answer_the_beginning_is_read(self, hasty: Post):
        with Receiver(lambda _: (500, {}, b"x" * 10_000_000)) as receiver:
            assert len(hasty(receiver.url(), {}, b"{}").text) == webhook_transport.LONGEST


@contextmanager
def dripping(beginning: bytes) -> Iterator[int]:
    """Listen on a port, say the beginning, and then a byte at a time."""
    end = threading.Event()

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            line, _ = listener.accept()
            with line:
                line.sendall(beginning)
                while not end.wait(0.02):
                    line.sendall(b"x")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        end.set()
        thread.join()


@pytest.mark.parametrize("number", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_numbers(number: str):
    assert is_public(number)


def test_what_is_kept_of_a_request(tmp_path: Path):
    seen: list[Taken] = []
    settings = make_settings("", "", tmp_path, webhook_private_addresses=True)
    with Receiver() as receiver:
        webhook_transport.transport(settings)(receiver.url(), {"webhook-id": "msg_1"}, b'{"a":1}')
        seen = receiver.taken
    assert seen[0].body == b'{"a":1}'
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].headers["webhook-id"] == "msg_1"
