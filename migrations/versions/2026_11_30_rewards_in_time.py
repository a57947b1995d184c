"""rewards in time, and final

Revision ID: 0028
Revises: 0027
Created: 2026-11-30 07:40:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

FINAL = "what was handed over is final"


def upgrade():
    op.create_table(
        "reward_hold",
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=24), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_reward_hold_profile_id_profile")),
        sa.PrimaryKeyConstraint("profile_id", "unit", name=op.f("pk_reward_hold")),
    )
    op.create_index(op.f("ix_reward_hold_until"), "reward_hold", ["until"])
    op.create_index("ix_reward_profile_id_id", "reward", ["profile_id", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER reward_final_{action.lower()} BEFORE {action} ON reward "
                f"WHEN OLD.payout_id IS NOT NULL BEGIN SELECT RAISE(ABORT, '{FINAL}'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION reward_final() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{FINAL}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER reward_final BEFORE UPDATE OR DELETE ON reward "
            "FOR EACH ROW WHEN (OLD.payout_id IS NOT NULL) EXECUTE FUNCTION reward_final()"
        )


def downgrade():
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(f"DROP TRIGGER reward_final_{action.lower()}")
    else:
        op.execute("DROP TRIGGER reward_final ON reward")
        op.execute("DROP FUNCTION reward_final()")
    op.drop_index("ix_reward_profile_id_id", "reward")
    op.drop_table("reward_hold")
