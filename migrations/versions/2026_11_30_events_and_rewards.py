"""events and rewards

Revision ID: 0026
Revises: 0025
Created: 2026-11-30 07:20:00
"""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
OLD_KINDS = ("referrer", "friend", "milestone", "redemption", "adjustment", "reversal")
KINDS = (*OLD_KINDS, "refund", "payout")
KEPT = sa.text("state = 'kept'")
OPEN = sa.text("state IN ('due', 'failed')")
CHECKS = {
    "program": {
        "shares": "referrer_share BETWEEN 0 AND 10000 AND friend_share BETWEEN 0 AND 10000",
        "amount_or_share": "(referrer_share = 0 OR referrer_amount = 0) AND (friend_share = 0 OR friend_amount = 0)",
        "earning": "earning_events > 0 AND earning_months > 0",
    },
    "reward_entry": {
        "refund_of_conversion": "kind <> 'refund' OR (amount < 0 AND conversion_id IS NOT NULL)",
        "payout_is_negative": "kind <> 'payout' OR amount < 0",
    },
}
ONCE = {
    "referral": (["referral_id", "profile_id", "kind"], "conversion_id IS NULL"),
    "conversion": (["conversion_id", "profile_id", "kind"], "kind IN ('referrer', 'friend')"),
    "cause": (["conversion_id", "profile_id", "cause_id"], "cause_id IS NOT NULL"),
}
UNIT = "CONSTRAINT ck_reward_entry_unit"
OLD_ONCE = "uq_reward_entry_referral_id_profile_id_kind"


def upgrade():
    op.add_column("api_key", sa.Column("product", sa.String(length=60), server_default="default", nullable=False))
    for column in program_columns():
        op.add_column("program", column)
    add_checks("program")
    make_tables()
    op.add_column("reward_entry", sa.Column("conversion_id", sa.Integer(), nullable=True))
    op.add_column("reward_entry", sa.Column("cause_id", sa.Integer(), nullable=True))
    keys = {"conversion_id": "conversion", "cause_id": "event"}
    if is_postgresql():
        for column, table in keys.items():
            op.create_foreign_key(op.f(f"fk_reward_entry_{column}_{table}"), "reward_entry", table, [column], ["id"])
        op.drop_constraint(op.f(OLD_ONCE), "reward_entry", type_="unique")
    else:
        for column, table in keys.items():
            key = f"CONSTRAINT fk_reward_entry_{column}_{table} FOREIGN KEY({column}) REFERENCES {table} (id)"
            remake("reward_entry", UNIT, f"{key}, {UNIT}")
        remake("reward_entry", rf"CONSTRAINT {OLD_ONCE} UNIQUE \([^)]*\),?", "")
    change_values("reward_entry", "kind", KINDS)
    add_checks("reward_entry")
    op.create_index(op.f("ix_reward_entry_conversion_id"), "reward_entry", ["conversion_id"])
    for name, (columns, condition) in ONCE.items():
        where = sa.text(condition)
        name = f"uq_reward_entry_{name}"
        op.create_index(name, "reward_entry", columns, unique=True, sqlite_where=where, postgresql_where=where)
    if is_postgresql():
        for column in program_columns():
            op.alter_column("program", column.name, server_default=None)
        op.alter_column("api_key", "product", server_default=None)


def downgrade():
    for name in ONCE:
        op.drop_index(f"uq_reward_entry_{name}", "reward_entry")
    op.drop_index(op.f("ix_reward_entry_conversion_id"), "reward_entry")
    drop_checks("reward_entry")
    change_values("reward_entry", "kind", OLD_KINDS)  # fails where the ledger has other entries: they cannot be left out
    op.drop_table("reward")
    once = "UNIQUE (referral_id, profile_id, kind)"
    if is_postgresql():
        op.create_unique_constraint(op.f(OLD_ONCE), "reward_entry", ["referral_id", "profile_id", "kind"])
        op.drop_column("reward_entry", "cause_id")
        op.drop_column("reward_entry", "conversion_id")
    else:
        for column, table in (("conversion_id", "conversion"), ("cause_id", "event")):
            key = f"CONSTRAINT fk_reward_entry_{column}_{table} FOREIGN KEY({column}) REFERENCES {table} (id), "
            remake("reward_entry", re.escape(key), "")
            op.drop_column("reward_entry", column)
        pattern = r"CONSTRAINT uq_reward_entry_reverses_id"
        remake("reward_entry", pattern, f"CONSTRAINT {OLD_ONCE} {once}, CONSTRAINT uq_reward_entry_reverses_id")
    for table in ("conversion", "event", "event_customer"):
        op.drop_table(table)
    drop_checks("program")
    for column in program_columns():
        op.drop_column("program", column.name)
    op.drop_column("api_key", "product")


def program_columns():
    return (
        sa.Column("destination", sa.String(length=500), nullable=True),
        sa.Column("friend_coupon", sa.String(length=80), nullable=True),
        sa.Column("qualifies_on", sa.String(length=40), server_default="confirmed_address", nullable=False),
        sa.Column("least_amount", sa.BigInteger(), nullable=True),
        sa.Column("condition", JSON, server_default="{}", nullable=False),
        sa.Column("referrer_share", sa.Integer(), server_default="0", nullable=False),
        sa.Column("friend_share", sa.Integer(), server_default="0", nullable=False),
        sa.Column("earning_events", sa.Integer(), server_default="1", nullable=True),
        sa.Column("earning_months", sa.Integer(), nullable=True),
        sa.Column("referral_cap", sa.BigInteger(), nullable=True),
        sa.Column("monthly_cap", sa.BigInteger(), nullable=True),
        sa.Column("handed_over", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def make_tables():
    op.create_table(
        "event_customer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", one_of("event_customer", "kind", ("person", "organization")), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("referral_id", sa.Integer(), nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_event_customer_referral_id_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_customer")),
        sa.UniqueConstraint("kind", "external_id", name=op.f("uq_event_customer_kind_external_id")),
    )
    op.create_index(op.f("ix_event_customer_referral_id"), "event_customer", ["referral_id"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(length=60), nullable=False),
        sa.Column("own_id", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("organization_id", sa.Integer(), nullable=True),
        sa.Column("referral_id", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("refund_of", sa.String(length=255), nullable=True),
        sa.Column("details", JSON, nullable=False),
        sa.Column("signup", JSON, nullable=True),
        sa.Column("state", one_of("event", "state", ("accepted", "kept", "refused")), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("reason_values", JSON, nullable=False),
        sa.Column("api_key_id", sa.Integer(), nullable=True),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.CheckConstraint("customer_id IS NOT NULL OR organization_id IS NOT NULL", name=op.f("ck_event_somebodys")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_event_amount")),
        sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name=op.f("ck_event_amount_in_currency")),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_key.id"], name=op.f("fk_event_api_key_id_api_key")),
        sa.ForeignKeyConstraint(["customer_id"], ["event_customer.id"], name=op.f("fk_event_customer_id_event_customer")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["event_customer.id"], name=op.f("fk_event_organization_id_event_customer")
        ),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_event_referral_id_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("product", "own_id", name=op.f("uq_event_product_own_id")),
    )
    op.create_index(op.f("ix_event_customer_id"), "event", ["customer_id"])
    op.create_index(op.f("ix_event_organization_id"), "event", ["organization_id"])
    op.create_index("ix_event_referral_occurred", "event", ["referral_id", "occurred_at", "id"])
    op.create_index("ix_event_type_id", "event", ["type", "id"])
    op.create_index("ix_event_kept", "event", ["id"], sqlite_where=KEPT, postgresql_where=KEPT)
    op.create_table(
        "conversion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("referral_id", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("referrer_amount", sa.BigInteger(), nullable=False),
        sa.Column("friend_amount", sa.BigInteger(), nullable=False),
        sa.Column("referrer_unit", sa.String(length=24), nullable=False),
        sa.Column("friend_unit", sa.String(length=24), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("reason_values", JSON, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.CheckConstraint("refunded >= 0", name=op.f("ck_conversion_refunded")),
        sa.CheckConstraint("referrer_amount >= 0 AND friend_amount >= 0", name=op.f("ck_conversion_amounts")),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_conversion_event_id_event")),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_conversion_referral_id_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversion")),
        sa.UniqueConstraint("event_id", name=op.f("uq_conversion_event_id")),
    )
    op.create_index("ix_conversion_referral_id_id", "conversion", ["referral_id", "id"])
    op.create_table(
        "reward",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.String(length=24), nullable=False),
        sa.Column("state", one_of("reward", "state", ("due", "fulfilled", "failed", "withdrawn")), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("payout_id", sa.Integer(), nullable=True),
        sa.Column("changed", MOMENT, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_reward_amount")),
        sa.CheckConstraint(
            "(payout_id IS NOT NULL) = (state = 'fulfilled')", name=op.f("ck_reward_fulfilled_is_paid")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["reward_entry.id"], name=op.f("fk_reward_entry_id_reward_entry")),
        sa.ForeignKeyConstraint(["payout_id"], ["reward_entry.id"], name=op.f("fk_reward_payout_id_reward_entry")),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_reward_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward")),
        sa.UniqueConstraint("entry_id", "number", name=op.f("uq_reward_entry_id_number")),
        sa.UniqueConstraint("payout_id", name=op.f("uq_reward_payout_id")),
    )
    op.create_index("uq_reward_open", "reward", ["entry_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_reward_profile_state", "reward", ["profile_id", "state"])
    op.create_index("ix_reward_state_id", "reward", ["state", "id"])


def is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


def one_of(table, column, values):
    name = op.f(f"ck_{table}_{column}")
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def add_checks(table):
    for name, check in CHECKS[table].items():
        name = op.f(f"ck_{table}_{name}")
        if is_postgresql():
            op.create_check_constraint(name, table, check)
        else:
            remake(table, f"CONSTRAINT ck_{table}_unit", f"CONSTRAINT {name} CHECK ({check}), CONSTRAINT ck_{table}_unit")


def drop_checks(table):
    for name, check in CHECKS[table].items():
        name = op.f(f"ck_{table}_{name}")
        if is_postgresql():
            op.drop_constraint(name, table, type_="check")
        else:
            remake(table, re.escape(f"CONSTRAINT {name} CHECK ({check}), "), "")


def change_values(table, column, new):
    """Let a column have other values than before."""
    after = f"CHECK ({column} IN ({', '.join(repr(each) for each in new)}))"
    if is_postgresql():
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, after.removeprefix("CHECK "))
    else:
        remake(table, rf"CHECK \({column} IN \([^)]*\)\)", after)


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
