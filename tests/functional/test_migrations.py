"""The tables: that migrations make what the models say, and that the database itself refuses what must not be."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from warnings import catch_warnings, simplefilter

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import CheckConstraint, Table, UniqueConstraint, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from referralhub import create_app
from referralhub.database import MIGRATIONS
from referralhub.extensions import db
from referralhub.migrations import downgrade, upgrade
from referralhub.models import Invitation, OutboxMessage, Profile, Reason, Referral, ReferralEvent, RewardEntry, User
from referralhub.services.fraud import explanations
from referralhub.services.fraud.assessment import Assessment, Verdict
from referralhub.services.fraud.rules import Finding
from referralhub.words.fraud import compared, sentence
from tests.conftest import extra_database, make_settings
from tests.factories import befriend, member, members

SCRIPTS = ScriptDirectory(MIGRATIONS)
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]


@pytest.fixture
def empty_app(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """An application whose database has no tables yet."""
    with extra_database(database, tmp_path, request, migrated=False) as url:
        app = create_app(make_settings(url, f"unix://{tmp_path}/nothing.sock", tmp_path))
        yield app
        with app.app_context():
            db.engine.dispose()


def differences(app: Flask) -> list:
    with app.app_context(), db.engine.connect() as connection, catch_warnings():
        simplefilter("ignore")  # indexes on expressions cannot be compared; see the test of their names
        return compare_metadata(MigrationContext.configure(connection), db.metadata)


def test_migrations_make_what_the_models_say(app: Flask):
    assert differences(app) == []


def test_indexes_on_expressions_are_there(app: Flask):
    with app.app_context(), catch_warnings():
        simplefilter("ignore")
        if db.engine.dialect.name == "sqlite":
            rows = db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'index'"))
        else:
            rows = db.session.scalars(text("SELECT indexname FROM pg_indexes"))
        expected = {
            "uq_user_username_lower", "uq_user_email_lower", "ix_user_email_lower", "ix_outbox_due",
            "ix_outbox_address_lower", "ix_invitation_address_lower", "ix_one_time_token_address_lower",
            "ix_user_unverified", "ix_user_display_name_lower",
        }  # fmt: skip
        assert expected <= set(rows)


def test_each_migration_goes_up_and_down_and_up_again(empty_app: Flask):
    with empty_app.app_context():
        for number, revision in enumerate(REVISIONS):
            upgrade(revision=revision)
            downgrade(revision=REVISIONS[number - 1] if number else "base")
            upgrade(revision=revision)
        assert set(inspect(db.engine).get_table_names()) == {*db.metadata.tables, "alembic_version"}
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
    assert_nothing_is_left(empty_app)
    with empty_app.app_context():
        upgrade()
    assert differences(empty_app) == []


def test_going_back_to_one_account_for_each_address_leaves_it_to_who_proved_it(empty_app: Flask, clock):
    with empty_app.app_context():
        upgrade()
        members(empty_app, ["typed", "proven", "later", "alone"], clock())
        for user in db.session.scalars(select(User)):
            user.verified_at = clock() if user.username == "proven" else None
            user.email = "alone@example.com" if user.username == "alone" else "one@example.com"
        db.session.commit()
        downgrade(revision="0014")
        rows = db.session.execute(text('SELECT username, email FROM "user" ORDER BY id')).all()
        assert [tuple(row) for row in rows] == [
            ("typed", "unproven:1@unproven.invalid"),
            ("proven", "one@example.com"),
            ("later", "unproven:3@unproven.invalid"),
            ("alone", "alone@example.com"),
        ]
        db.session.rollback()
        upgrade()


def assert_nothing_is_left(app: Flask) -> None:
    with app.app_context():
        if db.engine.dialect.name == "postgresql":
            functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            assert list(db.session.scalars(text(functions))) == []
        db.session.rollback()


def test_operators_migrate_by_a_command(empty_app: Flask):
    runner = empty_app.test_cli_runner()
    assert "upgrade" in runner.invoke(args=["db", "--help"]).output
    assert runner.invoke(args=["db", "upgrade"]).exit_code == 0
    assert differences(empty_app) == []


def test_migrating_twice_changes_nothing(app: Flask, records):
    before = records.everything()
    with app.app_context():
        upgrade()
    assert records.everything() == before


def test_migrations_are_one_line_of_dated_slugs():
    assert len(SCRIPTS.get_heads()) == 1
    for script in SCRIPTS.walk_revisions():
        assert re.fullmatch(r"\d{4}_\d\d_\d\d_[a-z0-9_]+\.py", Path(script.path).name)


def test_constraints_are_named_by_the_convention(app: Flask):
    """A constraint without a name of ours cannot be changed by a later migration."""
    with app.app_context(), catch_warnings():
        simplefilter("ignore")
        inspector = inspect(db.engine)
        for name, table in db.metadata.tables.items():
            assert names(inspector.get_check_constraints(name)) == expected_checks(table)
            assert names(inspector.get_unique_constraints(name)) == {
                str(c.name) for c in table.constraints if isinstance(c, UniqueConstraint)
            }
            assert all(key["name"].startswith(f"fk_{name}_") for key in inspector.get_foreign_keys(name))
            assert inspector.get_pk_constraint(name)["name"] == f"pk_{name}"


def names(constraints: list[dict]) -> set[str]:
    return {constraint["name"] for constraint in constraints}


def expected_checks(table: Table) -> set[str]:
    checks = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
    assert all(name.startswith(f"ck_{table.name}_") for name in checks)
    return checks


def test_the_first_program_is_the_articles(app: Flask):
    from referralhub.services.program import rules

    with app.app_context():
        program = rules.current()
    assert (program.version, program.referrer_amount, program.unit, program.window_days) == (1, 10, "points", 30)
    tiers = [(tier["name"], tier["at"]) for tier in program.tiers]
    assert tiers == [("Bronze", 0), ("Silver", 10), ("Gold", 50), ("Diamond", 100)]


class TestTheDatabaseRefuses:
    """What must never be, whatever the code above does."""

    @pytest.fixture
    def refused(self, app: Flask, clock, records) -> Callable[..., None]:
        member(app, "alice", clock())
        befriend(app, "alice", 2, clock())
        before = records.everything()

        def attempt(sql: str, words: str, **values: object) -> None:
            with app.app_context(), pytest.raises(DBAPIError, match=words):
                db.session.execute(text(sql), values)
                db.session.commit()
            assert records.everything() == before

        return attempt

    @pytest.mark.parametrize("table", [ReferralEvent.__tablename__, RewardEntry.__tablename__])
    def test_changing_the_ledger_or_the_trail(self, refused, table: str):
        refused(f"UPDATE {table} SET created = created", f"{table} is append-only")
        refused(f"DELETE FROM {table} WHERE id = 1", f"{table} is append-only")

    @pytest.mark.parametrize("referrer", [2, 3])
    def test_referring_oneself_or_somebody_who_was_here_before(self, refused, referrer: int):
        refused("UPDATE profile SET referred_by_id = :r WHERE id = 2", "ck_profile_referrer_came_first", r=referrer)

    def test_a_referral_of_oneself(self, refused):
        refused("UPDATE referral SET referrer_id = friend_id WHERE id = 1", "ck_referral_referrer_came_first")

    def test_a_second_referral_of_a_friend(self, refused):
        refused("UPDATE referral SET friend_id = 3 WHERE friend_id = 2", "uq_referral_friend_id|referral.friend_id")

    def test_a_visit_after_the_signup(self, refused):
        refused("UPDATE referral SET visited_at = '2999-01-01 00:00:00'", "ck_referral_visit_before_signup")

    @pytest.mark.parametrize("column", ["state", "channel"])
    def test_a_word_that_is_none_of_the_states(self, refused, column: str):
        refused(f"UPDATE referral SET {column} = 'paid'", f"ck_referral_{column}")

    @pytest.mark.parametrize("score", [-1, 101])
    def test_a_score_beyond_the_scale(self, refused, score: int):
        refused("UPDATE referral SET score = :s", "ck_referral_score", s=score)

    def test_fewer_than_no_referrals(self, refused):
        refused("UPDATE profile SET referral_count = -1", "ck_profile_referral_count")

    @pytest.mark.parametrize("column", ["username", "email"])
    def test_a_name_or_address_that_differs_in_case_alone(self, refused, column: str):
        value = {"username": "ALICE", "email": "Alice@EXAMPLE.com"}[column]
        refused(f'UPDATE "user" SET {column} = :v WHERE id = 2', f"uq_user_{column}_lower", v=value)

    def test_a_code_of_another(self, refused):
        refused(
            "UPDATE profile SET code = (SELECT code FROM profile WHERE id = 1) WHERE id = 2",
            "uq_profile_code|profile.code",
        )

    def test_a_profile_without_an_account(self, refused):
        refused("UPDATE profile SET user_id = 99 WHERE id = 1", "fk_profile_user_id_user|FOREIGN KEY")

    def test_a_second_credit_of_one_referral_to_one_side(self, refused):
        copy = (
            "INSERT INTO reward_entry (profile_id, referral_id, kind, amount, balance, number, unit, note, "
            "available_at, created) SELECT profile_id, referral_id, kind, 5, 15, 99, unit, note, available_at, created "
            "FROM reward_entry WHERE id = 1"
        )
        refused(copy, "uq_reward_entry_referral|reward_entry.referral_id")

    @pytest.mark.parametrize(("kind", "original"), [("reversal", "NULL"), ("adjustment", "1")])
    def test_a_reversal_of_nothing_and_a_gift_that_reverses(self, refused, kind: str, original: str):
        copy = (
            "INSERT INTO reward_entry (profile_id, reverses_id, kind, amount, balance, number, unit, note, "
            f"available_at, created) SELECT profile_id, {original}, '{kind}', 5, 15, 99, unit, note, available_at, "
            "created FROM reward_entry WHERE id = 1"
        )
        refused(copy, "ck_reward_entry_reversal_names_original")

    def test_a_second_reversal(self, app: Flask, clock):
        member(app, "alice", clock())
        befriend(app, "alice", 1, clock())
        reverse = text(
            "INSERT INTO reward_entry (profile_id, reverses_id, kind, amount, balance, number, unit, note, "
            "available_at, created) "
            "SELECT profile_id, 1, 'reversal', -amount, 0, max(number) + 1, unit, note, available_at, created "
            "FROM reward_entry GROUP BY profile_id, amount, unit, note, available_at, created"
        )
        with app.app_context():
            db.session.execute(reverse)
            db.session.commit()
        with app.app_context(), pytest.raises(IntegrityError):
            db.session.execute(reverse)


def test_a_timestamp_without_a_zone_is_refused(app: Flask, clock, records):
    member(app, "alice", clock())
    with app.app_context(), pytest.raises(Exception, match="needs a time zone"):
        db.session.get(Profile, 1).updated = clock().replace(tzinfo=None)
        db.session.commit()
    assert records.one(Profile).updated == clock()


def test_timestamps_come_back_in_utc(app: Flask, clock, records):
    member(app, "alice", clock())
    befriend(app, "alice", 1, clock())
    referral = records.one(Referral)
    assert referral.created == clock()
    assert referral.created.utcoffset().total_seconds() == 0


class TestReasonsAsCodes:
    OLD_VERDICT: ClassVar = {
        "score": 75, "verdict": "likely fraud", "version": 1,
        "reasons": ["A field was filled in that is hidden from people.", "Written by an older rule."],
        "findings": [
            {"rule": "fast form", "points": 15, "words": "Written by an older rule.", "values": ["1 s", "3 s"]},
            {"rule": "trap", "points": 60, "words": "A field was filled in.", "values": ["filled in", "empty"]},
        ],
        "incomplete": [], "without": {"fast form": "likely fraud", "trap": "clear"},
    }  # fmt: skip
    SENTENCES: ClassVar = {
        "signed up": Reason("signed_up"),
        "the address was not confirmed within 30 days": Reason("not_verified_in_time", {"days": 30}),
        "nobody decided within 30 days, and the score is under 60": Reason(
            "not_decided_in_time", {"days": 30, "below": 60}
        ),
        'it\'s Bob: "again"': Reason.stated('it\'s Bob: "again"'),
    }

    @pytest.fixture
    def before(self, empty_app: Flask, clock) -> Flask:
        """A database of before, with one step of the trail for each sentence and a verdict in words."""
        with empty_app.app_context():
            upgrade()
        member(empty_app, "alice", clock())
        befriend(empty_app, "alice", 1, clock())
        with empty_app.app_context():
            downgrade(revision="0005")
            for reason in self.SENTENCES:
                evidence = json.dumps({"assessment": self.OLD_VERDICT})
                db.session.execute(
                    text(
                        "INSERT INTO referral_event (referral_id, from_state, to_state, reason, evidence, created) "
                        "VALUES (1, 'pending', 'held', :reason, :evidence, '2026-11-01 00:00:00+00:00')"
                    ),
                    {"reason": reason, "evidence": evidence},
                )
            db.session.commit()
        return empty_app

    def test_known_sentences_become_codes_and_others_stay_as_they_were_written(self, before: Flask):
        with before.app_context():
            upgrade()
            events = db.session.scalars(select(ReferralEvent).order_by(ReferralEvent.id)).all()
            assert [event.reason for event in events[1:]] == list(self.SENTENCES.values())
            with pytest.raises(DBAPIError, match="append-only"):
                db.session.execute(text("UPDATE referral_event SET reason_code = 'x'"))
            db.session.rollback()

    def test_a_verdict_in_words_is_read_as_it_was_written(self, before: Flask):
        with before.app_context():
            upgrade()
            found = explanations.explanation(1)
            assert found is not None
            assert (found.verdict, found.without["trap"]) == (Verdict.LIKELY_FRAUD, Verdict.CLEAR)
            assert [sentence(each) for each in found.reasons] == ["A field was filled in.", "Written by an older rule."]
            assert compared(found.findings[0]) == ("1 s", "3 s")

    def test_the_way_back_gives_the_sentences_again(self, before: Flask):
        with before.app_context():
            upgrade()
            finding = Finding("same_network", 10, {})
            judged = Assessment(10, Verdict.CLEAR, [finding]).snapshot()
            db.session.add(
                ReferralEvent(
                    referral_id=1,
                    from_state="pending",
                    to_state="confirmed",
                    reason=Reason("address_verified"),
                    evidence={"assessment": judged},
                    created=datetime(2026, 11, 2, tzinfo=UTC),
                )
            )
            db.session.commit()
            downgrade(revision="0005")
            rows = db.session.execute(text("SELECT reason, evidence FROM referral_event ORDER BY id")).all()
            assert [row.reason for row in rows[1:]] == [*self.SENTENCES, "address verified"]
            evidence = rows[-1].evidence
            kept = (json.loads(evidence) if isinstance(evidence, str) else evidence)["assessment"]
            assert (kept["verdict"], kept["reasons"], kept["findings"][0]["rule"]) == (
                "clear", ["same network"], "same network"
            )  # fmt: skip
            db.session.rollback()
            upgrade()


class TestInvitationsThatWereSaidToWait:
    """Alice invited; for all that, an invitation that another link or nobody answered stayed as it was."""

    @pytest.fixture
    def before(self, empty_app: Flask, clock) -> Flask:
        """A database of before, with one invitation for each way that it can have gone."""
        with empty_app.app_context():
            upgrade()
        members(empty_app, ["alice", "bob", "carol"], clock())
        (friend,) = befriend(empty_app, "alice", 1, clock())
        with empty_app.app_context():
            downgrade(revision="0006")
            db.session.execute(text("UPDATE \"user\" SET verified_at = NULL WHERE username = 'carol'"))
            for name, state in (
                (friend, "visited"), ("BOB", "bounced"), ("carol", "sent"), ("nobody", "sent"),
                ("dropped", "queued"), ("waiting", "queued"), ("reminded", "sent"), ("unreminded", "sent"),
            ):  # fmt: skip
                reminded = "'2026-11-05 00:00:00+00:00'" if "reminded" in name else "NULL"
                db.session.execute(
                    text(
                        "INSERT INTO invitation (profile_id, address, address_hash, words, state, reminded_at, "
                        f"changed, created) SELECT id, :address, :address, '', :state, {reminded}, created, created "
                        "FROM profile WHERE user_id = (SELECT id FROM \"user\" WHERE username = 'alice')"
                    ),
                    {"address": f"{name}@example.com", "state": state},
                )
            self.queue("dropped", "invitation", "NULL", "NULL")
            self.queue("waiting", "invitation", "NULL", "'2026-11-01 00:00:00+00:00'")
            self.queue("reminded", "invitation_reminder", "'2026-11-05 00:00:00+00:00'", "NULL")
            self.queue("unreminded", "invitation_reminder", "NULL", "NULL")
            db.session.commit()
        return empty_app

    def queue(self, name: str, kind: str, delivered_at: str, next_try_at: str) -> None:
        db.session.execute(
            text(
                "INSERT INTO outbox (key, kind, user_id, payload, attempts, delivered_at, next_try_at, created) "
                f"SELECT '{kind}:' || id, '{kind}', 1, '{{}}', 1, {delivered_at}, {next_try_at}, created "
                "FROM invitation WHERE address = :address"
            ),
            {"address": f"{name}@example.com"},
        )

    def test_say_what_became_of_them_and_whether_there_was_a_reminder(self, before: Flask):
        with before.app_context():
            upgrade()
            lines = db.session.scalars(select(Invitation).order_by(Invitation.id)).all()
            assert [line.state.value for line in lines] == [
                "joined", "joined_otherwise", "sent", "sent", "not_sent", "queued", "sent", "sent"
            ]  # fmt: skip
            assert [line.reminded_at is not None for line in lines] == [False] * 6 + [True, False]

    def test_have_the_states_of_before_on_the_way_back(self, before: Flask):
        with before.app_context():
            upgrade()
            downgrade(revision="0006")
            states = list(db.session.scalars(text("SELECT state FROM invitation ORDER BY id")))
            assert states == ["joined", "joined", "sent", "sent", "queued", "queued", "sent", "sent"]
            db.session.rollback()
            upgrade()


class TestDollarsAndOtherCurrencies:
    """Amounts in US cents, as they were before a program could pay in any currency."""

    @pytest.fixture
    def before(self, empty_app: Flask, clock) -> Flask:
        """A database of before: points, then a program in dollars, an entry of each, a perk and a mail that waits."""
        with empty_app.app_context():
            upgrade()
        member(empty_app, "alice", clock())
        befriend(empty_app, "alice", 1, clock())
        with empty_app.app_context():
            downgrade(revision="0013")
            for statement in (
                "INSERT INTO program SELECT 2, 2, 'paypal', 'us_cents', 2000, 2000, NULL, 30, 'last', 0, tiers, "
                "milestones, email_invitations, personal_landing, created, 4000, 100 FROM program",
                "INSERT INTO reward_entry (profile_id, kind, amount, balance, number, unit, note, available_at, "
                "created) SELECT profile_id, 'adjustment', 2000, 2000, 1, 'us_cents', '', created, created "
                "FROM reward_entry",
                "INSERT INTO perk VALUES (1, 'Mug', '', 500, 'us_cents', NULL, NULL, 'by_hand', true, "
                "'2026-11-01 00:00:00+00:00')",
                "INSERT INTO outbox (key, kind, user_id, payload, attempts, created) "
                "VALUES ('a', 'referral_confirmed', "
                '1, \'{"amount": 2000, "unit": "us_cents"}\', 0, \'2026-11-01 00:00:00+00:00\')',
            ):
                db.session.execute(text(statement.replace(":", r"\:")))
            db.session.commit()
        return empty_app

    def kept(self) -> list[tuple[Any, ...]]:
        db.session.rollback()
        found = [
            *db.session.execute(text("SELECT unit, paid_customer_cost FROM program ORDER BY version")),
            *db.session.execute(text("SELECT unit, amount FROM reward_entry ORDER BY id")),
            *db.session.execute(text("SELECT unit, price FROM perk")),
            *db.session.execute(select(OutboxMessage.payload)),
        ]
        db.session.rollback()
        return [tuple(row) for row in found]

    def test_become_money_in_dollars_and_us_cents_again_on_the_way_back(self, before: Flask):
        with before.app_context():
            old = self.kept()
            upgrade()
            assert self.kept() == [
                ("points", None), ("money", 4000), ("points", 10), ("USD", 2000), ("USD", 500),
                ({"amount": 2000, "unit": "USD"},),
            ]  # fmt: skip
            assert list(db.session.scalars(text("SELECT currency FROM program"))) == ["USD", "USD"]
            db.session.rollback()
            downgrade(revision="0013")
            assert self.kept() == old
            upgrade()
        assert differences(before) == []

    def test_what_held_before_still_holds(self, before: Flask):
        with before.app_context():
            upgrade()
            for statement, why in (
                ("UPDATE reward_entry SET amount = 1", "append-only"),
                ("DELETE FROM reward_entry", "append-only"),
                ("UPDATE perk SET unit = 'us_cents'", "ck_perk_unit"),
                ("UPDATE program SET unit = 'EUR'", "ck_program_unit"),
                ("UPDATE program SET currency = 'eur'", "ck_program_currency"),
                (
                    "INSERT INTO redemption (profile_id, perk_id, key, created) VALUES (1, 9, 'k', '2026-11-01 00:00')",
                    "fk_redemption_perk_id_perk|FOREIGN KEY",
                ),
                ("DELETE FROM program WHERE id = 1", "fk_referral_program_id_program|FOREIGN KEY"),
            ):
                with pytest.raises(DBAPIError, match=why):
                    db.session.execute(text(statement))
                db.session.rollback()
            if db.engine.dialect.name == "sqlite":
                assert db.session.execute(text("PRAGMA foreign_keys")).scalar() == 1
                assert db.session.execute(text("PRAGMA foreign_key_check")).all() == []
                db.session.rollback()

    def test_there_is_no_way_back_for_other_money(self, before: Flask, caplog):
        with before.app_context():
            upgrade()
            db.session.execute(text("UPDATE perk SET unit = 'EUR'"))
            db.session.commit()
        refused = before.test_cli_runner().invoke(args=["db", "downgrade", "0013"])
        assert refused.exit_code != 0
        assert "no money but US dollars; here there is EUR." in caplog.text
        assert differences(before) == []
