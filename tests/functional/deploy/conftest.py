"""nginx with the files of `deploy/nginx`, on loopback, before web processes of the test's choice."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPMessage, HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from referralhub.config import PROJECT
from tests import servers

SYSTEM = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
NGINX = shutil.which("nginx", path=SYSTEM)
FILES = PROJECT / "deploy/nginx"
NAME = "refer.example.com"
MAIN = """daemon off; {user} pid {folder}/pid; error_log {folder}/error.log info; worker_processes 1;
events {{ worker_connections 24; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    gzip on; gzip_proxied any; gzip_min_length 1;
    include sites-enabled/*;
}}
"""


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: str


class Nginx(servers.Server):
    """nginx with our files; only names, ports and the place of the certificate are other ones."""

    def __init__(self, folder: Path, *upstream: int) -> None:
        self.folder = folder
        self.log = folder / "error.log"
        self.ports = {"80": servers.free_port(), "443": servers.free_port()}
        self.base_url = f"https://localhost:{self.ports['443']}"
        servers.certify(folder)
        self.trusting = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        shutil.copytree(FILES, folder / "referralhub")
        site = (FILES / "referralhub.conf").read_text()
        site = re.sub(r"listen \[::\].*\n", "", site)
        site = re.sub(r"listen (\d+)", lambda found: f"listen 127.0.0.1:{self.ports[found[1]]}", site)
        site = site.replace(f"/etc/letsencrypt/live/{NAME}", str(folder)).replace("/var/www/html", str(folder))
        (folder / "sites-enabled").mkdir()
        (folder / "sites-enabled/site").write_text(site)
        processes = (FILES / "upstream.conf").read_text()
        for port, instead in zip((8001, 8002), upstream, strict=False):
            processes = processes.replace(f"127.0.0.1:{port}", f"127.0.0.1:{instead}")
        (folder / "referralhub/upstream.conf").write_text(processes)
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))

    def command(self) -> list[str | Path]:
        return [NGINX, "-e", self.log, "-c", self.folder / "nginx.conf"]

    def options(self) -> dict[str, object]:
        return {"stderr": self._output}

    def start(self) -> None:
        with self.log.open("ab") as self._output:
            super().start()

    def answers(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.ports["443"]), 2).close()
            return True
        return False

    def says(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Ask the program about its configuration."""
        return subprocess.run([*map(str, self.command()), *options], capture_output=True, text=True, check=False)

    def connect(self) -> ssl.SSLSocket:
        """Open a connection by TLS."""
        plain = socket.create_connection(("127.0.0.1", self.ports["443"]), 10)
        return self.trusting.wrap_socket(plain, server_hostname="localhost")

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """Send one request by TLS, under the name of the site."""
        connection = HTTPSConnection("localhost", self.ports["443"], context=self.trusting, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, named)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return Answer(answer.status, answer.headers, text)


@contextmanager
def web_process(application: Callable, port: int) -> Iterator[BaseWSGIServer]:
    """Serve an application from a thread of the test's own."""
    server = make_server("127.0.0.1", port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def start_nginx() -> Iterator[Callable[..., Nginx]]:
    """Start nginx before the ports that are named."""
    if NGINX is None:
        pytest.skip("there is no nginx on this machine (Debian: apt install nginx)")
    with ExitStack() as stack:

        def start(*upstream: int) -> Nginx:
            folder = stack.enter_context(servers.short_folder())
            return stack.enter_context(Nginx(folder, *upstream))

        yield start
