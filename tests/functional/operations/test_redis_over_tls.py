"""A Redis with a certificate of its provider's own: refused with the remedy, vouched for by a file, or taken as is."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from tests import servers
from tests.doctors import examined, says
from tests.pages import Visitor

pytestmark = pytest.mark.one_database


class Relay(BaseRequestHandler):
    """Takes the encryption off and passes on what is said, both ways."""

    def handle(self) -> None:
        with suppress(ssl.SSLError), socket.socket(socket.AF_UNIX) as inside:
            outside = self.server.context.wrap_socket(self.request, server_side=True)
            inside.connect(self.server.path)
            back = Thread(target=pass_on, args=(inside, outside))
            back.start()
            pass_on(outside, inside)
            back.join()
            outside.close()


def pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def encrypted(valkey: servers.Valkey, tmp_path: Path) -> Iterator[str]:
    """The address of a server with a certificate that only who has the file believes, which is the suite's Valkey."""
    servers.certify(tmp_path)
    with ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
        server.path = str(valkey.folder / "valkey.sock")
        server.daemon_threads, server.block_on_close = True, False
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"rediss://localhost:{server.server_address[1]}/0"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("parameter", ["ssl_cert_reqs=none", "ssl_ca_certs={folder}/fullchain.pem"])
def test_a_certificate_of_the_providers_own_is_taken_when_the_address_says_so(
    make_app, encrypted: str, tmp_path: Path, parameter: str
):
    visitor = Visitor(make_app(redis_url=f"{encrypted}?{parameter.format(folder=tmp_path)}"))
    assert visitor.client.get("/readyz").json == {"database": "ok", "redis": "ok"}


def test_a_certificate_that_nobody_vouches_for_is_named_with_the_remedy(make_app, encrypted: str):
    report = examined(make_app(redis_url=encrypted))["redis"]
    says(report, "vouched for by nobody")
    assert "ssl_ca_certs=FILE" in report["remarks"][0]["remedy"]
