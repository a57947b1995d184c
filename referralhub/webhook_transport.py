"""Calling the address of a webhook: the number that was checked and no other, once, and for so long at most.

It is Python's own HTTP client: it knows no proxies of the environment, follows nothing, and takes a connection that is
there already, so that between looking at an address and calling it no name is asked for again.
"""

import io
import socket
import ssl
from functools import cache
from http.client import HTTPConnection, HTTPException
from time import monotonic
from typing import Any

from referralhub.config import Settings
from referralhub.services.webhooks import addresses
from referralhub.services.webhooks.addresses import Found, Refused, Resolve
from referralhub.services.webhooks.delivery import SAID, Answer, Post

CONNECT_PATIENCE = 3.0  # seconds for each address of a name, encryption included
PATIENCE = 10.0  # seconds for all of it, however little comes at a time
LONGEST = 4 * SAID  # bytes of an answer that are read, of at most four a character
# Most whom this is said to are developers, who have set it for a command and not for the worker, or not at all.
WITHOUT = "and the server runs without WEBHOOK_PRIVATE_ADDRESSES=true"


def transport(
    settings: Settings,
    resolve: Resolve = addresses.resolved,
    *,
    trust: ssl.SSLContext | None = None,
    patience: float = PATIENCE,
) -> Post:
    """Return what posts a webhook. It raises OSError, Refused or HTTPException where there is no answer."""
    private = settings.webhook_private_addresses

    def post(url: str, headers: dict[str, str], body: bytes) -> Answer:
        encrypted, host, port, path = addresses.target(url)
        until = monotonic() + patience
        if not encrypted and not private:
            raise Refused(f"{url} is not https, {WITHOUT}")
        try:
            found = addresses.checked(host, port, private, resolve)
        except Refused as refusal:
            raise Refused(f"{refusal} is a private address, {WITHOUT}") from None
        with _connected(found, port, until) as plain:
            line = (trust or _trust()).wrap_socket(plain, server_hostname=host) if encrypted else plain
            with line:
                return _ask(_Patient(line, until), host, port, encrypted, path, headers, body)

    return post


def _connected(found: list[Found], port: int, until: float) -> socket.socket:
    """Connect to the first of the addresses that takes it. Raises OSError, that of the last."""
    refusal: OSError | None = None
    for family, number in found:
        line = socket.socket(family, socket.SOCK_STREAM)
        try:
            line.settimeout(_left(until, CONNECT_PATIENCE))
            line.connect((number, port))
        except OSError as error:
            line.close()
            refusal = error
        else:
            return line
    raise refusal or OSError


def _ask(
    line: "_Patient", host: str, port: int, encrypted: bool, path: str, headers: dict[str, str], body: bytes
) -> Answer:
    connection = HTTPConnection(host, port)
    connection.default_port = addresses.PORTS["https" if encrypted else "http"]  # which `Host` leaves out
    connection.sock = line  # which has all of a socket that the client uses
    sent = {"Content-Type": "application/json", "User-Agent": "ReferralHub", "Connection": "close"} | headers
    connection.request("POST", path, body, sent)
    answer = connection.getresponse()
    text = b""
    try:
        while len(text) < LONGEST and (some := answer.read1(LONGEST - len(text))):
            text += some
    except (OSError, HTTPException):
        pass  # the status was said, which is what counts
    return Answer(answer.status, text.decode("utf-8", "replace"))


class _Patient:
    """A connection as the client reads and writes it, which is patient until a moment and not anew for each byte."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self.line, self.until = line, until

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return what the answer is read from."""
        return io.BufferedReader(_Reader(self.line, self.until))

    def sendall(self, data: Any) -> None:
        """Send all of it. Raises TimeoutError."""
        rest = memoryview(data)
        while rest:
            self.line.settimeout(_left(self.until))
            rest = rest[self.line.send(rest) :]

    def close(self) -> None:
        """Do nothing: the client is done with it before the answer is read, and who made the connection closes it."""


class _Reader(io.RawIOBase):
    def __init__(self, line: socket.socket, until: float) -> None:
        self.line, self.until = line, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.line.settimeout(_left(self.until))
        return self.line.recv_into(buffer)


def _left(until: float, most: float = PATIENCE) -> float:
    left = min(until - monotonic(), most)
    if left <= 0:
        raise TimeoutError
    return left


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
