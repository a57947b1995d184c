"""api keys

Revision ID: 0025
Revises: 0024
Created: 2026-11-30 03:10:00
"""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OLD_PURPOSES = ("verify_address", "change_address", "reset_password")
MOMENT = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("beginning", sa.String(length=16), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_api_key_created_by_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    op.create_table(
        "external_member",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("updated", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_external_member_user_id_user")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_external_member")),
        sa.UniqueConstraint("external_id", name=op.f("uq_external_member_external_id")),
    )
    change_values("audit_log", "role", ("admin", "operator", "api", "system"))
    change_values("one_time_token", "purpose", (*OLD_PURPOSES, "sign_in"))


def downgrade():
    op.execute("DELETE FROM one_time_token WHERE purpose = 'sign_in'")
    change_values("one_time_token", "purpose", OLD_PURPOSES)
    change_values("audit_log", "role", ("admin", "operator", "system"))  # fails where the log names a key: what it says cannot be left out
    op.drop_table("external_member")
    op.drop_table("api_key")


def change_values(table, column, new):
    """Let a column have other values than before."""
    check = f"{column} IN ({', '.join(repr(each) for each in new)})"
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, check)
    else:
        remake(table, rf"{column} IN \([^)]*\)", check)


def remake(table, old, new):
    """Make a table of SQLite's anew, with its rows, indexes and triggers; `old` is a pattern in its definition.

    Foreign keys to it are not looked at meanwhile (`env.py`): every row keeps its number.
    """
    connection = op.get_bind()
    about = "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    definition, *others = connection.scalars(sa.text(about), {"name": table}).all()
    definition, found = re.subn(old, new, definition)
    assert found == 1, (table, old)
    definition = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE new_{table}", definition)
    op.execute(sa.text(definition.replace(":", r"\:")))
    names = ", ".join(column["name"] for column in sa.inspect(connection).get_columns(table))
    op.execute(f"INSERT INTO new_{table} ({names}) SELECT {names} FROM {table}")
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)
    for each in others:
        op.execute(each)
