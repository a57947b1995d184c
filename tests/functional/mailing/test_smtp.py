"""Mail by SMTP, over a socket to a server of our own."""

import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from referralhub import mail_content, mail_transport
from referralhub.extensions import db
from referralhub.models import MessageKind, OutboxMessage
from referralhub.services.mailing import outbox
from referralhub.services.mailing.delivery import DETOUR, LEASE, Refused
from referralhub.words.letters import Paragraph
from tests.conftest import DATABASES
from tests.factories import member
from tests.mail_server import SELF_SIGNED, MailServer
from tests.people import Person, PostOffice
from tests.servers import free_port, wait_until

pytestmark = pytest.mark.one_database
HURRY = 0.3  # seconds


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def make_post_office(make_app) -> Iterator[Callable[[str], PostOffice]]:
    """Build an application that sends its mail there."""
    made: list[PostOffice] = []

    def make(mail_url: str) -> PostOffice:
        made.append(PostOffice(make_app(mail_url=mail_url)))
        return made[-1]

    yield make
    for post_office in made:
        for connection in post_office.delivery.post.idle:
            connection.close()


@pytest.fixture
def post_office(make_post_office, mail_server: MailServer) -> PostOffice:
    return make_post_office(f"smtp://127.0.0.1:{mail_server.port}?from=Hub%20<hub@example.com>")


@pytest.fixture
def alice(post_office: PostOffice) -> Person:
    return Person(post_office.app, post_office, "alice")


@pytest.fixture
def queue(post_office: PostOffice, clock) -> Callable[..., None]:
    """Queue a mail to each of these addresses."""
    member(post_office.app, "alice", clock())

    def put(*addresses: str) -> None:
        with post_office.app.app_context():
            for address in addresses:
                kind = MessageKind.VERIFY_ADDRESS
                outbox.queue(db.session(), kind, 1, f"to {address}", {}, clock(), address=address)
            db.session.commit()

    return put


def test_the_mail_reaches_the_server(alice: Person, post_office: PostOffice, mail_server: MailServer):
    alice.sign_up()
    assert post_office.deliver() == 1
    (taken,) = mail_server.taken
    assert taken.recipient == taken.letter["To"] == "alice@example.com"
    assert taken.letter["From"] == "Hub <hub@example.com>"


def test_a_mail_to_look_at_reaches_the_server_at_once(post_office: PostOffice, mail_server: MailServer, clock):
    with post_office.app.app_context():
        mail = mail_content.sample("Hello", [Paragraph("How it reads")], "grace@example.com", clock())
        mail_transport.post_at_once(post_office.app.config["SETTINGS"], mail)
    (taken,) = mail_server.taken
    assert taken.recipient == "grace@example.com" and taken.letter["From"] == "Hub <hub@example.com>"
    mail_server.refusal = "550 no"
    with post_office.app.app_context(), pytest.raises(Refused):
        mail_transport.post_at_once(post_office.app.config["SETTINGS"], mail)


def test_both_parts_of_a_mail_arrive(alice: Person, post_office: PostOffice, mail_server: MailServer):
    alice.sign_up()
    post_office.deliver()
    (taken,) = mail_server.taken
    assert taken.letter.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in taken.letter.iter_parts()] == ["text/plain", "text/html"]
    for part in taken.letter.iter_parts():
        assert "http://localhost/verify/" in part.get_content()


def test_a_mail_that_is_not_taken_now_is_kept_for_later(alice, post_office, mail_server, records, clock):
    alice.sign_up()
    mail_server.refusal = "451 later"
    assert post_office.deliver() == 0
    assert records.one(OutboxMessage).last_error == "451 later"
    mail_server.refusal = None
    clock.advance(minutes=2)
    assert post_office.deliver() == 1


def test_a_mail_that_is_refused_is_a_dead_letter_at_once_and_can_be_sent_again(
    alice, post_office, mail_server, records, clock
):
    alice.sign_up()
    mail_server.refusal = "550 no such mailbox"
    assert post_office.deliver() == 0
    row = records.one(OutboxMessage)
    assert (row.next_try_at, row.delivered_at, row.last_error) == (None, None, "550 no such mailbox")
    mail_server.refusal = None
    clock.advance(days=30)
    assert post_office.deliver() == 0
    with post_office.app.app_context():
        assert [letter.id for letter in outbox.dead_letters()] == [row.id]
        assert outbox.send_again(clock()) == 1
    assert post_office.deliver() == 1
    assert mail_server.recipients == ["alice@example.com"]


def test_a_mail_server_that_is_away_stops_nobody(make_post_office, records):
    post_office = make_post_office(f"smtp://127.0.0.1:{free_port()}")
    Person(post_office.app, post_office, "alice").sign_up()
    assert post_office.deliver() == 0
    assert "refused" in records.one(OutboxMessage).last_error.lower()


def test_several_mails_share_a_connection(queue, post_office: PostOffice, mail_server: MailServer):
    queue("a@one.example", "b@two.example")
    assert post_office.deliver() == 2
    queue("c@one.example")
    assert post_office.deliver() == 1
    assert len({taken.peer for taken in mail_server.taken}) == 1


@pytest.mark.parametrize("last_words", [b"", b"421 4.4.2 Idle for too long\r\n"])
def test_a_connection_that_the_server_ended_does_no_harm(queue, post_office, mail_server, records, last_words: bytes):
    queue("a@example.com")
    assert post_office.deliver() == 1
    mail_server.hang_up(last_words)
    queue("b@example.com")
    assert post_office.deliver() == 1
    assert mail_server.recipients == ["a@example.com", "b@example.com"]
    assert len({taken.peer for taken in mail_server.taken}) == 2
    assert [row.attempts for row in records.all(OutboxMessage)] == [1, 1]


def test_a_server_without_tls_gets_no_mail_where_tls_is_asked_for(make_post_office, mail_server: MailServer, records):
    post_office = make_post_office(f"smtp://user:password@127.0.0.1:{mail_server.port}?tls=1")
    Person(post_office.app, post_office, "alice").sign_up()
    assert post_office.deliver() == 0
    assert mail_server.taken == []
    assert "STARTTLS" in records.one(OutboxMessage).last_error


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "self_signed.pem"
    file.write_text(SELF_SIGNED)
    return file


@pytest.fixture
def seen() -> list[LoginPassword]:
    """Whoever tried to sign in at the server that wants it."""
    return []


@pytest.fixture
def secure_server(certificate: Path, seen: list[LoginPassword]) -> Iterator[MailServer]:
    """A mail server that takes mail over TLS from those who sign in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def check(_server, _session, _envelope, _mechanism, login: LoginPassword) -> AuthResult:
        seen.append(login)
        return AuthResult(success=login == LoginPassword(b"user", b"pass/word"))

    with MailServer(tls_context=context, require_starttls=True, auth_required=True, authenticator=check) as server:
        yield server


@pytest.fixture
def secure_post_office(make_post_office, secure_server: MailServer) -> PostOffice:
    return make_post_office(f"smtp://user:pass%2Fword@127.0.0.1:{secure_server.port}?tls=1")


def test_a_server_whose_certificate_nobody_trusts_gets_neither_mail_nor_password(
    secure_post_office: PostOffice, secure_server: MailServer, seen, records
):
    Person(secure_post_office.app, secure_post_office, "alice").sign_up()
    assert secure_post_office.deliver() == 0
    assert secure_server.taken == seen == []
    row = records.one(OutboxMessage)
    assert "certificate verify failed" in row.last_error
    assert row.next_try_at  # somebody may mend it


def test_a_trusted_server_gets_the_mail_after_the_password(
    secure_post_office: PostOffice, secure_server: MailServer, certificate: Path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    Person(secure_post_office.app, secure_post_office, "alice").sign_up()
    assert secure_post_office.deliver() == 1
    assert secure_server.recipients == ["alice@example.com"]


def test_a_server_that_is_encrypted_from_the_start_gets_the_mail(make_post_office, certificate: Path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with MailServer(ssl_context=context) as server:
        post_office = make_post_office(f"smtps://127.0.0.1:{server.port}")
        Person(post_office.app, post_office, "alice").sign_up()
        assert post_office.deliver() == 1
        assert server.recipients == ["alice@example.com"]


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_receiver_that_hangs_holds_up_no_other_and_gets_its_mail_once(queue, post_office, mail_server, clock):
    post_office.delivery.hurry = HURRY
    mail_server.naps["slow.example"] = 5 * HURRY
    queue("a@slow.example", "b@slow.example", "c@one.example", "d@two.example")
    begun = time.monotonic()
    assert post_office.deliver() == 2
    assert time.monotonic() - begun < 4 * HURRY
    assert mail_server.recipients == ["c@one.example", "d@two.example"]

    clock.now += LEASE  # as if it took so long; it is still on its way and must not be sent a second time
    assert post_office.deliver() == 0
    wait_until(lambda: len(mail_server.taken) == 3, "the receiver took it")
    mail_server.naps.clear()
    finished = 0

    def is_finished() -> bool:
        nonlocal finished
        finished += post_office.deliver()
        return bool(finished)

    wait_until(is_finished, "it is marked as delivered")
    clock.now += DETOUR
    assert post_office.deliver() == 1
    clock.now += LEASE
    assert post_office.deliver() == 0
    assert Counter(mail_server.recipients) == Counter(
        ["a@slow.example", "b@slow.example", "c@one.example", "d@two.example"]
    )
