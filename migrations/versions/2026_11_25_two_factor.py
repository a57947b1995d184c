"""two factor

Revision ID: 0011
Revises: 0010
Created: 2026-11-25 23:20:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
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
    "review_reminder",
)
NEW_KINDS = (*OLD_KINDS, "sign_in_changed")


def upgrade():
    op.add_column("user", sa.Column("totp_secret", sa.String(length=255), nullable=True))
    op.add_column("user", sa.Column("totp_step", sa.Integer(), nullable=True))
    op.add_column("sign_in", sa.Column("by_provider", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_recovery_code_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("user_id", "digest", name=op.f("uq_recovery_code_user_id_digest")),
    )
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_identity_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_issuer_subject")),
        sa.UniqueConstraint("user_id", "issuer", name=op.f("uq_identity_user_id_issuer")),
    )
    change_kinds(NEW_KINDS)


def downgrade():
    op.execute("DELETE FROM outbox WHERE kind = 'sign_in_changed'")
    change_kinds(OLD_KINDS)
    op.drop_table("identity")
    op.drop_table("recovery_code")
    op.drop_column("sign_in", "by_provider")
    op.drop_column("user", "totp_step")
    op.drop_column("user", "totp_secret")


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
        sa.Index("ix_outbox_address_lower", sa.text("lower(address)"), sqlite_where=sa.text("address IS NOT NULL")),
    )
