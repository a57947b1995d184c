"""A person's app for one-time codes."""

from datetime import datetime

from referralhub.services.accounts import totp
from tests.pages import Page
from tests.people import Person, text_of

SETTINGS = "/account/two-factor"


class App:
    """Shows the codes of one secret, by the same clock as the application's."""

    def __init__(self, secret: str, clock) -> None:
        self.secret, self.clock = secret, clock

    def code(self, at: datetime | None = None) -> str:
        return totp.code_at(self.secret, at or self.clock())

    def next_code(self) -> str:
        """Wait until the app shows another code, and read it."""
        self.clock.advance(seconds=30)
        return self.code()


def set_up(person: Person, clock) -> tuple[App, list[str]]:
    """Let a person set up a second step; gives the app, and the recovery codes that were shown."""
    page = person.get(SETTINGS)
    app = App(page.one("#totp-secret")["data-secret"], clock)
    shown = person.submit(page.form(SETTINGS), 200, code=app.code(), password=person.password)
    return app, codes_on(shown)


def codes_on(page: Page) -> list[str]:
    return [code.text for code in page.all("[data-recovery-code]")]


def give_code(person: Person, code: str, expect: int = 303) -> Page:
    """Fill in the form that comes after the password."""
    return person.submit(person.get("/login/code").form("/login/code"), expect, code=code)


def sign_in(person: Person, code: str, expect: int = 303) -> Page:
    """Sign in with password and code."""
    assert person.sign_in().location.startswith("/login/code")
    return give_code(person, code, expect)


def letters(person: Person) -> list[str]:
    """Deliver mail, and give what the person was told of how they sign in."""
    person.post_office.deliver()
    about = "How you sign in to ReferralHub was changed"
    return [text_of(letter) for letter in person.post_office.letters(person.email) if letter["Subject"] == about]


def switch_off(person: Person, code: str, password: str = "", expect: int = 303) -> Page:
    form = person.get(SETTINGS).form(f"{SETTINGS}/off")
    return person.submit(form, expect, code=code, password=password or person.password)
