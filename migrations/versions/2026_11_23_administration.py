"""administration

Revision ID: 0005
Revises: 0004
Created: 2026-11-23 01:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OLD_KINDS = (
    "verify_address",
    "change_address",
    "address_changed",
    "reset_password",
    "password_changed",
    "friend_joined",
    "referral_confirmed",
    "referral_held",
    "referral_reversed",
    "badge_earned",
    "tier_reached",
    "weekly_digest",
    "invitation",
    "invitation_reminder",
)
NEW_KINDS = (*OLD_KINDS, "review_reminder")


def one_of(name, *values):
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade():
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("role", one_of("role", "admin", "operator", "system"), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=True),
        sa.Column("before", JSON, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_audit_log_actor_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("previous", name=op.f("uq_audit_log_previous")),
        sa.UniqueConstraint("digest", name=op.f("uq_audit_log_digest")),
    )
    op.create_index("ix_audit_log_subject_subject_id", "audit_log", ["subject", "subject_id"])
    op.create_index("ix_audit_log_created", "audit_log", ["created"])
    forbid_changes("audit_log")

    # Whoever is signed in already types the password again before the first thing that asks for it.
    long_ago = "1970-01-01 00:00:00.000000"
    op.add_column(
        "sign_in", sa.Column("confirmed_at", sa.DateTime(timezone=True), server_default=long_ago, nullable=False)
    )
    op.add_column("program", sa.Column("paid_customer_cost", sa.Integer(), nullable=True))
    op.add_column("program", sa.Column("thousand_units_cost", sa.Integer(), nullable=True))
    change_kinds(NEW_KINDS)


def downgrade():
    op.execute("DELETE FROM outbox WHERE kind = 'review_reminder'")
    change_kinds(OLD_KINDS)
    op.drop_column("program", "thousand_units_cost")
    op.drop_column("program", "paid_customer_cost")
    op.drop_column("sign_in", "confirmed_at")
    op.drop_table("audit_log")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_append_only()")


def forbid_changes(table):
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


def change_kinds(kinds):
    if op.get_bind().dialect.name == "postgresql":
        listed = ", ".join(f"'{kind}'" for kind in kinds)
        op.drop_constraint(op.f("ck_outbox_kind"), "outbox", type_="check")
        op.create_check_constraint(op.f("ck_outbox_kind"), "outbox", f"kind IN ({listed})")
        return
    # SQLite cannot change a CHECK: the table is made anew, and its rows are copied.
    with op.batch_alter_table("outbox", copy_from=outbox(kinds), recreate="always"):
        pass


def outbox(kinds):
    return sa.Table(
        "outbox",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*kinds, name=op.f("ck_outbox_kind"), native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_outbox_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
        sa.Index("ix_outbox_due", "next_try_at", sqlite_where=sa.text("delivered_at IS NULL")),
        sa.Index("ix_outbox_user_id", "user_id"),
    )
