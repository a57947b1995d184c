"""indexes for growth

Revision ID: 0014
Revises: 0013
Created: 2026-11-29 20:20:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What the growth page adds up is in these, so that it need not read the rows.
INDEXES = {
    "ix_profile_created_referred_by_id": ("profile", ["created", "referred_by_id"]),
    "ix_profile_id_created": ("profile", ["id", "created"]),
    "ix_referral_referrer_state_created": ("referral", ["referrer_id", "state", "created"]),
    "ix_reward_entry_created": ("reward_entry", ["created", "kind", "unit", "amount"]),
}


def upgrade():
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    unverified = sa.text("verified_at IS NULL")
    op.create_index("ix_user_unverified", "user", ["id"], sqlite_where=unverified, postgresql_where=unverified)


def downgrade():
    op.drop_index("ix_user_unverified", "user")
    for name, (table, _) in reversed(INDEXES.items()):
        op.drop_index(name, table)
