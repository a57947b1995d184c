"""The operator's own words: what they can be, whom they reach, and how ours come back."""

from email.message import EmailMessage
from unittest import mock
from urllib.parse import unquote

import pytest
from flask import Flask

from referralhub import languages
from referralhub.admin import texts as pages
from referralhub.extensions import db
from referralhub.models import AuditLine, OwnText
from referralhub.services.mailing.letters import LONGEST_BODY
from referralhub.words import letters
from referralhub.words.letter_texts import LETTERS
from referralhub.words.texts import TITLES
from tests.pages import Page
from tests.people import Person, PostOffice, Records, text_of

HERE = "/admin/texts/friend_joined/de/"
SHARE = "/admin/texts/share_with_reward/en/"
BODY = "Hallo {name},\n\n{friend} ist da.\n\nZur Übersicht: {dashboard_url}"
WRONG = [
    ("subject", "", "1 to 200"), ("subject", "x" * 201, "1 to 200"), ("subject", "a\x07b", "control character"),
    ("subject", "{dashboard_url}", "{dashboard_url}, which stands for nothing"), ("subject", "{friends}", "{friends}"),
    ("body", " \n ", "1 to 10,000"), ("body", "x" * (LONGEST_BODY + 1), "1 to 10,000"),
    ("body", BODY + "{friend.__class__}", "{friend.__class__}, which stands for nothing"),
    ("body", BODY + "{0}", "{0}, which"), ("body", BODY + "{}", "{}, which"), ("body", BODY + "{name!r}", "{name!r}"),
    ("body", BODY + "{name:>9}", "{name:>9}"), ("body", BODY + "{amount}", "{amount}, which"),
    ("body", BODY + "{", "brace"), ("body", BODY + "}", "brace"), ("body", "{{name}}\n\n" + BODY, "brace"),
    ("body", "Hallo {name}", "keep its link"), ("body", "Hier, {dashboard_url} da", "keep its link"),
    ("body", BODY + "\x00", "control character"),
]  # fmt: skip


def put(admin: Person, path: str, expect: int = 303, button: str = "", **values: str) -> Page:
    form = admin.get(path).form(path)
    typed = {"body": "".join(map(str, form.one("textarea").children)).strip()}
    return admin.post(path + button, admin.filled_in(form, **(typed | values)), expect)


def html_of(letter: EmailMessage) -> str:
    return str(letter.get_body(("html",)).get_content())


@pytest.fixture
def bring(alice: Person, bob: Person, post_office: PostOffice):
    """Let Bob join by Alice's link, and give what she is mailed about it."""

    def run(language: str) -> EmailMessage:
        alice.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        alice.sign_up()
        alice.confirm_address()
        bob.click(alice.link)
        bob.sign_up()
        post_office.deliver()
        return post_office.letters(to=alice.email)[-1]

    return run


def test_every_letter_has_a_title():
    assert set(TITLES) == set(LETTERS)


class TestWhatCanBeSaid:
    @pytest.mark.parametrize(("field", "text", "problem"), WRONG)
    def test_what_cannot_is_refused_and_says_why(
        self, admin: Person, records: Records, field: str, text: str, problem: str
    ):
        for button in ("", "preview", "mail"):
            page = put(admin, HERE, 422, button, **({"subject": "Da", "body": BODY} | {field: text}))
            assert problem in page.one(f"#{field}-error").text
            assert not page.all("[data-reads]")
        assert records.all(OwnText) == [] and records.all(AuditLine, action="text.change") == []

    def test_the_longest_is_taken_with_the_line_ends_of_a_browser(self, admin: Person, records: Records):
        put(admin, HERE, subject="x" * 200, body="x" * (LONGEST_BODY - len(BODY) - 2) + "\r\n\r\n" + BODY)
        assert len(records.one(OwnText).body) == LONGEST_BODY

    @pytest.mark.parametrize("path", ["/admin/texts/nothing/de/", "/admin/texts/invitation/fr/"])
    def test_there_is_no_other_text(self, admin: Person, path: str):
        admin.get(path, 404)
        for button in ("", "preview", "mail", "original"):
            values = admin.filled_in(admin.get(HERE).form(HERE), subject="x", body="x")
            admin.post(path + button, values, 404)


class TestLookingAtIt:
    def test_what_was_typed_is_shown_with_something_filled_in_and_nothing_is_written(self, admin, records):
        page = put(admin, HERE, 200, "preview", subject="{friend} <b>da</b>", body=BODY)
        shown = page.one("[data-reads]").text
        assert "Kim <b>da</b>" in shown and "Hallo Robin," in shown and "Zur Übersicht: http://localhost/" in shown
        assert page.one("#body").text == " ".join(BODY.split())
        assert records.all(OwnText) == []

    @pytest.mark.parametrize("name", LETTERS)
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_every_letter_can_be_looked_at_as_it_is(self, admin: Person, name: str, language: str):
        page = put(admin, f"/admin/texts/{name}/{language}/", 200, "preview")
        assert "{" not in page.one("[data-reads]").text

    def test_it_is_mailed_to_who_wrote_it(self, admin: Person, post_office: PostOffice, records: Records):
        page = put(admin, HERE, 200, "mail", subject="{friend} da", body=BODY + "\n\n<i>x</i>\nzwei")
        assert f"It was sent to {admin.email}" in page.text
        letter = post_office.letters(to=admin.email)[-1]
        assert letter["Subject"] == "Kim da" and "<i>x</i>\nzwei" in text_of(letter)
        assert "&lt;i&gt;x&lt;/i&gt;" in html_of(letter) and "<i>" not in html_of(letter)
        assert records.all(OwnText) == []

    def test_a_mail_server_that_refuses_is_told_of(self, admin: Person):
        with mock.patch.object(pages, "post_at_once", side_effect=OSError("454 not now")):
            page = put(admin, HERE, 422, "mail", subject="Da", body=BODY)
        assert "454 not now" in page.text


class TestMail:
    def test_a_german_letter_reaches_who_reads_german(self, admin: Person, bring):
        put(admin, HERE, subject="{friend} <b>da</b>", body=BODY + "\n\n<script>x</script>")
        letter = bring("de")
        assert letter["Subject"].endswith(" <b>da</b>") and "<script>x</script>" in text_of(letter)
        assert "&lt;script&gt;" in html_of(letter) and "<script" not in html_of(letter)
        assert "Zur Übersicht</a>" in html_of(letter)

    def test_and_nobody_else(self, admin: Person, bring):
        put(admin, HERE, subject="{friend} ist da", body=BODY)
        assert bring("en")["Subject"].endswith(" joined by your link")

    def test_back_to_the_original(self, app: Flask, admin: Person, bring, records: Records):
        put(admin, HERE, subject="{friend} ist da", body=BODY)
        admin.submit(admin.get(HERE).form(f"{HERE}original"))
        assert records.all(OwnText) == []
        assert not admin.get(HERE).all(f'form[action="{HERE}original"]')
        with app.app_context(), languages.speaking("de"):
            original = letters.original("friend_joined")
        assert bring("de")["Subject"].endswith(original.subject.partition("}")[2])

    def test_one_that_names_what_there_is_no_longer_is_not_said(self, app: Flask, bring, clock):
        with app.app_context():
            db.session.add(OwnText(name="friend_joined", language="en", subject="{x}", body="{x.y}", changed=clock()))
            db.session.commit()
        assert bring("en")["Subject"].endswith(" joined by your link")

    def test_a_member_looks_at_the_invitation_in_these_words(self, run, admin: Person, alice: Person):
        run("program", "preset", "paypal")
        put(admin, "/admin/texts/invitation_with_reward/en/", subject="Come, says {inviter}")
        alice.sign_up()
        alice.confirm_address()
        form = alice.get("/dashboard/invite").form("/dashboard/invite")
        assert "Come, says alice" in alice.submit(form, 200, addresses="dan@example.com").text


class TestWhatMembersShare:
    def test_it_is_on_the_dashboard_at_once_and_so_is_the_original(self, run, admin: Person, alice: Person):
        run("program", "preset", "paypal")
        alice.sign_up()
        assert "I'm using ReferralHub" in unquote(shared(alice))
        put(admin, SHARE, subject="Hey & hi", body="Ahoy {brand} <3, {reward}:")
        said = unquote(shared(alice))
        assert "Ahoy ReferralHub <3, " in said and "subject=Hey & hi" in said
        admin.submit(admin.get(SHARE).form(f"{SHARE}original"))
        assert "I'm using ReferralHub" in unquote(shared(alice))

    def test_it_takes_no_query_more(self, admin: Person, alice: Person, clock, count_queries):
        alice.sign_up()
        put(admin, SHARE, body="Ahoy {brand}:")
        put(admin, "/admin/texts/share/de/", body="Ahoi {brand}:")
        clock.advance(seconds=6)
        with count_queries(of_brand=True) as statements:
            alice.get("/dashboard/")
        assert len([each for each in statements.sent if "own_text" in each]) == 1
        assert all("FROM brand" in each for each in statements.sent if "own_text" in each)

    def test_it_is_shorter(self, admin: Person):
        assert "1 to 1,000" in put(admin, SHARE, 422, body="x" * 1001).one("#body-error").text


class TestOnRecord:
    def test_each_change_is_in_the_audit_log(self, admin: Person, records: Records):
        put(admin, HERE, subject="Da", body=BODY)
        put(admin, HERE, subject="Da", body=BODY)  # no change
        put(admin, HERE, subject="Hier", body=BODY)
        admin.submit(admin.get(HERE).form(f"{HERE}original"))
        lines = records.all(AuditLine, action="text.change")
        assert [(each.before["subject"], each.after["subject"]) for each in lines][1:2] == [("Da", "Hier")]
        assert len(lines) == 3 and lines[0].after["text"] == "friend_joined" and lines[0].after["language"] == "de"
        assert "Hier" in admin.get("/admin/audit/").text

    def test_typing_the_original_is_no_own_text(self, admin: Person, records: Records):
        put(admin, SHARE, **LETTERS["share_with_reward"]._asdict())
        assert records.all(OwnText) == []
        put(admin, SHARE, subject="Hey")
        put(admin, SHARE, **LETTERS["share_with_reward"]._asdict())
        assert records.all(OwnText) == []

    def test_the_list_says_which_are_ones_own(self, admin: Person):
        put(admin, HERE, subject="Da", body=BODY)
        row = admin.get("/admin/texts/").one('[data-text="friend_joined"]').text
        assert row.count("Your words") == 1 and row.count("Original") == 1

    def test_the_page_of_a_text_asks_once_what_it_says(self, admin: Person, count_queries):
        with count_queries() as statements:
            admin.get(HERE)
        assert len([each for each in statements.sent if "FROM own_text" in each]) == 1


def shared(member: Person) -> str:
    """Give the address behind the button that mails a member's link."""
    return next(
        each["href"] for each in member.get("/dashboard/").all("a[href]") if each["href"].startswith("mailto:?")
    )
