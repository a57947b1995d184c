"""webhooks

Revision ID: 0027
Revises: 0026
Created: 2026-11-30 07:30:00
"""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
OLD_KINDS = (
    "verify_address", "change_address", "address_changed", "reset_password", "password_changed", "sign_in_changed",
    "friend_joined", "referral_confirmed", "referral_held", "referral_reversed", "badge_earned", "tier_reached",
    "weekly_digest", "invitation", "invitation_reminder", "review_reminder", "claim_question", "claim_decided",
)  # fmt: skip
KINDS = (*OLD_KINDS, "webhook_switched_off")


def upgrade():
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("types", JSON, nullable=False),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("former_secret", sa.String(length=200), nullable=True),
        sa.Column("former_until", MOMENT, nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("off_because", one_of("webhook_endpoint", "off_because", ("gone", "failing")), nullable=True),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_webhook_endpoint_created_by_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    partial_index("uq_webhook_endpoint_url", "webhook_endpoint", ["url"], "removed_at IS NULL", unique=True)
    op.create_table(
        "webhook_sequence",
        sa.Column("object", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("object", "object_id", name=op.f("pk_webhook_sequence")),
    )
    op.create_table(
        "webhook_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("object", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_message")),
        sa.UniqueConstraint("key", name=op.f("uq_webhook_message_key")),
        sa.UniqueConstraint(
            "object", "object_id", "sequence", name=op.f("uq_webhook_message_object_object_id_sequence")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_webhook_message_public_id")),
    )
    op.create_index(op.f("ix_webhook_message_created"), "webhook_message", ["created"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id_webhook_endpoint")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["webhook_message.id"], name=op.f("fk_webhook_delivery_message_id_webhook_message")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("message_id", "endpoint_id", name=op.f("uq_webhook_delivery_message_id_endpoint_id")),
    )
    op.create_index("ix_webhook_delivery_endpoint_id_id", "webhook_delivery", ["endpoint_id", "id"])
    due = ["endpoint_id", "next_try_at", "id"]
    partial_index("ix_webhook_delivery_due", "webhook_delivery", due, "next_try_at IS NOT NULL")
    given_up = "next_try_at IS NULL AND delivered_at IS NULL"
    partial_index("ix_webhook_delivery_given_up", "webhook_delivery", ["endpoint_id"], given_up)
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("said", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_delivery.id"], name=op.f("fk_webhook_attempt_delivery_id_webhook_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempt")),
    )
    op.create_index(op.f("ix_webhook_attempt_delivery_id"), "webhook_attempt", ["delivery_id"])
    change_values("outbox", "kind", KINDS)


def downgrade():
    op.execute("DELETE FROM outbox WHERE kind = 'webhook_switched_off'")
    change_values("outbox", "kind", OLD_KINDS)
    for table in ("attempt", "delivery", "message", "sequence", "endpoint"):
        op.drop_table(f"webhook_{table}")


def partial_index(name, table, columns, condition, unique=False):
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def one_of(table, column, values):
    name = op.f(f"ck_{table}_{column}")
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


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
