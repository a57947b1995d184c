"""languages

Revision ID: 0017
Revises: 0014
Created: 2026-11-29 20:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("user", sa.Column("language", sa.String(length=10), nullable=True))
    op.add_column("user", sa.Column("browser_language", sa.String(length=10), nullable=True))


def downgrade():
    op.drop_column("user", "browser_language")
    op.drop_column("user", "language")
