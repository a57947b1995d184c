"""In a program that pays for purchases no page, mail or picture promises anything for a confirmed address."""

import pytest

from referralhub.services.program import rules
from tests.callers import CRAWLERS
from tests.pages import Visitor
from tests.people import Person, path_of

TERMS = {
    "qualifies_on": "purchase", "referrer_amount": 0, "referrer_share": 1250, "friend_amount": 500, "unit": "money",
    "currency": "EUR", "least_amount": 2000, "email_invitations": True,
}  # fmt: skip
WHAT = "the first purchase, from €20.00"


@pytest.mark.one_database
def test_every_place_says_what_it_takes(app, clock, alice: Person, bob: Person):
    with app.app_context():
        rules.change(TERMS, clock())
    alice.sign_up()
    alice.confirm_address()
    card = f"You get 12.5% of what your friend pays, your friend gets €5.00. That is for {WHAT}."
    dashboard = alice.get("/dashboard/")
    assert card in dashboard.one("#link-card").text
    assert f"You get €5.00 for {WHAT}." in dashboard.text
    home = Visitor(app).get("/")
    assert f"you earn 12.5% of what your friend pays for {WHAT}" in home.text
    assert f"€5.00 for {WHAT}." in home.text
    assert "confirm" not in home.one("ol.steps").text
    preview = Visitor(app).get(path_of(alice.link), headers={"User-Agent": CRAWLERS[0]})
    assert f"you get €5.00 for {WHAT}." in preview.text
    said = f"You get €5.00, alice gets 12.5% of what you pay. That is for {WHAT}."
    assert said in bob.click(path_of(alice.link)).text
    form = alice.get("/dashboard/invite").form("/dashboard/invite")
    letter = alice.submit(form, 200, addresses="carl@example.com").text
    assert f"gives you €5.00 for {WHAT}." in letter

    bob.sign_up()
    alice.post_office.deliver()
    mail = next(each for each in alice.post_office.letters(alice.email) if each["Subject"] == "bob joined by your link")
    text = mail.get_body(("plain",)).get_content()
    assert card in text
    assert "confirm" not in text


@pytest.mark.one_database
def test_a_page_in_the_referrers_name_says_so_too(app, clock, alice: Person, visitor: Visitor):
    with app.app_context():
        rules.change(TERMS | {"personal_landing": True}, clock())
    alice.sign_up()
    page = visitor.follow(visitor.get(path_of(alice.link), 302))
    assert [each.text for each in page.all("dd")] == ["€5.00", "12.5% of what you pay"]
    assert f"That is for {WHAT}." in page.text
    assert "confirmed" not in page.text
