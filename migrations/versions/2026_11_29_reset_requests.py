"""reset requests

Revision ID: 0021
Revises: 0020
Created: 2026-11-29 20:10:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "reset_request",
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("address", "minute", name=op.f("pk_reset_request")),
    )


def downgrade():
    op.drop_table("reset_request")
