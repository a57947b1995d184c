"""Mail by SMTP, to a small server of our own."""

import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy

import pytest

from referralhub.models import OutboxMessage
from tests.people import Person, PostOffice
from tests.servers import free_port


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail, unless it is told to refuse."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.received: list[tuple[str, bytes]] = []
        self.refusal: bytes | None = None

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        recipient = ""
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                self.wfile.write(self.server.refusal or b"250 ok\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text.removeprefix(b"."))
                self.server.received.append((recipient, b"".join(lines)))
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_mail_reaches_the_server(make_app, mail_server: MailServer):
    app = make_app(mail_url=f"smtp://127.0.0.1:{mail_server.port}?from=Hub%20<hub@example.com>")
    post_office = PostOffice(app)
    Person(app, post_office, "alice").sign_up()
    assert post_office.deliver() == 1
    ((recipient, data),) = mail_server.received
    letter = message_from_bytes(data, policy=policy.default)
    assert recipient == letter["To"] == "alice@example.com"
    assert letter["From"] == "Hub <hub@example.com>"
    assert "http://localhost/verify/" in letter.get_content()


@pytest.mark.parametrize("refusal", [b"550 no such mailbox\r\n", b"451 later\r\n"])
def test_a_refused_mail_is_kept_for_later(make_app, mail_server: MailServer, records, clock, refusal: bytes):
    app = make_app(mail_url=f"smtp://127.0.0.1:{mail_server.port}")
    post_office = PostOffice(app)
    Person(app, post_office, "alice").sign_up()
    mail_server.refusal = refusal
    assert post_office.deliver() == 0
    assert records.one(OutboxMessage).last_error
    mail_server.refusal = None
    clock.advance(minutes=2)
    assert post_office.deliver() == 1


def test_a_mail_server_that_is_away_stops_nobody(make_app, records, clock):
    app = make_app(mail_url=f"smtp://127.0.0.1:{free_port()}")
    post_office = PostOffice(app)
    alice = Person(app, post_office, "alice")
    alice.sign_up()
    assert post_office.deliver() == 0
    assert "refused" in records.one(OutboxMessage).last_error.lower()


def test_a_server_without_tls_gets_no_mail_where_tls_is_asked_for(make_app, mail_server: MailServer, records):
    app = make_app(mail_url=f"smtp://user:password@127.0.0.1:{mail_server.port}?tls=1")
    post_office = PostOffice(app)
    Person(app, post_office, "alice").sign_up()
    assert post_office.deliver() == 0
    assert mail_server.received == []
    assert "STARTTLS" in records.one(OutboxMessage).last_error
