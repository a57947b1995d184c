"""brand

Revision ID: 0018
Revises: 0017
Created: 2026-11-29 20:20:00
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MEDIA_TYPES = ("image/svg+xml", "image/png")


def upgrade():
    op.create_table(
        "logo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column(
            "media_type",
            sa.Enum(*MEDIA_TYPES, name="media_type", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_logo_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logo")),
        sa.UniqueConstraint("digest", name=op.f("uq_logo_digest")),
    )
    brand = op.create_table(
        "brand",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("accent", sa.String(length=7), nullable=False),
        sa.Column("support_email", sa.String(length=254), nullable=True),
        sa.Column("terms_url", sa.String(length=500), nullable=True),
        sa.Column("privacy_url", sa.String(length=500), nullable=True),
        sa.Column("sender_name", sa.String(length=80), nullable=True),
        sa.Column("headline", sa.String(length=120), nullable=True),
        sa.Column("logo_id", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["logo_id"], ["logo.id"], name=op.f("fk_brand_logo_id_logo")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brand")),
        sa.UniqueConstraint("version", name=op.f("uq_brand_version")),
    )
    op.bulk_insert(
        brand, [{"version": 1, "name": "ReferralHub", "accent": "#9333ea", "created": datetime.now(UTC)}]
    )


def downgrade():
    op.drop_table("brand")
    op.drop_table("logo")
