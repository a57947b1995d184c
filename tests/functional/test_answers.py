"""What commands answer: to scripts in JSON and by exit codes, and the same to whoever asks twice."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import click
import pytest
from flask import Flask

from referralhub import cli, mail_content
from referralhub.models import AuditLine, ReferralState, User
from referralhub.services.mailing.delivery import Delivery, Refused
from referralhub.services.perks import claims
from tests.factories import befriend
from tests.people import Clock

ADMIN = ("users", "create-admin", "--username", "grace", "--email", "grace@example.com", "--password-stdin")
PERK = ("perks", "add", "Mug", "--description", "Holds tea.", "--price", "50", "--stock", "3")
WHY = ("--reason", "looked at")
TWICE = {
    "create-admin": ADMIN,
    "set": ("program", "set", "hold_days", "7"),
    "preset": ("program", "preset", "dropbox"),
    "perk": PERK,
    "release": ("referrals", "release", "1", *WHY),
    "reject": ("referrals", "reject", "1", *WHY),
    "reverse": ("referrals", "reverse", "2", *WHY),
    "resend": ("mail", "resend", "1"),
    "resend all": ("mail", "resend", "--all"),
}


@pytest.fixture
def world(app: Flask, queue, clock: Clock) -> None:
    """A member with a held friend and a confirmed one, and a dead letter."""

    def refuse(letter: EmailMessage) -> None:
        raise Refused("550 no such mailbox")

    queue("one")
    befriend(app, "alice", 1, clock(), ReferralState.HELD)
    befriend(app, "alice", 1, clock())
    with app.app_context():
        Delivery(mail_content.write, refuse, clock).run()


def every_command() -> Iterator[tuple[str, click.Command]]:
    for command in cli.COMMANDS:
        if isinstance(command, click.Group):
            yield from ((f"{command.name} {name}", each) for name, each in command.commands.items())
        else:
            yield str(command.name), command


@pytest.mark.parametrize(("name", "command"), [(n, c) for n, c in every_command() if n != "worker"])
def test_every_command_speaks_json_and_explains_itself(name: str, command: click.Command):
    assert "as_json" in {parameter.name for parameter in command.params}
    assert command.help
    assert "Exit code 0:" in str(command.epilog)


@pytest.mark.parametrize("words", TWICE.values(), ids=TWICE)
def test_asking_twice_changes_nothing_and_is_no_mistake(world, ask, records, words: tuple[str, ...]):
    lines = len(records.all(AuditLine))
    assert ask(*words, typed="grace likes tea\n")["changed"] is True
    assert len(records.all(AuditLine)) == lines + 1
    before = records.everything()
    assert ask(*words, typed="grace likes tea\n")["changed"] is False
    assert records.everything() == before


@pytest.mark.parametrize("words", TWICE.values(), ids=TWICE)
def test_people_are_told_so(world, run, words: tuple[str, ...]):
    first, second = (run(*words, typed="grace likes tea\n").stdout for _ in range(2))
    assert "already" not in first
    assert "already" in second or "There are no dead letters" in second


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("words", [("demo",), ("bulk", "--members", "20")])
def test_sample_members_as_json(ask, records, words: tuple[str, ...]):
    first, second = (ask("seed", *words) for _ in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["members"] == len(records.all(User))


def test_rebuilding_the_leaderboard_twice(world, ask, records, valkey):
    assert ask("leaderboard", "rebuild") == {"members": 1}
    places, before = valkey.client.zrange("leaderboard:all:ever", 0, -1, withscores=True), records.everything()
    assert ask("leaderboard", "rebuild") == {"members": 1}
    assert valkey.client.zrange("leaderboard:all:ever", 0, -1, withscores=True) == places
    assert records.everything() == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("referrals", "release", "2", *WHY), None),  # it is confirmed already, though nobody ever held it
        (("referrals", "reject", "2", *WHY), "not held"),
        (("referrals", "reverse", "1", *WHY), "not confirmed"),
        (("referrals", "reverse", "9", *WHY), "no referral with this number"),
        (("referrals", "explain", "1"), "not judged yet"),
        (("referrals", "explain", "9"), "no referral with this number"),
        (("mail", "resend", "9"), "no message with this number"),
        (("program", "set", "hold_days", "soon"), "'soon' is not a value"),
        (("program", "set", "colour", "red"), "no such setting"),
    ],
)
def test_what_cannot_be_is_refused_on_standard_error(world, run, records, words: tuple[str, ...], reason: str | None):
    before = records.everything()
    result = run(*words, "--json", expect=1 if reason else 0)
    if reason:
        assert reason in result.stderr
        assert result.stdout == ""
    assert records.everything() == before


@pytest.mark.parametrize(
    "words",
    [
        ("referrals", "release", "0", *WHY),
        ("referrals", "release", "99999999999", *WHY),
        ("referrals", "release", "1", "--reason", "x" * 201),
        ("referrals", "release", "1", "--reason", " "),
        ("referrals", "release", "1"),
        ("mail", "resend"),
        ("mail", "resend", "1", "--all"),
        ("program", "preset", "unknown"),
        ("perks", "add", "Mug"),
        ("perks", "add", "Mug", "--price", "5", "--unlocked-at", "5"),
        ("perks", "add", "x" * 81, "--price", "5"),
        ("perks", "add", "Mug", "--price", "99999999999"),
        ("perks", "add", "Mug", "--price", "5", "--coupons", "no such file"),
        ("growth", "report", "--csv", "--json"),
    ],
)
def test_wrong_usage_is_told_from_a_refusal(run, words: tuple[str, ...]):
    assert run(*words, expect=2).stdout == ""


def test_a_service_that_is_away_is_said_without_a_traceback(run, valkey):
    with valkey.away():
        result = run("leaderboard", "rebuild", "--json", expect=1)
    assert result.stderr.startswith("Error: A service does not answer: ")
    assert result.stdout == ""


def test_a_recount_without_redis_is_not_called_complete(world, run, valkey):
    with valkey.away():
        result = run("ledger", "verify", "--json", expect=1)
    assert json.loads(result.stdout) == {"drifts": [], "complete": False}
    assert "was not compared" in result.stderr


def test_drifts_are_findings_in_json_too(world, ask, records):
    from referralhub.extensions import db

    assert ask("ledger", "verify") == {"drifts": [], "complete": True}
    records.change(lambda: db.session.execute(db.text("UPDATE profile SET referral_count = 7 WHERE id = 1")))
    found = ask("ledger", "verify", expect=1)
    assert "member 1: count 7" in found["drifts"][0]
    assert ask("ledger", "verify", "--repair") == {"drifts": [], "complete": True, "repaired": found["drifts"]}


def test_dead_letters_as_json(world, ask, clock: Clock):
    (letter,) = ask("mail", "dead")["dead"]
    assert datetime.fromisoformat(letter.pop("created")) == clock()
    assert letter == {"id": 1, "kind": "verify_address", "error": "550 no such mailbox"}


def test_times_are_in_utc(world, run):
    assert '+00:00"' in run("mail", "dead", "--json").stdout


def test_the_rules_as_json(ask):
    rules = ask("program", "preset", "dropbox")
    assert (rules["version"], rules["unit"], rules["referrer_amount"], rules["changed"]) == (2, "megabytes", 500, True)
    assert ask("program", "show") == {key: value for key, value in rules.items() if key != "changed"}


def test_growth_as_json(world, ask, clock: Clock):
    (month,) = ask("growth", "report")["months"]
    assert month == {
        "month": f"{clock():%Y-%m}", "organic": 1, "referred": 2, "referred_per_organic": 2.0,
        "share_referred": 0.6667, "members": 3,
    }  # fmt: skip


class TestPerks:
    @pytest.mark.parametrize(
        "change", [("--price", "51"), ("--stock", "4"), ("--description", "For coffee."), ("--unit", "megabytes")]
    )
    def test_other_terms_are_refused(self, run, records, change: tuple[str, str]):
        run(*PERK)
        before = records.everything()
        assert "with this name already" in run(*PERK, *change, expect=1).stderr
        assert records.everything() == before

    def test_a_perk_stays_the_same_while_members_claim_it(self, app: Flask, ask, queue, clock: Clock, records):
        words = ("perks", "add", "Sticker", "--unlocked-at", "1", "--stock", "2")
        assert ask(*words)["changed"]
        queue()
        befriend(app, "alice", 1, clock() - timedelta(days=1))
        with app.app_context():
            assert claims.redeem(1, 1, "a form", clock())
        assert not ask(*words)["changed"]

    def test_coupons_are_its_stock_each_code_once(self, run, ask, tmp_path: Path, records):
        file = tmp_path / "codes"
        file.write_text("ONE\nTWO\nONE\n")
        words = ("perks", "add", "Voucher", "--price", "5", "--coupons", str(file))
        assert ask(*words)["changed"]
        assert not ask(*words)["changed"]
        file.write_text("ONE\nTHREE\n")
        run(*words, expect=1)
        run(*words, "--stock", "5", expect=2)

    @pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe", b"x" * 81])
    def test_a_file_without_usable_codes_is_wrong_usage(self, run, tmp_path: Path, content: bytes):
        (tmp_path / "codes").write_bytes(content)
        run("perks", "add", "Voucher", "--price", "5", "--coupons", str(tmp_path / "codes"), expect=2)
