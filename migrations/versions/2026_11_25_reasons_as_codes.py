"""reasons as codes

Revision ID: 0006
Revises: 0005
Created: 2026-11-25 12:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLE = "referral_event"
STATED = "stated"
# The sentences that were written by rules, with what they are now; every other one was written by a person.
SENTENCES = {
    "signed up": ("signed_up", "{}"),
    "address verified": ("address_verified", "{}"),
    "address verification is not required": ("verification_not_required", "{}"),
    "the address was not confirmed within 30 days": ("not_verified_in_time", '{"days": 30}'),
    "nobody decided within 30 days, and the score is under 60": (
        "not_decided_in_time",
        '{"days": 30, "below": 60}',
    ),
}


def upgrade():
    allow_changes()
    op.add_column(TABLE, sa.Column("reason_code", sa.String(length=40), server_default=STATED, nullable=False))
    op.add_column(TABLE, sa.Column("reason_values", JSON, server_default="{}", nullable=False))
    code, values = (whichever(part) for part in (0, 1))
    written = listed(SENTENCES)
    op.execute(f"UPDATE {TABLE} SET reason_code = {code}, reason_values = {as_json(values)} WHERE reason IN ({written})")
    text = "jsonb_build_object('text', reason)" if is_postgresql() else "json_object('text', reason)"
    op.execute(f"UPDATE {TABLE} SET reason_values = {text} WHERE reason NOT IN ({written})")
    op.drop_column(TABLE, "reason")
    forbid_changes()


def downgrade():
    allow_changes()
    write_out_verdicts()
    op.add_column(TABLE, sa.Column("reason", sa.String(length=200), server_default="", nullable=False))
    for sentence, (code, _) in SENTENCES.items():
        op.execute(sa.text(f"UPDATE {TABLE} SET reason = :sentence WHERE reason_code = :code").bindparams(
            sentence=sentence, code=code
        ))
    text = "reason_values ->> 'text'" if is_postgresql() else "json_extract(reason_values, '$.text')"
    op.execute(f"UPDATE {TABLE} SET reason = {text} WHERE reason_code = '{STATED}'")
    op.drop_column(TABLE, "reason_values")
    op.drop_column(TABLE, "reason_code")
    forbid_changes()


def write_out_verdicts():
    """Give verdicts that were kept as codes the form that the code of before reads: the code stands for its words."""
    events = sa.table(TABLE, sa.column("id"), sa.column("evidence", JSON))
    kept = events.c.evidence["assessment"]["verdict"].as_string()
    connection = op.get_bind()
    judged = sa.select(events.c.id).where(kept.is_not(None))
    for number in connection.scalars(judged).all():
        row = connection.execute(sa.select(events).where(events.c.id == number)).one()
        verdict = row.evidence["assessment"]
        if "reasons" in verdict:  # of before: nothing was changed about it
            continue
        findings = [
            {
                "rule": each["rule"].replace("_", " "),
                "points": each["points"],
                "words": each["code"].replace("_", " "),
                "values": [", ".join(f"{name} {value}" for name, value in sorted(each["values"].items())), ""],
            }
            for each in verdict["findings"]
        ]
        heaviest = sorted(findings, key=lambda finding: -finding["points"])[:2]
        old = {
            "verdict": verdict["verdict"].replace("_", " "),
            "reasons": [finding["words"] for finding in heaviest],
            "findings": findings,
            "incomplete": [rule.replace("_", " ") for rule in verdict["incomplete"]],
            "without": {rule.replace("_", " "): after.replace("_", " ") for rule, after in verdict["without"].items()},
        }
        evidence = row.evidence | {"assessment": verdict | old}
        connection.execute(sa.update(events).where(events.c.id == row.id).values(evidence=evidence))


def is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


def listed(texts):
    return ", ".join(f"'{text}'" for text in texts)


def whichever(part):
    return "CASE reason " + " ".join(f"WHEN '{text}' THEN '{now[part]}'" for text, now in SENTENCES.items()) + " END"


def as_json(value):
    return f"({value})::jsonb" if is_postgresql() else value


def allow_changes():
    if is_postgresql():
        op.execute(f"DROP TRIGGER {TABLE}_append_only ON {TABLE}")
    else:
        for action in ("update", "delete"):
            op.execute(f"DROP TRIGGER {TABLE}_no_{action}")


def forbid_changes():
    if is_postgresql():
        op.execute(
            f"CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE} "
            f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_append_only()"
        )
    else:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {TABLE}_no_{action.lower()} BEFORE {action} ON {TABLE} "
                f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
            )
