"""A mail server of the suite's own: aiosmtpd on a free port, which can refuse, take its time and hang up."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port


@dataclass(frozen=True)
class Delivered:
    """One mail as it was taken: for whom, over which connection, and at which moment of `time.monotonic`."""

    recipient: str
    letter: EmailMessage
    peer: tuple[str, int]
    at: float

    @property
    def message_id(self) -> str:
        return str(self.letter["Message-ID"])

    @property
    def row_id(self) -> int:
        """The outbox row that it was written from."""
        return int(self.message_id[1:9])


class MailServer:
    """Takes every mail, unless it is told otherwise; ends with its `with` block. Options are those of aiosmtpd."""

    def __init__(self, **options: object) -> None:
        self.taken: list[Delivered] = []
        self.refusal: str | None = None  # said to every recipient
        self.naps: dict[str, float] = {}  # seconds until mail to a domain is taken
        self.interrupt: Callable[[str], None] = lambda step: None  # called at RCPT, and when DATA is kept, unanswered
        self._controller = _Controller(self, "127.0.0.1", free_port(), **options)

    @property
    def port(self) -> int:
        return int(self._controller.port)

    @property
    def recipients(self) -> list[str]:
        return [mail.recipient for mail in self.taken]

    def hang_up(self, last_words: bytes = b"") -> None:
        """End every connection, as a server does with those that are idle."""

        async def end() -> None:
            for line in self._controller.lines:
                if line.transport is not None:
                    line.transport.write(last_words)
                    line.transport.abort()
            while any(line.transport for line in self._controller.lines):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._controller.loop).result()

    async def handle_RCPT(
        self, line: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.interrupt("RCPT")
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, line: SMTP, session: Session, envelope: Envelope) -> str:
        (recipient,) = envelope.rcpt_tos
        await asyncio.sleep(self.naps.get(recipient.rpartition("@")[2], 0))
        letter = message_from_bytes(envelope.original_content, policy=policy.default)
        self.taken.append(Delivered(recipient, letter, session.peer, time.monotonic()))
        self.interrupt("DATA")
        return "250 taken"

    def __enter__(self):
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._controller.stop()


class _Controller(Controller):
    """Runs the server in a thread, and remembers its connections."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.lines: list[SMTP] = []

    def factory(self) -> SMTP:
        self.lines.append(super().factory())
        return self.lines[-1]


# Made by nobody whom anybody trusts, for 127.0.0.1, until the year 2126.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyojRhKVD9IyxxbXz
EtLIh7vfTnvWaMQGx25HrhRg6behRANCAATYc0Az1AKUd66g8Qv32r5WChjcnW3o
TTwt4yO2utkBs0vXaAKD9BSLnJELvlcJoerY8aXNYTx8jgPvMR5f5i4J
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBoTCCAUagAwIBAgIUTZx4XPs6Q3Ga4ncci9g8qOZLi0swCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMjIyMTIyNFoYDzIxMjYxMDI5
MjIxMjI0WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATYc0Az1AKUd66g8Qv32r5WChjcnW3oTTwt4yO2utkBs0vXaAKD9BSL
nJELvlcJoerY8aXNYTx8jgPvMR5f5i4Jo3QwcjAdBgNVHQ4EFgQUGN3yMHAKMA2u
nvgDPJHxZjWUi+AwHwYDVR0jBBgwFoAUGN3yMHAKMA2unvgDPJHxZjWUi+AwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMA4GA1UdDwEB/wQEAwIChDAK
BggqhkjOPQQDAgNJADBGAiEA3PaFQXhPIiSHQzg4tzg+nNALW7ZDQxRYXVquR1CM
M48CIQD9gGpocY5u6ek7ANCIHhLLlQ6QRwDm+lzg9hxc9th4UQ==
-----END CERTIFICATE-----
"""
