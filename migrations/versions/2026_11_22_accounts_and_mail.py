"""accounts and mail

Revision ID: 0003
Revises: 0002
Created: 2026-11-22 21:50:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OLD_KINDS = ("verify_address", "referral_confirmed", "referral_held", "referral_reversed", "badge_earned")
NEW_KINDS = (
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


def one_of(name, *values):
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade():
    op.create_table(
        "one_time_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("purpose", one_of("purpose", "verify_address", "change_address", "reset_password"), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_one_time_token_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_one_time_token_digest")),
    )
    op.create_index("ix_one_time_token_user_id", "one_time_token", ["user_id"])
    op.create_index("ix_one_time_token_expires_at", "one_time_token", ["expires_at"])

    op.create_table(
        "sign_in",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("browser", sa.String(length=60), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_sign_in_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
    )
    op.create_index("ix_sign_in_user_id", "sign_in", ["user_id"])

    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("words", sa.String(length=600), nullable=False),
        sa.Column("state", one_of("state", "queued", "sent", "bounced", "visited", "joined"), nullable=False),
        sa.Column("friend_id", sa.Integer(), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["friend_id"], ["profile.id"], name=op.f("fk_invitation_friend_id_profile")),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_invitation_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_invitation_address_hash")),
        sa.UniqueConstraint("friend_id", name=op.f("uq_invitation_friend_id")),
    )
    op.create_index("ix_invitation_profile_created", "invitation", ["profile_id", "created"])

    op.create_table(
        "mail_refusal",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_mail_refusal")),
    )

    op.add_column("user", sa.Column("muted", JSON, server_default="[]", nullable=False))
    op.add_column("outbox", sa.Column("address", sa.String(length=254), nullable=True))
    _change_kinds(NEW_KINDS)
    _forget_names()


def downgrade():
    gone = ", ".join(f"'{kind}'" for kind in NEW_KINDS if kind not in OLD_KINDS)
    op.execute(f"DELETE FROM outbox WHERE kind IN ({gone})")
    _change_kinds(OLD_KINDS)
    op.drop_column("outbox", "address")
    op.drop_column("user", "muted")
    op.drop_table("mail_refusal")
    op.drop_table("invitation")
    op.drop_table("sign_in")
    op.drop_table("one_time_token")


def _change_kinds(kinds):
    if op.get_bind().dialect.name == "postgresql":
        listed = ", ".join(f"'{kind}'" for kind in kinds)
        op.drop_constraint(op.f("ck_outbox_kind"), "outbox", type_="check")
        op.create_check_constraint(op.f("ck_outbox_kind"), "outbox", f"kind IN ({listed})")
        return
    # SQLite cannot change a CHECK: the table is made anew, and its rows are copied.
    with op.batch_alter_table("outbox", copy_from=_outbox(kinds), recreate="always"):
        pass


def _outbox(kinds):
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


def _forget_names():
    """Let messages name the referral instead of the friend, whose name must not outlive the account."""
    outbox = sa.table("outbox", sa.column("id"), sa.column("key"), sa.column("kind"), sa.column("payload", JSON))
    connection = op.get_bind()
    for row in connection.execute(sa.select(outbox).where(outbox.c.kind != "verify_address")).all():
        payload = {name: value for name, value in row.payload.items() if name != "friend"}
        payload["referral_id"] = int(row.key.split(":")[1])  # kind:referral:badge
        connection.execute(outbox.update().where(outbox.c.id == row.id).values(payload=payload))
