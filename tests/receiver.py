"""Another program that takes webhooks, on a free port; it answers as it is told, or takes its time."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Taken:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @cached_property
    def message(self) -> dict[str, Any]:
        return json.loads(self.body)

    def verified(self, secret: str) -> dict[str, Any]:
        """Give the message, if the signature is good. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = Callable[[Taken], tuple[int, dict[str, str], bytes] | None]  # none: the connection is closed without a word


def yes(taken: Taken) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, b"thanks"


class Receiver:
    """Takes every request and keeps it; ends with its `with` block."""

    def __init__(self, answer: Answer = yes, certificate: Path | None = None) -> None:
        self.answer, self.taken = answer, []
        self.secret, self.forged = "", []  # where there is a secret, what does not prove by it to be ours, in time
        self.end = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):  # who sent it died on the way
                    return
                taken = Taken(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.taken.append(taken)
                receiver.look_at(taken)
                if (answer := receiver.answer(taken)) is None:
                    return
                status, headers, text = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def url(self, path: str = "/hooks") -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def look_at(self, taken: Taken) -> None:
        """See whether it is signed, and now: later it would be too old."""
        try:
            if self.secret:
                taken.verified(self.secret)
        except WebhookVerificationError:
            self.forged.append(taken)

    def hang(self, _: Taken) -> None:
        """Say nothing until the end."""
        self.end.wait(30)

    @property
    def types(self) -> list[str]:
        return [each.message["type"] for each in self.taken]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end.set()
        self.server.shutdown()
        self.server.server_close()
