"""proven addresses

Revision ID: 0022
Revises: 0021
Created: 2026-11-29 20:20:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ADDRESS = [sa.text("lower(email)")]


def upgrade():
    proven = sa.text("verified_at IS NOT NULL")
    op.create_index("ix_user_email_lower", "user", ADDRESS)
    op.drop_index("uq_user_email_lower", "user")
    op.create_index("uq_user_email_lower", "user", ADDRESS, unique=True, sqlite_where=proven, postgresql_where=proven)


def downgrade():
    # Of several accounts with one address, who proved it keeps it, or else the oldest.
    op.execute(
        """
        UPDATE "user" SET email = 'unproven:' || id || '@unproven.invalid'
        WHERE verified_at IS NULL AND EXISTS (
            SELECT 1 FROM "user" AS other
            WHERE lower(other.email) = lower("user".email)
            AND (other.verified_at IS NOT NULL OR other.id < "user".id)
        )
        """
    )
    op.drop_index("uq_user_email_lower", "user")
    op.create_index("uq_user_email_lower", "user", ADDRESS, unique=True)
    op.drop_index("ix_user_email_lower", "user")
