"""api answers

Revision ID: 0029
Revises: 0028
Created: 2026-11-30 07:40:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

FOR_LISTS = (  # of the API, which can be of a state and of a span of time
    ("ix_referral_state_id", "referral", ["state", "id"]),
    ("ix_referral_created", "referral", ["created"]),
    ("ix_external_member_created", "external_member", ["created"]),
)


def upgrade():
    op.create_table(
        "api_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("api_key_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_key.id"], name=op.f("fk_api_answer_api_key_id_api_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_answer")),
        sa.UniqueConstraint("api_key_id", "key", name=op.f("uq_api_answer_api_key_id_key")),
    )
    op.create_index(op.f("ix_api_answer_created"), "api_answer", ["created"])
    for name, table, columns in FOR_LISTS:
        op.create_index(name, table, columns)


def downgrade():
    for name, table, _ in FOR_LISTS:
        op.drop_index(name, table_name=table)
    op.drop_table("api_answer")
