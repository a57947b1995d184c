"""joined another way

Revision ID: 0008
Revises: 0007
Created: 2026-11-25 15:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OLD_STATES = ("queued", "sent", "bounced", "visited", "joined")
NEW_STATES = ("queued", "sent", "bounced", "visited", "not_sent", "joined", "joined_otherwise")


def upgrade():
    change_states(NEW_STATES)
    op.create_index("ix_invitation_address_lower", "invitation", [sa.text("lower(address)")])
    note_who_joined_another_way()
    note_what_was_not_sent()


def downgrade():
    op.execute("UPDATE invitation SET state = 'joined' WHERE state = 'joined_otherwise'")
    op.execute("UPDATE invitation SET state = 'queued' WHERE state = 'not_sent'")
    op.drop_index("ix_invitation_address_lower", "invitation")
    change_states(OLD_STATES)


def note_who_joined_another_way():
    """Mark the invited people whose address is that of a member, as is done from now on when it is confirmed."""
    op.execute(
        """
        UPDATE invitation SET state = CASE
            WHEN invitation.profile_id = (
                SELECT profile.referred_by_id FROM profile JOIN "user" ON "user".id = profile.user_id
                WHERE lower("user".email) = lower(invitation.address)
            ) THEN 'joined' ELSE 'joined_otherwise' END
        WHERE state <> 'joined' AND EXISTS (
            SELECT 1 FROM "user"
            WHERE lower("user".email) = lower(invitation.address) AND "user".verified_at IS NOT NULL
        )
        """
    )


def note_what_was_not_sent():
    """Take back "on its way" and "reminded" where the mail was dropped, because nobody wanted it any more."""
    dropped = (
        "EXISTS (SELECT 1 FROM outbox WHERE outbox.key = '{kind}:' || CAST(invitation.id AS VARCHAR) "
        "AND delivered_at IS NULL AND next_try_at IS NULL AND last_error IS NULL)"
    )
    op.execute(f"UPDATE invitation SET state = 'not_sent' WHERE state = 'queued' AND {dropped.format(kind='invitation')}")
    op.execute(f"UPDATE invitation SET reminded_at = NULL WHERE {dropped.format(kind='invitation_reminder')}")


def change_states(states):
    if op.get_bind().dialect.name == "postgresql":
        listed = ", ".join(f"'{state}'" for state in states)
        op.drop_constraint(op.f("ck_invitation_state"), "invitation", type_="check")
        op.create_check_constraint(op.f("ck_invitation_state"), "invitation", f"state IN ({listed})")
        return
    # SQLite cannot change a CHECK: the table is made anew, and its rows are copied.
    with op.batch_alter_table("invitation", copy_from=invitation(states), recreate="always"):
        pass


def invitation(states):
    return sa.Table(
        "invitation",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("words", sa.String(length=600), nullable=False),
        sa.Column(
            "state",
            sa.Enum(*states, name=op.f("ck_invitation_state"), native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("friend_id", sa.Integer(), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["friend_id"], ["profile.id"], name=op.f("fk_invitation_friend_id_profile")),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_invitation_profile_id_profile")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_invitation_address_hash")),
        sa.UniqueConstraint("friend_id", name=op.f("uq_invitation_friend_id")),
        sa.Index("ix_invitation_profile_created", "profile_id", "created"),
    )
