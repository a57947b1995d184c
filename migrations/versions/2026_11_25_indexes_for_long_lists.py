"""indexes for long lists

Revision ID: 0010
Revises: 0009
Created: 2026-11-25 19:20:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# What a member's pages and forms look for in tables that grow with the program.
INDEXES = {
    "ix_referral_referrer_id_id": ("referral", ["referrer_id", "id"]),
    "ix_reward_entry_profile_id_id": ("reward_entry", ["profile_id", "id"]),
    "ix_invitation_profile_id_id": ("invitation", ["profile_id", "id"]),
    "ix_redemption_profile_id_id": ("redemption", ["profile_id", "id"]),
    "ix_signup_facts_sighting_id": ("signup_facts", ["sighting_id"]),
    "ix_one_time_token_address_lower": ("one_time_token", [sa.text("lower(address)")]),
}


def upgrade():
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    has_address = sa.text("address IS NOT NULL")
    op.create_index(
        "ix_outbox_address_lower", "outbox", [sa.text("lower(address)")],
        sqlite_where=has_address, postgresql_where=has_address,
    )
    make_free_coupons(["perk_id", "id"])  # in the order in which they are handed out


def downgrade():
    make_free_coupons(["perk_id"])
    op.drop_index("ix_outbox_address_lower", "outbox")
    for name, (table, _) in reversed(INDEXES.items()):
        op.drop_index(name, table)


def make_free_coupons(columns):
    is_free = sa.text("redemption_id IS NULL")
    op.drop_index("ix_coupon_free", "coupon")
    op.create_index("ix_coupon_free", "coupon", columns, sqlite_where=is_free, postgresql_where=is_free)
