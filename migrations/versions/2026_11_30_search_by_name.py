"""search by name

Revision ID: 0033
Revises: 0032
Created: 2026-11-30 12:05:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_user_display_name_lower", "user", [sa.text("lower(display_name)")])


def downgrade():
    op.drop_index("ix_user_display_name_lower", "user")
