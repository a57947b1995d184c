"""timezone

Revision ID: 0020
Revises: 0019
Created: 2026-11-29 20:45:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("program", sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False))


def downgrade():
    op.drop_column("program", "timezone")
