"""Webhooks in the panel and on the command line, to the doctor and to who watches."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from referralhub.models import AuditLine, WebhookEndpoint, WebhookMessage, WebhookOff
from referralhub.services.integration import members
from referralhub.services.operations import metrics
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks.endpoints import MOST
from tests.doctors import examined
from tests.pages import Page
from tests.people import Clock, Person, Records
from tests.receiver import Receiver, yes

PAGE = "/admin/webhooks/"
ONE = f"{PAGE}1/"


@pytest.fixture
def member(app: Flask, clock: Clock) -> Callable[[str], None]:
    def put(external_id: str) -> None:
        with app.app_context():
            members.put(external_id, members.Given(name="Bo"), OPERATOR, clock())

    return put


class TestPanel:
    def press(self, admin: Person, page: str, action: str, expect: int = 303, **values: str) -> Page:
        return admin.submit(admin.get(page).form(action), expect, **values)

    def test_from_adding_to_removing(
        self, admin: Person, receiver: Receiver, deliver, records: Records, member, clock: Clock
    ):
        shown = self.press(admin, PAGE, PAGE, 200, url=receiver.url(), types="member.created").one("[data-secret]").text
        assert shown not in admin.get(ONE).text
        assert "on" in admin.get(PAGE).one("[data-webhook]").text
        self.press(admin, ONE, f"{ONE}test")
        member("42")
        assert deliver() == 2
        assert {each.verified(shown)["type"] for each in receiver.taken} == {"webhook.test", "member.created"}
        log = admin.get(ONE)
        assert [row.one("a").text for row in log.all("[data-delivery]")] == ["member.created", "webhook.test"]
        assert "200 after" in log.text
        delivery = admin.get(f"{PAGE}deliveries/2/")
        assert "thanks" in delivery.text and '"external_id":"42"' in delivery.text
        admin.submit(delivery.form(f"{PAGE}deliveries/2/again"))
        assert deliver() == 1
        new = self.press(admin, ONE, f"{ONE}rotate", 200).one("[data-secret]").text
        assert new != shown and "signs along until" in admin.get(ONE).text
        self.press(admin, ONE, f"{ONE}types", types="perk.claimed")
        member("43")
        assert deliver() == 0
        assert self.press(admin, ONE, f"{ONE}remove", 422).one('[role="alert"]').text
        self.press(admin, ONE, f"{ONE}remove", sure="y")
        assert admin.get(PAGE).all("[data-webhook]") == []
        actions = [line.action for line in records.all(AuditLine) if line.action.startswith("webhook")]
        assert actions == [f"webhook.{each}" for each in ("add", "test", "replay", "rotate", "change", "remove")]

    @pytest.mark.one_database
    def test_what_is_refused_is_said_at_the_field(self, admin: Person, receiver: Receiver, secret: str):
        page = self.press(admin, PAGE, PAGE, 422, url="ftp://shop.example.com/")
        assert "must begin with https" in page.one("#url-error").text
        assert "told already" in admin.follow(self.press(admin, PAGE, PAGE, url=receiver.url())).text

    @pytest.mark.one_database
    def test_a_span_is_by_the_clocks_of_the_program(self, admin, secret, receiver, deliver, member, clock: Clock):
        member("42")
        deliver()
        before = {"since": f"{clock() - timedelta(hours=2):%Y-%m-%dT%H:%M}"}
        until = {"until": f"{clock() - timedelta(hours=1):%Y-%m-%dT%H:%M}"}
        said = admin.follow(self.press(admin, ONE, f"{ONE}replay", **before, **until, type=""))
        assert "nothing of that time" in said.text
        until = {"until": f"{clock() + timedelta(hours=1):%Y-%m-%dT%H:%M}"}
        said = admin.follow(self.press(admin, ONE, f"{ONE}replay", **before, **until, type="member.created"))
        assert "1 is on the way again" in said.text
        assert deliver() == 1

    @pytest.mark.one_database
    def test_a_form_that_is_sent_twice_is_sent_once(self, admin, secret, receiver, records: Records):
        form = admin.get(ONE).form(f"{ONE}rotate")
        assert len({admin.submit(form, 200).one("[data-secret]").text for _ in range(2)}) == 1
        form = admin.get(ONE).form(f"{ONE}test")
        for _ in range(2):
            admin.submit(form)
        assert len(records.all(WebhookMessage)) == 1

    @pytest.mark.one_database
    def test_who_was_switched_off_is_switched_on(self, admin, secret, receiver, deliver, member, records: Records):
        receiver.answer = lambda _: (410, {}, b"")
        member("42")
        deliver()
        assert "switched off: gone" in admin.get(PAGE).text
        receiver.answer = yes
        self.press(admin, ONE, f"{ONE}on")
        assert "switched off" not in admin.get(ONE).text

    def test_the_pages_take_the_same_few_queries(self, admin, secret, receiver, deliver, member, count_queries):
        def statements(page: str) -> int:
            with count_queries() as sent:
                admin.get(page)
            return len(sent)

        member("1")
        deliver()
        before = [statements(page) for page in (PAGE, ONE, f"{PAGE}deliveries/1/")]
        for number in range(2, 9):
            member(str(number))
        deliver()
        assert [statements(page) for page in (PAGE, ONE, f"{PAGE}deliveries/1/")] == before


class TestCommands:
    def test_from_adding_to_removing(self, ask, run, receiver: Receiver, deliver, member, clock: Clock):
        url = receiver.url()
        made = ask("webhooks", "add", url, "--types", "member.created,reward.due")
        assert (made["id"], made["url"], made["types"]) == (1, url, ["member.created", "reward.due"])
        assert ask("webhooks", "add", url)["changed"] is False
        ask("webhooks", "test", "1")
        member("42")
        assert deliver() == 2
        assert {each.verified(made["secret"])["type"] for each in receiver.taken} == {"webhook.test", "member.created"}
        newest, test = ask("webhooks", "deliveries", "1")["deliveries"]
        assert (newest["type"], newest["state"], newest["status"], newest["said"]) == (
            "member.created", "delivered", 200, "thanks",
        )  # fmt: skip
        assert ask("webhooks", "replay", "1", "--delivery", str(test["id"])) == {"replayed": 1, "changed": True}
        since = f"{clock() - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"
        later = f"{clock() + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"
        assert ask("webhooks", "replay", "1", "--since", since, "--until", later)["replayed"] == 1
        assert ask("webhooks", "replay", "1", "--since", since, "--until", later)["replayed"] == 0
        assert deliver() == 2
        assert ask("webhooks", "rotate", "1")["secret"] != made["secret"]
        (listed,) = ask("webhooks", "list")["webhooks"]
        assert (listed["state"], listed["waiting"], listed["given_up"]) == ("on", 0, 0)
        assert "on" in run("webhooks", "list").stdout
        assert ask("webhooks", "on", "1")["changed"] is False
        assert [ask("webhooks", "remove", "1")["changed"] for _ in range(2)] == [True, False]
        assert run("webhooks", "deliveries", "1", expect=1).stderr

    @pytest.mark.one_database
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("add", "http://shop.example.com\n/"), 0),
            (("add", "shop.example.com"), 1),
            (("add", "https://shop.example.com/", "--types", "no.such"), 2),
            (("test", "9"), 1),
            (("replay", "1"), 2),
            (("replay", "9", "--since", "2026-01-01"), 1),
            (("replay", "9", "--delivery", "1"), 1),
            (("rotate", "9"), 1),
            (("remove", "9"), 1),
        ],
    )
    def test_what_cannot_be(self, run, words: tuple[str, ...], code: int):
        run("webhooks", *words, expect=code)

    @pytest.mark.one_database
    def test_there_is_a_limit(self, run):
        for number in range(MOST):
            run("webhooks", "add", f"https://shop.example.com/{number}")
        assert "Remove one first" in run("webhooks", "add", "https://shop.example.com/more", expect=1).stderr


class TestOperations:
    def test_figures_and_findings(
        self, app: Flask, settled: Flask, add, records: Records, clock: Clock, deliver, member
    ):
        with Receiver(lambda _: (500, {}, b"")) as failing, Receiver(lambda _: (410, {}, b"")) as gone:
            add(failing.url())
            add(gone.url())
            member("42")
            deliver()
        with app.app_context():
            found = metrics.read(clock() + timedelta(hours=1))
        assert (found.webhooks_waiting, found.webhooks_given_up, found.webhooks_off) == (1, 0, 1)
        assert timedelta(minutes=59) < found.oldest_due_webhook < timedelta(hours=1)
        said = examined(settled)["webhooks"]
        assert said["status"] == "hint"
        assert [each["wrong"] for each in said["remarks"]] == [
            "1 of the addresses of webhooks failed last.", "1 of the addresses of webhooks are switched off.",
        ]  # fmt: skip
        clock.advance(hours=1)
        said = examined(settled)["webhooks"]
        assert said["status"] == "finding" and "should have been sent" in str(said)
        assert records.all(WebhookEndpoint)[1].off_because is WebhookOff.GONE
