"""The operators' commands."""

import csv
import io
from email.message import EmailMessage

import pytest
from flask import Flask

from referralhub import config, mail_content
from referralhub.models import NO_PASSWORD, AuditLine, Profile, Referral, ReferralState, RewardEntry, User, VisitDaily
from referralhub.services.accounts import signup
from referralhub.services.mailing.delivery import Delivery, Refused
from referralhub.services.shared.errors import AlreadyDone
from tests.people import Person, all_at_once

# What takes seconds and is about the database in nothing that other tests are not.
one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class TestSeed:
    def test_the_article_is_loaded_once(self, run, records):
        assert "1,629 members loaded" in run("seed", "article").output
        assert len(records.all(User)) == 1629
        before = records.everything()
        assert "here already" in run("seed", "article").output
        assert records.everything() == before

    def test_demo_is_loaded_once_and_its_people_can_sign_in(self, run, records, app: Flask, clock, post_office):
        clock.now = clock.now.replace(day=15)  # in the first days of a month nobody has earned anything in it
        output = run("seed", "demo").output
        assert config.DEMO_MEMBER in output
        assert config.DEMO_PASSWORD in output
        before = records.everything()
        assert "here already" in run("seed", "demo").output
        assert records.everything() == before
        mira = Person(app, post_office, config.DEMO_MEMBER)
        mira.password = config.DEMO_PASSWORD
        mira.sign_in()
        page = mira.get("/dashboard/")
        assert page.stat("total_referrals") > 0
        assert page.stat("pending") == 4  # three who have yet to confirm, and one in review
        assert page.leaders
        assert ("lina", "pending") in page.referrals
        assert records.one(User, username=config.DEMO_ADMIN).is_admin

    @one_database
    @pytest.mark.parametrize("order", [("demo", "article"), ("article", "demo")])
    def test_both_can_be_loaded(self, run, records, order: tuple[str, str]):
        for name in order:
            assert "members loaded" in run("seed", name).output
        assert len(records.all(User)) > 1629

    def test_what_is_cached_is_what_the_ledger_gives(self, run, records):
        run("seed", "demo")
        run("seed", "article")
        entries, referrals = records.all(RewardEntry), records.all(Referral)
        points: dict[int, int] = {}
        for entry in entries:
            points[entry.profile_id] = points.get(entry.profile_id, 0) + entry.amount
        confirmed: dict[int, list] = {}
        for referral in referrals:
            assert referral.visited_at <= referral.created
            if referral.state is ReferralState.CONFIRMED:
                confirmed.setdefault(referral.referrer_id, []).append(referral.decided_at)
        by_friend = {referral.friend_id: referral.referrer_id for referral in referrals}
        for profile in records.all(Profile):
            entries_of = [entry for entry in entries if entry.profile_id == profile.id]
            assert [entry.number for entry in entries_of] == list(range(1, len(entries_of) + 1))
            assert (entries_of[-1].balance if entries_of else 0) == points.get(profile.id, 0)
            assert profile.referral_count == len(confirmed.get(profile.id, []))
            assert profile.last_confirmed_at == max(confirmed.get(profile.id, [None]))
            assert profile.referred_by_id == by_friend.get(profile.id)
        assert all(0 < day.visitors <= day.visits for day in records.all(VisitDaily))

    @one_database
    def test_the_articles_members_cannot_sign_in(self, run, records):
        run("seed", "article")
        assert {user.password_hash for user in records.all(User)} == {NO_PASSWORD}


@one_database
class TestGrowthReport:
    def test_it_shows_the_articles_figures(self, run):
        run("seed", "article")
        output = run("growth", "report").output
        rows = [line.split() for line in output.splitlines() if "2026" in line]
        assert [row[:2] for row in rows] == [["Jan", "2026"], ["Feb", "2026"], ["Mar", "2026"]]
        assert [row[2:4] for row in rows] == [["127", "43"], ["298", "187"], ["401", "573"]]
        assert [row[4] for row in rows] == ["33.9%", "62.8%", "142.9%"]
        assert [row[5] for row in rows] == ["0.34", "0.63", "1.43"]
        assert [row[6] for row in rows] == ["25.3%", "38.6%", "58.8%"]
        assert [row[7] for row in rows] == ["170", "655", "1,629"]
        assert "1,629 members" in output

    def test_as_csv_it_can_be_read_by_a_machine(self, run):
        run("seed", "article")
        rows = list(csv.DictReader(io.StringIO(run("growth", "report", "--csv").output)))
        assert [row["month"] for row in rows] == ["2026-01", "2026-02", "2026-03"]
        assert [(int(row["organic"]), int(row["referred"])) for row in rows] == [(127, 43), (298, 187), (401, 573)]
        assert float(rows[1]["referred_per_organic"]) == pytest.approx(187 / 298, abs=1e-4)
        assert float(rows[2]["share_referred"]) == pytest.approx(573 / 974, abs=1e-4)
        assert rows[-1]["members"] == "1629"

    def test_before_anybody_joined(self, run):
        assert "Nobody has joined" in run("growth", "report").output
        assert len(run("growth", "report", "--csv").output.splitlines()) == 1


class TestCreateAdmin:
    ARGUMENTS = ("users", "create-admin", "--username", "alice", "--email", "alice@example.com")

    def test_with_the_password_from_standard_input(self, run, records, alice: Person):
        output = run(*self.ARGUMENTS, "--password-stdin", typed=f"{alice.password}\n").output
        assert alice.password not in output
        user = records.one(User)
        assert user.is_admin
        assert user.verified_at is not None
        alice.sign_in()
        alice.get("/dashboard/")

    def test_the_password_is_asked_for_and_not_shown(self, run, records, alice: Person):
        output = run(*self.ARGUMENTS, typed=f"{alice.password}\n").output
        assert "Password" in output
        assert alice.password not in output
        assert records.one(User).is_admin

    def test_a_weak_password_is_refused(self, run, records):
        result = run(*self.ARGUMENTS, "--password-stdin", typed="password1\n", expect=1)
        assert "first that attackers try" in result.output
        assert records.all(User) == []

    def test_a_member_does_not_become_an_admin_by_it(self, run, records, alice: Person):
        alice.sign_up()
        result = run(*self.ARGUMENTS, "--password-stdin", typed=f"{alice.password}\n", expect=1)
        assert "no admin" in result.stderr
        assert not records.one(User).is_admin

    @pytest.mark.parametrize(("option", "value"), [("--username", "bob"), ("--email", "other@example.com")])
    def test_a_name_or_an_address_of_another_account_is_refused(
        self, run, records, alice: Person, option: str, value: str
    ):
        run(*self.ARGUMENTS, "--password-stdin", typed=f"{alice.password}\n")
        before = records.everything()
        again = (*self.ARGUMENTS, option, value, "--password-stdin")
        result = run(*again, typed="another password\n", expect=1)
        assert ("taken" if option == "--email" else "address") in result.stderr
        assert records.everything() == before

    def test_an_admin_who_is_there_keeps_the_password(self, run, alice: Person):
        run(*self.ARGUMENTS, "--password-stdin", typed=f"{alice.password}\n")
        again = run(*self.ARGUMENTS, "--password-stdin", typed="another password\n")
        assert "is an admin already" in again.stdout
        alice.sign_in()

    def test_of_two_at_once_one_makes_the_account(self, app: Flask, alice: Person, clock, records):
        def create() -> bool:
            with app.app_context():
                try:
                    signup.create_admin("alice", alice.email, alice.password, clock())
                except AlreadyDone:
                    return False
                return True

        assert sorted(all_at_once([create, create])) == [False, True]
        assert len(records.all(AuditLine)) == 1

    @pytest.mark.parametrize(("option", "value"), [("--username", "a b"), ("--username", "x"), ("--email", "nowhere")])
    def test_what_no_form_takes_is_wrong_usage(self, run, records, option: str, value: str):
        run(*self.ARGUMENTS, option, value, "--password-stdin", typed="x\n", expect=2)
        assert records.all(User) == []


class TestMail:
    def test_dead_letters_are_listed_with_the_reason_and_sent_again(
        self, run, alice: Person, app: Flask, clock, records
    ):
        def refuse(letter: EmailMessage) -> None:
            raise Refused("550 no such mailbox")

        alice.sign_up()
        assert run("mail", "dead").output == ""
        with app.app_context():
            Delivery(mail_content.write, refuse, clock).run()
        line = run("mail", "dead").output
        assert "verify_address" in line and "550 no such mailbox" in line
        run("mail", "resend", expect=2)
        run("mail", "resend", "99", expect=1)
        assert "1 on the way again" in run("mail", "resend", line.split()[0]).output
        assert "no dead letters" in run("mail", "resend", "--all").output
        assert alice.post_office.deliver() == 1
