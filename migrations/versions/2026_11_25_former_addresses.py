"""former addresses

Revision ID: 0007
Revises: 0006
Created: 2026-11-25 16:10:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "former_address",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("referral_id", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_former_address_referral_id_referral")),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_former_address")),
    )
    op.create_index(op.f("ix_former_address_referral_id"), "former_address", ["referral_id"])


def downgrade():
    op.drop_table("former_address")
