"""when each kind of thing was last seen

Revision ID: 0031
Revises: 0030
Created: 2026-11-30 08:50:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_event_type_created", "event", ["type", "created", "state"], None),
    ("ix_event_kept_reason_created", "event", ["reason_code", "created"], "state = 'kept'"),
    ("ix_webhook_delivery_delivered_at", "webhook_delivery", ["delivered_at"], "delivered_at IS NOT NULL"),
    ("ix_visit_daily_day", "visit_daily", ["day"], None),
)


def upgrade():
    for name, table, columns, condition in INDEXES:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade():
    for name, table, _columns, _condition in reversed(INDEXES):
        op.drop_index(name, table)
