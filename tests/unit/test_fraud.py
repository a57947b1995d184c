"""The fraud rules, each with and against, and what is made of their points."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from referralhub.services.fraud import assessment
from referralhub.services.fraud.assessment import Verdict, assess, verdict_of
from referralhub.services.fraud.rules import RULES, Facts, Finding, Friend, LacksData
from referralhub.services.mailing.addresses import DATA, canonical, disposable_domain, masked
from referralhub.words.fraud import compared, sentence

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
PLAIN = Facts(
    username="bob", address="bob@gmail.com", referrer_name="alice", referrer_address="alice@example.org", at=NOW,
    seconds=40,
)  # fmt: skip


def friend(minutes: float, username: str, address: str = "", seconds: int = 40) -> Friend:
    """A friend who came so many minutes earlier."""
    return Friend(username, address or f"{username}@outlook.com", NOW - timedelta(minutes=minutes), seconds)


def every(minutes: float, number: int, **details: object) -> tuple[Friend, ...]:
    names = ("mia", "jonas", "hugo", "rosa", "petra", "ulf", "ines", "kay", "otto")
    return tuple(replace(friend(minutes * (n + 1), names[n]), **details) for n in range(number))


RING_OF_TWO = {"siblings_in_browser": 2}
SAME_KIND = {"same_network": True, "same_agent": True}
BURST = {"last_hour": 30, "friends_by_link": 30}
COMPANY = {"address": "bob@acme.example", "referrer_address": "alice@acme.example"}
AT_SCHOOL = {"address": "bob@school.example"}


@pytest.mark.parametrize(
    ("rule", "points", "facts"),
    [
        ("same_browser", 60, {"same_browser": True}),
        ("same_browser", 0, {}),
        ("ring", 45, {"ancestors_in_browser": 1}),
        ("ring", 45, {"siblings_in_browser": 3}),
        ("ring", 15, RING_OF_TWO),
        ("ring", 0, {"siblings_in_browser": 1}),
        ("same_address", 60, {"address": "Alice+bob@example.org"}),
        ("same_address", 60, {"before": (friend(9, "x", "b.o.b+2@googlemail.com"),)}),
        ("same_address", 60, {"after": (friend(-9, "x", "bob+@gmail.com"),)}),
        ("same_address", 0, {"before": (friend(9, "x", "bob@outlook.com"),)}),
        ("referred_before", 60, {"referred_before": True}),
        ("referred_before", 0, {}),
        ("erased_in_browser", 45, {"erased_in_browser": 1}),
        ("erased_in_browser", 0, {}),
        ("trap", 60, {"trapped": True}),
        ("trap", 0, {}),
        ("disposable", 40, {"address": "bob@mailinator.com"}),
        ("disposable", 40, {"address": "bob@mine.mailinator.com"}),
        ("disposable", 0, {"address": "bob@mailinator.example"}),
        ("sequence", 35, {"before": (friend(1, "bob17"), friend(2, "bob_18"))}),
        ("sequence", 35, {"before": (friend(1, "x1y", "bob3@gmx.de"), friend(2, "q", "bob4@web.de"))}),
        ("sequence", 15, {"username": "lena.koch", "before": (friend(1, "lina.koch"), friend(2, "lene.koch"))}),
        ("sequence", 0, {"username": "lena.koch", "before": (friend(1, "lina.koch"), friend(2, "lene.koch")),
                         "same_network": True}),
        ("sequence", 0, {"before": (friend(1, "bob17"),)}),  # twins
        ("sequence", 0, {"before": (friend(2000, "bob17"), friend(2001, "bob18"))}),  # the day before yesterday
        ("sequence", 0, {"before": (*every(1, 8), friend(20, "bob17"), friend(21, "bob18"))}),  # not next to each other
        ("sequence", 0, {"address": "s1@uni.example", "before": (friend(1, "a1", "s2@uni.example"),
                                                                friend(2, "b2", "s3@uni.example"))}),
        ("namesake", 15, {"username": "alice2"}),
        ("namesake", 15, {"address": "a.b.9@gmail.com", "referrer_address": "ab@gmail.com"}),
        ("namesake", 0, {"username": "alicia"}),
        ("fast_form", 15, {"seconds": 2}),
        ("fast_form", 0, {"seconds": 3}),
        ("fast_friends", 20, {"seconds": 1, "before": every(9, 2, seconds=2)}),
        ("fast_friends", 0, {"seconds": 1, "before": every(9, 1, seconds=2)}),
        ("fast_friends", 0, {"seconds": 9, "before": every(9, 5, seconds=2)}),
        ("same_network_and_browser", 25, SAME_KIND),
        ("same_network_and_browser", 35, SAME_KIND | {"moments_ago": True}),
        ("same_network_and_browser", 25, SAME_KIND | {"moments_ago": True} | COMPANY),
        ("same_network_and_browser", 0, {"same_network": True}),
        ("same_network", 10, {"same_network": True}),
        ("same_network", 0, SAME_KIND),
        ("cluster", 15, SAME_KIND | {"ancestors_on_network": 2}),
        ("cluster", 0, SAME_KIND | {"ancestors_on_network": 1}),
        ("shared_connection", 15, {"on_connection": 4, "last_hour": 12}),
        ("shared_connection", 0, {"on_connection": 3, "last_hour": 3}),
        ("shared_connection", 0, {"on_connection": 4, "last_hour": 13}),
        ("shared_connection", 0, {"same_network": True, "on_connection": 9, "last_hour": 9}),  # an office
        ("rhythm", 20, {"before": (*every(10, 7), friend(90, "kim"))}),
        ("rhythm", 30, {"before": every(10, 6), "after": (friend(-10, "a1b"), friend(-20, "c2d"))}),
        ("rhythm", 0, {"before": (*every(10, 7), friend(120, "kim"))}),
        ("rhythm", 0, {"before": every(10, 7)}),
        ("rhythm", 0, {"before": every(0, 8)}),  # no time passes at all
        ("velocity", 14, BURST),
        ("velocity", 0, {"last_hour": 29}),
        ("velocity", 0, BURST | {"usual_hour": 6.1}),
        ("conversion", 16, BURST | {"visitors_last_day": 37}),
        ("conversion", 0, BURST | {"visitors_last_day": 38}),
        ("conversion", 0, BURST | {"visitors_last_day": 0}),
        ("conversion", 0, {"last_hour": 29, "friends_by_link": 29, "visitors_last_day": 29}),
        ("one_domain", 10, AT_SCHOOL | {"before": every(9, 4, address="x@school.example")}),
        ("one_domain", 0, AT_SCHOOL | {"before": every(9, 3, address="x@school.example")}),
        ("one_domain", 0, {"before": every(9, 6, address="x@gmail.com")}),
        ("one_domain", 0, COMPANY | {"before": every(9, 6, address="x@acme.example")}),
        ("shared_company", 4, COMPANY),
        ("shared_company", 0, {"referrer_address": "alice@gmail.com"}),
        ("shared_company", 0, {}),
    ],
)  # fmt: skip
def test_each_rule(rule: str, points: int, facts: dict):
    finding = RULES[rule](replace(PLAIN, **facts))
    assert (finding.points if finding else 0) == points
    if finding:
        assert finding.rule == rule
        assert sentence(finding).endswith(".")
        assert all(compared(finding))


def test_somebody_of_whom_nothing_speaks_ill_is_clear():
    found = assess(PLAIN)
    assert (found.score, found.verdict, found.findings, found.incomplete) == (0, Verdict.CLEAR, [], [])


# Everything that an office, a family or a test run on one machine has in common.
@pytest.mark.parametrize(
    "facts",
    [
        SAME_KIND | {"moments_ago": True} | COMPANY,
        SAME_KIND | RING_OF_TWO | {"same_agent": False},
        {"seconds": 1, "same_network": True} | COMPANY,
        {"seconds": 2},
        {"on_connection": 25, "last_hour": 25} | AT_SCHOOL | {"before": every(1, 5, address="x@school.example")},
        BURST | {"on_connection": 12},
        {"local": True, "seconds": 0, "before": every(1, 6, seconds=0), "last_hour": 99, "username": "alice2"},
        {"local": True, "seconds": None},
        {"local": True, "same_network": True, "same_agent": True, "moments_ago": True, "ancestors_on_network": 5},
    ],
)
def test_what_honest_people_share_does_not_hold(facts: dict):
    found = assess(replace(PLAIN, **facts))
    assert found.verdict is Verdict.CLEAR, found.findings


@pytest.mark.parametrize(
    "facts", [{"same_browser": True}, {"trapped": True}, {"address": "bob@mailinator.com"}, {"ancestors_in_browser": 1}]
)
def test_on_this_very_machine_what_is_no_matter_of_networks_still_holds(facts: dict):
    assert assess(replace(PLAIN, local=True, **facts)).verdict is not Verdict.CLEAR


@pytest.mark.parametrize(
    ("score", "incomplete", "verdict"),
    [
        (0, False, Verdict.CLEAR), (29, False, Verdict.CLEAR), (30, False, Verdict.REVIEW), (59, False, Verdict.REVIEW),
        (60, False, Verdict.LIKELY_FRAUD), (100, False, Verdict.LIKELY_FRAUD), (0, True, Verdict.INCOMPLETE),
        (29, True, Verdict.INCOMPLETE), (59, True, Verdict.INCOMPLETE), (60, True, Verdict.LIKELY_FRAUD),
    ],
)  # fmt: skip
def test_bounds(score: int, incomplete: bool, verdict: Verdict):
    assert verdict_of(score, incomplete) is verdict


def test_a_hundred_is_the_most():
    found = assess(replace(PLAIN, same_browser=True, trapped=True, address="alice@example.org"))
    assert sum(finding.points for finding in found.findings) > 100
    assert found.score == 100


def test_a_rule_that_fails_makes_the_check_incomplete(monkeypatch: pytest.MonkeyPatch, caplog):
    def broken(_: Facts) -> Finding:
        raise ZeroDivisionError

    monkeypatch.setitem(RULES, "velocity", broken)
    found = assess(PLAIN)
    assert (found.verdict, found.incomplete) == (Verdict.INCOMPLETE, ["velocity"])
    assert "velocity" in caplog.text
    assert found.snapshot()["without"] == {"velocity": "clear"}
    assert assess(replace(PLAIN, same_browser=True)).verdict is Verdict.LIKELY_FRAUD


def test_a_rule_that_lacks_data_makes_the_check_incomplete():
    with pytest.raises(LacksData):
        RULES["fast_form"](replace(PLAIN, seconds=None))
    found = assess(replace(PLAIN, seconds=None))
    assert (found.verdict, found.incomplete) == (Verdict.INCOMPLETE, ["fast_form"])
    assert assessment.unknown("facts").snapshot()["verdict"] == "check_incomplete"


def test_a_snapshot_says_it_all_in_plain_values():
    found = assess(replace(PLAIN, address="bob.miller@mailinator.com", seconds=1, same_network=True))
    snapshot = found.snapshot()
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert (snapshot["score"], snapshot["verdict"], snapshot["version"]) == (65, "likely_fraud", assessment.VERSION)
    assert [(f["rule"], f["points"]) for f in snapshot["findings"]] == [
        ("disposable", 40), ("fast_form", 15), ("same_network", 10)
    ]  # fmt: skip
    assert snapshot["findings"][1]["values"] == {"seconds": 1, "least": 3}
    assert snapshot["without"] == {"disposable": "clear", "fast_form": "review", "same_network": "review"}
    assert snapshot["incomplete"] == []


def test_a_snapshot_names_nobody():
    """Whoever is erased stays in the trail; nothing there may say who it was."""
    names = {"username": "bobmiller1", "referrer_name": "bobmiller2"}
    mail = {"address": "bob@millerfamily.example", "referrer_address": "bob+1@millerfamily.example"}
    crowd = every(5, 7, username="bobmiller3", address="bob+9@millerfamily.example", seconds=0)
    numbers = {each.name: 99 for each in fields(Facts) if each.type in {int, float, "int", "float"}}
    flags = {each.name: True for each in fields(Facts) if each.type in {bool, "bool"}} | {"local": False}
    text = ""
    for agent in (True, False):
        facts = replace(PLAIN, **names, **mail, **numbers, **flags, seconds=0, before=crowd)
        text += json.dumps(assess(replace(facts, same_agent=agent)).snapshot(), ensure_ascii=False)
    assert "bobmiller" not in text
    assert "millerfamily" not in text
    assert "m….example" in text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("bob@gmail.com", "BOB@Gmail.com", True), ("bob@gmail.com", "b.o.b@gmail.com", True),
        ("bob@gmail.com", "bob+shop@gmail.com", True), ("bob@gmail.com", "b.ob+1+2@googlemail.com", True),
        ("bob@example.org", "bob+shop@example.org", True), ("b.ob@example.org", "bob@example.org", False),
        ("bob@gmail.com", "bob@outlook.com", False), ("bob@gmail.com", "bob1@gmail.com", False),
        ("+bob@example.org", "+eve@example.org", False), ("bob@gmail.com", "bob@gmail.com.example", False),
    ],
)  # fmt: skip
def test_addresses_of_one_mailbox(one: str, other: str, same: bool):
    assert (canonical(one) == canonical(other)) is same


@pytest.mark.parametrize(
    ("address", "service"),
    [
        ("a@mailinator.com", "mailinator.com"), ("a@MAILINATOR.com", "mailinator.com"),
        ("a@x.y.mailinator.com", "mailinator.com"), ("a@mailinator.com.example", ""), ("a@gmail.com", ""),
        ("a@mailinator.example", ""), ("a@duck.com", ""), ("a@com", ""),
    ],
)  # fmt: skip
def test_throw_away_services(address: str, service: str):
    assert disposable_domain(address) == service


def test_no_newer_list_may_call_an_ordinary_mailbox_thrown_away():
    lines = (DATA / "free-mail-domains.txt").read_text(encoding="utf-8").splitlines()
    assert [domain for domain in lines if disposable_domain(f"a@{domain}")] == []


def test_masks_show_what_is_public_and_no_more():
    assert masked("bob.miller@gmail.com") == "b…@gmail.com"
    assert masked("bob@millers.example.org") == "b…@m….org"
