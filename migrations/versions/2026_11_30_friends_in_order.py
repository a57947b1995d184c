"""friends in order

Revision ID: 0030
Revises: 0029
Created: 2026-11-30 07:45:00
"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade():
    # Whom a member brought, those with the most friends first. It finds them as the shorter one did.
    op.create_index("ix_profile_friends", "profile", ["referred_by_id", "referral_count", "id"])
    op.drop_index("ix_profile_referred_by_id", "profile")


def downgrade():
    op.create_index("ix_profile_referred_by_id", "profile", ["referred_by_id"])
    op.drop_index("ix_profile_friends", "profile")
