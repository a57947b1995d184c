"""Claiming that a referral is missing, and the friend's answer, as people do it."""

from email.message import EmailMessage

from tests.pages import Page, Visitor
from tests.people import Person, links_in, path_of, text_of

CLAIMS = "/dashboard/claims"


def claim(who: Person, address: str, day: str = "", expect: int = 303, **values: str) -> Page:
    values = {"joined_on": day or f"{who.post_office.app.config['CLOCK']():%Y-%m-%d}", "channel": "whatsapp"} | values
    return who.submit(who.get(CLAIMS).form(CLAIMS), expect, email=address, **values)


def questions(friend: Person) -> list[EmailMessage]:
    friend.post_office.deliver()
    return [letter for letter in friend.post_office.letters(friend.email) if "/claims/" in text_of(letter)]


def question_path(friend: Person) -> str:
    """Give the path in the newest question that came to a friend."""
    (link,) = [link for link in links_in(questions(friend)[-1]) if "/claims/" in link]
    return path_of(link)


def answer(friend: Person, says: str, browser: Visitor | None = None, path: str = "") -> Page:
    """Open the mailed link, in a browser in which nobody is signed in unless told, and press a button."""
    browser, path = browser or Visitor(friend.post_office.app), path or question_path(friend)
    form = browser.get(path).form(path)
    return browser.follow(browser.post(path, browser.filled_in(form) | {"answer": says}, 303))
