"""credited instead

Revision ID: 0034
Revises: 0033
Created: 2026-11-30 14:50:00
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

KEY = "fk_referral_credited_id_profile"
LINE = f"CONSTRAINT {KEY} FOREIGN KEY(credited_id) REFERENCES profile (id), "
PRIMARY = "CONSTRAINT pk_referral"
WHERE = sa.text("credited_id IS NOT NULL")


def upgrade():
    op.add_column("referral", sa.Column("credited_id", sa.Integer(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.create_foreign_key(KEY, "referral", "profile", ["credited_id"], ["id"])
    else:
        remake("referral", PRIMARY, LINE + PRIMARY)
    op.create_index("ix_referral_credited", "referral", ["credited_id"], sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade():
    op.drop_index("ix_referral_credited", "referral")
    if op.get_bind().dialect.name == "sqlite":
        remake("referral", LINE, "")
    op.drop_column("referral", "credited_id")


def remake(table, old, new):
    """Make a table of SQLite's anew, with its rows, indexes and triggers; `old` is in its definition.

    Foreign keys to it are not looked at meanwhile (`env.py`): every row keeps its number.
    """
    connection = op.get_bind()
    about = "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    definition, *others = connection.scalars(sa.text(about), {"name": table}).all()
    assert definition.count(old) == 1, (table, old)
    definition = definition.replace(old, new)
    definition = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE new_{table}", definition)
    op.execute(sa.text(definition.replace(":", r"\:")))
    names = ", ".join(column["name"] for column in sa.inspect(connection).get_columns(table))
    op.execute(f"INSERT INTO new_{table} ({names}) SELECT {names} FROM {table}")
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)
    for each in others:
        op.execute(each)
