"""first tables

Revision ID: 0001
Revises: nothing
Created: 2026-11-22 18:41:55.060023
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
APPEND_ONLY = ("referral_event", "reward_entry")


def upgrade():
    program = op.create_table(
        "program",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column(
            "unit",
            sa.Enum(
                "points",
                "megabytes",
                "us_cents",
                name="unit",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("referrer_amount", sa.Integer(), nullable=False),
        sa.Column("friend_amount", sa.Integer(), nullable=False),
        sa.Column("member_cap", sa.Integer(), nullable=True),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column(
            "touch",
            sa.Enum("first", "last", name="touch", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("hold_days", sa.Integer(), nullable=False),
        sa.Column("tiers", JSON, nullable=False),
        sa.Column("milestones", JSON, nullable=False),
        sa.Column("email_invitations", sa.Boolean(), nullable=False),
        sa.Column("personal_landing", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("referrer_amount >= 0 AND friend_amount >= 0", name=op.f("ck_program_amounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program")),
        sa.UniqueConstraint("version", name=op.f("uq_program_version")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=30), nullable=False),
        sa.Column("display_name", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
    )
    op.create_index("ix_user_created", "user", ["created"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "verify_address",
                "referral_confirmed",
                "referral_held",
                "referral_reversed",
                "badge_earned",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_outbox_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_try_at"],
        unique=False,
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_index("ix_outbox_user_id", "outbox", ["user_id"], unique=False)

    op.create_table(
        "profile",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("referred_by_id", sa.Integer(), nullable=True),
        sa.Column("referral_count", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("last_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("referral_count >= 0", name=op.f("ck_profile_referral_count")),
        sa.CheckConstraint("referred_by_id < id", name=op.f("ck_profile_referrer_came_first")),
        sa.ForeignKeyConstraint(["referred_by_id"], ["profile.id"], name=op.f("fk_profile_referred_by_id_profile")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_profile_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile")),
        sa.UniqueConstraint("code", name=op.f("uq_profile_code")),
        sa.UniqueConstraint("user_id", name=op.f("uq_profile_user_id")),
    )
    op.create_index("ix_profile_ranking", "profile", ["referral_count", "last_confirmed_at", "id"], unique=False)
    op.create_index("ix_profile_referred_by_id", "profile", ["referred_by_id"], unique=False)

    op.create_table(
        "referral",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("referrer_id", sa.Integer(), nullable=False),
        sa.Column("friend_id", sa.Integer(), nullable=False),
        sa.Column("program_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "confirmed",
                "held",
                "rejected",
                "reversed",
                "expired",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "channel",
            sa.Enum(
                "link",
                "code",
                "email",
                "x",
                "facebook",
                "whatsapp",
                "linkedin",
                "telegram",
                "share",
                "qr",
                name="channel",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("visited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("referrer_id < friend_id", name=op.f("ck_referral_referrer_came_first")),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("ck_referral_score")),
        sa.CheckConstraint("visited_at <= created", name=op.f("ck_referral_visit_before_signup")),
        sa.ForeignKeyConstraint(["friend_id"], ["profile.id"], name=op.f("fk_referral_friend_id_profile")),
        sa.ForeignKeyConstraint(["program_id"], ["program.id"], name=op.f("fk_referral_program_id_program")),
        sa.ForeignKeyConstraint(["referrer_id"], ["profile.id"], name=op.f("fk_referral_referrer_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint("friend_id", name=op.f("uq_referral_friend_id")),
    )
    op.create_index("ix_referral_referrer_created", "referral", ["referrer_id", "created"], unique=False)
    op.create_index("ix_referral_state_decided", "referral", ["state", "decided_at"], unique=False)

    op.create_table(
        "visit_daily",
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "channel",
            sa.Enum(
                "link",
                "code",
                "email",
                "x",
                "facebook",
                "whatsapp",
                "linkedin",
                "telegram",
                "share",
                "qr",
                name="channel",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("bots", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_visit_daily_profile_id_profile")),
        sa.PrimaryKeyConstraint("profile_id", "day", "channel", name=op.f("pk_visit_daily")),
    )
    op.create_table(
        "referral_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("referral_id", sa.Integer(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column(
            "from_state",
            sa.Enum(
                "pending",
                "confirmed",
                "held",
                "rejected",
                "reversed",
                "expired",
                name="from_state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column(
            "to_state",
            sa.Enum(
                "pending",
                "confirmed",
                "held",
                "rejected",
                "reversed",
                "expired",
                name="to_state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_referral_event_actor_id_user")),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_referral_event_referral_id_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_event")),
    )
    op.create_index("ix_referral_event_referral_id", "referral_event", ["referral_id"], unique=False)

    op.create_table(
        "reward_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("referral_id", sa.Integer(), nullable=True),
        sa.Column("reverses_id", sa.Integer(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "referrer",
                "friend",
                "milestone",
                "redemption",
                "adjustment",
                "reversal",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("mark", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column(
            "unit",
            sa.Enum(
                "points",
                "megabytes",
                "us_cents",
                name="unit",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'reversal') = (reverses_id IS NOT NULL)",
            name=op.f("ck_reward_entry_reversal_names_original"),
        ),
        sa.CheckConstraint(
            "kind <> 'redemption' OR (amount < 0 AND balance >= 0)", name=op.f("ck_reward_entry_spends_what_is_there")
        ),
        sa.CheckConstraint(
            "kind NOT IN ('referrer', 'friend', 'milestone') OR amount > 0",
            name=op.f("ck_reward_entry_credit_is_positive"),
        ),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_reward_entry_profile_id_profile")),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_reward_entry_referral_id_referral")),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["reward_entry.id"], name=op.f("fk_reward_entry_reverses_id_reward_entry")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward_entry")),
        sa.UniqueConstraint(
            "referral_id", "profile_id", "kind", name=op.f("uq_reward_entry_referral_id_profile_id_kind")
        ),
        sa.UniqueConstraint("profile_id", "unit", "number", name=op.f("uq_reward_entry_profile_id_unit_number")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_reward_entry_reverses_id")),
    )

    op.create_index("uq_user_username_lower", "user", [sa.text("lower(username)")], unique=True)
    op.create_index("uq_user_email_lower", "user", [sa.text("lower(email)")], unique=True)
    for table in APPEND_ONLY:
        refuse_changes(table)
    op.bulk_insert(
        program,
        [
            {
                "version": 1,
                "name": "referralhub",
                "unit": "points",
                "referrer_amount": 10,
                "friend_amount": 0,
                "member_cap": None,
                "window_days": 30,
                "touch": "last",
                "hold_days": 0,
                "tiers": [
                    {"name": "Bronze", "at": 0},
                    {"name": "Silver", "at": 10},
                    {"name": "Gold", "at": 50},
                    {"name": "Diamond", "at": 100},
                ],
                "milestones": [],
                "email_invitations": False,
                "personal_landing": False,
                "created": datetime.now(UTC),
            }
        ],
    )


def refuse_changes(table):
    """A ledger that can be edited proves nothing: the database itself refuses UPDATE and DELETE."""
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    else:
        op.execute(
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
        )


def downgrade():
    op.drop_table("reward_entry")
    op.drop_index("ix_referral_event_referral_id", "referral_event")
    op.drop_table("referral_event")
    op.drop_table("visit_daily")
    op.drop_index("ix_referral_state_decided", "referral")
    op.drop_index("ix_referral_referrer_created", "referral")
    op.drop_table("referral")
    op.drop_index("ix_profile_referred_by_id", "profile")
    op.drop_index("ix_profile_ranking", "profile")
    op.drop_table("profile")
    op.drop_index("ix_outbox_user_id", "outbox")
    op.drop_index("ix_outbox_due", "outbox")
    op.drop_table("outbox")
    op.drop_index("ix_user_created", "user")
    op.drop_table("user")
    op.drop_table("program")
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_append_only()")
