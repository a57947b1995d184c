"""indexes for what is asked of all

Revision ID: 0032
Revises: 0031
Created: 2026-11-30 11:15:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

UNUSED = "state IN ('kept', 'refused')"
NEW = (
    # The ledger's entries of a referral: the unique indexes have only those without a conversion.
    ("ix_reward_entry_referral_id", "reward_entry", ["referral_id"], None, None),
    # Lists of the API in the order of time, in any state and span.
    ("ix_referral_state_created_id", "referral", ["state", "created", "id"], None, None),
    ("ix_user_closed", "user", ["created", "id"], "is_active = 0", "NOT is_active"),
    # Of several products, each finds its own events.
    ("ix_event_product_id", "event", ["product", "id"], None, None),
    ("ix_event_product_type_id", "event", ["product", "type", "id", "state"], None, None),
    ("ix_event_unused", "event", ["product", "state", "id"], UNUSED, UNUSED),
    ("ix_event_unused_type", "event", ["product", "type", "state", "id"], UNUSED, UNUSED),
)
OLD = (  # which those above do for, too
    ("ix_referral_state_id", "referral", ["state", "id"], None),
    ("ix_event_type_id", "event", ["type", "id"], None),
    ("ix_event_kept", "event", ["id"], "state = 'kept'"),
)


def upgrade():
    for name, table, columns, sqlite, postgresql in NEW:
        make(name, table, columns, sqlite, postgresql)
    for name, table, _columns, _condition in OLD:
        op.drop_index(name, table)


def downgrade():
    for name, table, columns, condition in OLD:
        make(name, table, columns, condition, condition)
    for name, table, *_rest in reversed(NEW):
        op.drop_index(name, table)


def make(name, table, columns, sqlite, postgresql):
    conditions = {"sqlite_where": sqlite, "postgresql_where": postgresql}
    op.create_index(name, table, columns, **{key: sa.text(each) if each else None for key, each in conditions.items()})
