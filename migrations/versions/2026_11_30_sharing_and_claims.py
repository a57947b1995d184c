"""sharing and claims

Revision ID: 0024
Revises: 0023
Created: 2026-11-30 02:50:00
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OLD_CHANNELS = ("link", "code", "email", "x", "facebook", "whatsapp", "linkedin", "telegram", "share", "qr")
CHANNELS = ("link", "code", "email", "x", "facebook", "whatsapp", "linkedin", "telegram", "reddit", "sms", "share", "qr")
OLD_KINDS = (
    "verify_address", "change_address", "address_changed", "reset_password", "password_changed", "sign_in_changed",
    "friend_joined", "referral_confirmed", "referral_held", "referral_reversed", "badge_earned", "tier_reached",
    "weekly_digest", "invitation", "invitation_reminder", "review_reminder",
)  # fmt: skip
KINDS = (*OLD_KINDS, "claim_question", "claim_decided")
STATES = ("asked", "agreed", "declined", "confirmed", "rejected", "expired")
AGREED = sa.text("state IN ('agreed', 'confirmed')")
# What dashboards say of the last thirty days is found by these.
INDEXES = {
    "ix_referral_referrer_decided": ("referral", ["referrer_id", "decided_at", "state", "channel"]),
    "ix_reward_entry_profile_created": (
        "reward_entry", ["profile_id", "created", "unit", "kind", "amount", "available_at"],
    ),
}


def upgrade():
    op.add_column("profile", sa.Column("greeting", sa.String(length=140), server_default="", nullable=False))
    op.add_column("profile", sa.Column("share_text", sa.String(length=280), server_default="", nullable=False))
    days = sa.Column("late_code_days", sa.Integer(), server_default="14", nullable=False)
    op.create_table(
        "own_code",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("skeleton", sa.String(length=20), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_own_code_profile_id_profile")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_own_code")),
        sa.UniqueConstraint("profile_id", "month", name=op.f("uq_own_code_profile_id_month")),
        sa.UniqueConstraint("skeleton", name=op.f("uq_own_code_skeleton")),
    )
    op.create_table(
        "avatar",
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_avatar_profile_id_profile")),
        sa.PrimaryKeyConstraint("profile_id", name=op.f("pk_avatar")),
    )
    op.create_index(op.f("ix_avatar_digest"), "avatar", ["digest"])
    op.create_table(
        "referral_claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("claimant_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.Column("friend_id", sa.Integer(), nullable=True),
        sa.Column("joined_on", sa.Date(), nullable=False),
        sa.Column("channel", one_of("referral_claim", "channel", CHANNELS), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("state", one_of("referral_claim", "state", STATES), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("changed", MOMENT, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claimant_id"], ["profile.id"], name=op.f("fk_referral_claim_claimant_id_profile")),
        sa.ForeignKeyConstraint(["friend_id"], ["profile.id"], name=op.f("fk_referral_claim_friend_id_profile")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["user.id"], name=op.f("fk_referral_claim_decided_by_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_claim")),
    )
    claim = "referral_claim"
    claimed = ["claimant_id", sa.text("lower(address)")]
    op.create_index("uq_referral_claim_claimant_address", claim, claimed, unique=True)
    op.create_index(
        "uq_referral_claim_friend_agreed", claim, ["friend_id"], unique=True, sqlite_where=AGREED,
        postgresql_where=AGREED,
    )  # fmt: skip
    op.create_index("ix_referral_claim_state_created", claim, ["state", "created"])
    op.create_index("ix_referral_claim_address_lower", claim, [sa.text("lower(address)")])
    op.create_index(op.f("ix_referral_claim_friend_id"), claim, ["friend_id"])
    op.create_table(
        "appeal",
        sa.Column("referral_id", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_appeal_referral_id_referral")),
        sa.PrimaryKeyConstraint("referral_id", name=op.f("pk_appeal")),
    )
    op.add_column("program", days)
    if is_postgresql():
        op.alter_column("program", "late_code_days", server_default=None)
        op.create_check_constraint(op.f("ck_program_late_code_days"), "program", "late_code_days >= 0")
    else:
        check = "CONSTRAINT ck_program_late_code_days CHECK (late_code_days >= 0), CONSTRAINT ck_program_unit"
        remake("program", "CONSTRAINT ck_program_unit", check)
    change_values("referral", "channel", CHANNELS)
    change_values("visit_daily", "channel", CHANNELS)
    change_values("outbox", "kind", KINDS)
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)


def downgrade():
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
    for table in ("referral", "visit_daily"):
        merge_days = "DELETE FROM visit_daily WHERE channel IN ('reddit', 'sms')"
        give_back = "UPDATE referral SET channel = 'share' WHERE channel IN ('reddit', 'sms')"
        op.execute(give_back if table == "referral" else merge_days)
        change_values(table, "channel", OLD_CHANNELS)
    op.execute("DELETE FROM outbox WHERE kind IN ('claim_question', 'claim_decided')")
    change_values("outbox", "kind", OLD_KINDS)
    if is_postgresql():
        op.drop_constraint(op.f("ck_program_late_code_days"), "program", type_="check")
    else:
        remake("program", r"CONSTRAINT ck_program_late_code_days CHECK \(late_code_days >= 0\), ", "")
    op.drop_column("program", "late_code_days")
    for table in ("appeal", "referral_claim", "avatar", "own_code"):
        op.drop_table(table)
    op.drop_column("profile", "share_text")
    op.drop_column("profile", "greeting")


def is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


def one_of(table, column, values):
    name = op.f(f"ck_{table}_{column}")
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def change_values(table, column, new):
    """Let a column have other values than before."""
    after = f"{column} IN ({', '.join(repr(each) for each in new)})"
    if is_postgresql():
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, after)
    else:
        remake(table, rf"{column} IN \([^)]*\)", after)


def remake(table, old, new):
    """Make a table of SQLite's anew, with its rows, indexes and triggers; `old` is a pattern in its definition.

    Foreign keys to it are not looked at meanwhile (`env.py`): every row keeps its number.
    """
    connection = op.get_bind()
    about = "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    definition, *others = connection.scalars(sa.text(about), {"name": table}).all()
    definition, found = re.subn(old, new, definition)
    assert found == 1, (table, old)
    definition = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE new_{table}", definition)
    op.execute(sa.text(definition.replace(":", r"\:")))
    names = ", ".join(column["name"] for column in sa.inspect(connection).get_columns(table))
    op.execute(f"INSERT INTO new_{table} ({names}) SELECT {names} FROM {table}")
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)
    for each in others:
        op.execute(each)
