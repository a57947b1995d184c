"""existing customers

Revision ID: 0013
Revises: 0010
Created: 2026-11-25 23:40:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "customer",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_customer")),
    )


def downgrade():
    op.drop_table("customer")
