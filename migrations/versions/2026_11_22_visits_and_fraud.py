"""visits and fraud

Revision ID: 0004
Revises: 0003
Created: 2026-11-22 22:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade():
    op.create_table(
        "once",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_once")),
    )
    op.create_index("ix_once_created", "once", ["created"])

    op.create_table(
        "daily_salt",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_daily_salt")),
    )
    op.create_table(
        "sighting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("agent", sa.String(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_sighting_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
    )
    op.create_index("ix_sighting_created", "sighting", ["created"])
    op.create_index("ix_sighting_network_created", "sighting", ["network", "created"])
    op.create_index("ix_sighting_profile_created", "sighting", ["profile_id", "created"])
    op.create_table(
        "signup_facts",
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("sighting_id", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("trapped", sa.Boolean(), nullable=False),
        sa.Column("members", JSON, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_signup_facts_profile_id_profile")),
        sa.ForeignKeyConstraint(["sighting_id"], ["sighting.id"], name=op.f("fk_signup_facts_sighting_id_sighting")),
        sa.PrimaryKeyConstraint("profile_id", name=op.f("pk_signup_facts")),
    )
    op.create_index("ix_signup_facts_created", "signup_facts", ["created"])


def downgrade():
    op.drop_table("signup_facts")
    op.drop_table("sighting")
    op.drop_table("daily_salt")
    op.drop_table("once")
