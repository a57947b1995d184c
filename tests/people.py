"""The people of the tests, and what they do in the program."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask

from referralhub import mail_content
from referralhub.extensions import db
from referralhub.mail_transport import mail_folder, transport
from referralhub.models import Base, User, VisitDaily
from referralhub.services.accounts import credentials
from referralhub.services.links import visits
from referralhub.services.mailing.delivery import Delivery
from referralhub.services.recourse import missing
from referralhub.services.referrals import invitation_progress
from tests.pages import Element, Page, Visitor

Result = TypeVar("Result")


class Clock:
    """The application's time: it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        """Move on, by `hours=25` and the like."""
        self.now += timedelta(**span)


class PostOffice:
    """Delivers what is in the outbox, as the worker does, and keeps the letters."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.folder = mail_folder(app.config["SETTINGS"])

        self.delivery = Delivery(
            mail_content.write, transport(app.config["SETTINGS"]), app.config["CLOCK"],
            invitation_progress.note_posted, invitation_progress.note_bounced, invitation_progress.note_unwanted,
        )  # fmt: skip

    def deliver(self) -> int:
        with self.app.app_context():
            credentials.answer_resets(self.app.config["CLOCK"]())
            missing.ask_friends(self.app.config["CLOCK"](), new_only=True)
            return self.delivery.run()

    def letters(self, to: str) -> list[EmailMessage]:
        """Give the letters to this address, oldest first."""
        return [letter for letter in read_letters(self.folder) if letter["To"] == to]


def user_named(username: str) -> User:
    """Find an account, in the application at work."""
    return db.session.scalars(db.select(User).filter_by(username=username)).one()


def read_letters(folder: Path) -> list[EmailMessage]:
    """Read every mail that was written into the folder, oldest first."""
    files = sorted(folder.glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def text_of(letter: EmailMessage) -> str:
    """Give the text part of a letter."""
    return str(letter.get_body(("plain",)).get_content())


def links_in(letter: EmailMessage) -> list[str]:
    """Give every address in the text of a letter."""
    return [word for word in text_of(letter).split() if urlsplit(word).scheme.startswith("http")]


def link_in(letter: EmailMessage, path: str) -> str:
    """Find the one address in a letter whose path begins like this."""
    links = [link for link in links_in(letter) if urlsplit(link).path.startswith(path)]
    assert len(links) == 1, f"{links} in\n{text_of(letter)}"
    return links[0]


class Person(Visitor):
    """Somebody with a name, an address and a password, with or without an account yet."""

    root = ""  # the path of the site that the application is below

    def __init__(self, app: Flask, post_office: PostOffice, username: str, **environ: str) -> None:
        super().__init__(app, **environ)
        self.post_office = post_office
        self.username = username
        self.email = f"{username}@example.com"
        self.password = f"{username} likes tea"

    def click(self, link: str) -> Page:
        """Follow a member's link to the form, on whichever of its two pages the program has it."""
        return self._through(self.follow(self.get(path_of(link), 302), None))

    def fill_in_signup(self, expect: int = 303, **values: str) -> Page:
        """Send the signup form, filled in well but for `values`."""
        usual = {
            "username": self.username,
            "email": self.email,
            "password": self.password,
            "password_confirm": values.get("password", self.password),
        }
        page = self._through(self.get(f"{self.root}/signup", None))
        return self.submit(page.form(urlsplit(page.response.request.url).path), expect, **(usual | values))

    def sign_up(self, **values: str) -> None:
        """Make the account, which leads to the dashboard; `arrive` looks at it."""
        assert self.fill_in_signup(**values).location == f"{self.root}/dashboard/"

    def arrive(self, **values: str) -> Page:
        """Make the account and arrive at the dashboard."""
        return self.follow(self.fill_in_signup(**values))

    def sign_in(self, expect: int = 303, **values: str) -> Page:
        usual = {"username": self.username, "password": self.password}
        return self.submit(self._form("/login"), expect, **(usual | values))

    def in_another_browser(self, **environ: str) -> "Person":
        """Give the same person at another machine, where nobody is signed in yet."""
        twin = Person(self.post_office.app, self.post_office, self.username, **environ)
        twin.email, twin.password = self.email, self.password
        return twin

    def sign_out(self) -> Page:
        return self.submit(self.get(f"{self.root}/dashboard/").form(f"{self.root}/logout"))

    def verification_path(self) -> str:
        """Give the path in the newest verification mail."""
        return self.mailed_path(f"{self.root}/verify/")

    def mailed_path(self, begin: str, to: str = "") -> str:
        """Give the path that begins like this, from the newest mail that has one; to the own address unless told."""
        self.post_office.deliver()
        letters = [a for a in self.post_office.letters(to or self.email) if begin in text_of(a)]
        return path_of(link_in(letters[-1], begin))

    def confirm_address(self, expect: int = 303) -> Page:
        """Press the button behind the link in the mail."""
        path = self.verification_path()
        return self.submit(self.get(path).form(path), expect)

    def change_address(self, address: str) -> None:
        """Ask for another address, and press the button in the mail that comes there."""
        self.submit(self.get("/account/email").form("/account/email"), email=address, password=self.password)
        path = self.mailed_path("/account/email/", to=address)
        self.submit(self.get(path).form(path))
        self.email = address

    def delete_account(self) -> Page:
        return self.submit(self.get("/account/data").form("/account/delete"), password=self.password)

    @property
    def link(self) -> str:
        """The member's own link, from the dashboard."""
        return self.get(f"{self.root}/dashboard/").one("#referral-link")["value"]

    @property
    def code(self) -> str:
        return self.link.rstrip("/").rpartition("/")[2]

    def _through(self, page: Page) -> Page:
        """Go on where a page of the signup form leads to the other one."""
        page = self.follow(page) if page.status == 302 else page
        assert page.status == 200, page.response.status
        return page

    def _form(self, path: str) -> Element:
        return self.get(f"{self.root}{path}").form(f"{self.root}{path}")


def path_of(link: str) -> str:
    """Take the site's address off a link."""
    parts = urlsplit(link)
    return parts.path + (f"?{parts.query}" if parts.query else "")


class Records:
    """Looks into the database, each time with fresh eyes."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def all(self, model: type[Base], **values: object) -> list:
        with self.app.app_context():
            return list(db.session.scalars(db.select(model).filter_by(**values).order_by(*model.__table__.primary_key)))

    def one(self, model: type[Base], **values: object):
        rows = self.all(model, **values)
        assert len(rows) == 1, f"{len(rows)} rows of {model.__name__} with {values}"
        return rows[0]

    def visits(self, **values: object) -> list[VisitDaily]:
        """Give the visits of each day, after booking the newest as the worker does."""
        with self.app.app_context():
            visits.book_all(self.app.extensions["redis"], self.app.config["CLOCK"]())
        return self.all(VisitDaily, **values)

    def everything(self) -> dict[str, list[tuple]]:
        """Give every row of every table, to compare before and after."""
        with self.app.app_context():
            tables = db.metadata.sorted_tables
            return {t.name: [tuple(r) for r in db.session.execute(t.select().order_by(*t.primary_key))] for t in tables}

    def change(self, action: Callable[[], object]) -> None:
        """Do something to the database as an operator would, and commit it."""
        with self.app.app_context():
            action()
            db.session.commit()


def all_at_once(actions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run the actions in threads that start together; an error in one is an error of the test."""
    start = threading.Barrier(len(actions))
    results: list[Result] = []
    errors: list[BaseException] = []

    def run(action: Callable[[], Result]) -> None:
        try:
            start.wait()
            results.append(action())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
