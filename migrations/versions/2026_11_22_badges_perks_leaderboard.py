"""badges perks leaderboard

Revision ID: 0002
Revises: 0001
Created: 2026-11-22 19:05:25.269316
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "perk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("price", sa.Integer(), nullable=True),
        sa.Column(
            "unit",
            sa.Enum(
                "points", "megabytes", "us_cents", name="unit", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column("unlocked_at", sa.Integer(), nullable=True),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column(
            "fulfilment",
            sa.Enum("by_hand", "coupon", name="fulfilment", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(price IS NULL) <> (unlocked_at IS NULL)", name=op.f("ck_perk_bought_or_unlocked")),
        sa.CheckConstraint("price > 0", name=op.f("ck_perk_price")),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_perk_stock")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_perk")),
        sa.UniqueConstraint("name", name=op.f("uq_perk_name")),
    )
    op.create_table(
        "badge_award",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column(
            "badge",
            sa.Enum("first", "10", "50", "100", name="badge", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_badge_award_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badge_award")),
        sa.UniqueConstraint("profile_id", "badge", name=op.f("uq_badge_award_profile_id_badge")),
    )
    op.create_table(
        "leaderboard_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_leaderboard_change_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leaderboard_change")),
    )
    op.create_table(
        "redemption",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("perk_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["reward_entry.id"], name=op.f("fk_redemption_entry_id_reward_entry")),
        sa.ForeignKeyConstraint(["perk_id"], ["perk.id"], name=op.f("fk_redemption_perk_id_perk")),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_redemption_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_redemption_entry_id")),
        sa.UniqueConstraint("profile_id", "key", name=op.f("uq_redemption_profile_id_key")),
    )
    op.create_index("ix_redemption_perk_id", "redemption", ["perk_id"], unique=False)
    op.create_table(
        "coupon",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("perk_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("redemption_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["perk_id"], ["perk.id"], name=op.f("fk_coupon_perk_id_perk")),
        sa.ForeignKeyConstraint(["redemption_id"], ["redemption.id"], name=op.f("fk_coupon_redemption_id_redemption")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon")),
        sa.UniqueConstraint("perk_id", "code", name=op.f("uq_coupon_perk_id_code")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_coupon_redemption_id")),
    )
    op.create_index(
        "ix_coupon_free",
        "coupon",
        ["perk_id"],
        unique=False,
        sqlite_where=sa.text("redemption_id IS NULL"),
        postgresql_where=sa.text("redemption_id IS NULL"),
    )


def downgrade():
    op.drop_index("ix_coupon_free", "coupon")
    op.drop_table("coupon")
    op.drop_index("ix_redemption_perk_id", "redemption")
    op.drop_table("redemption")
    op.drop_table("leaderboard_change")
    op.drop_table("badge_award")
    op.drop_table("perk")
