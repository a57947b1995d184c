"""currencies

Revision ID: 0019
Revises: 0018
Created: 2026-11-29 20:30:00
"""

import re

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OLD_UNITS = "unit IN ('points', 'megabytes', 'us_cents')"
PROGRAM_UNITS = "unit IN ('points', 'megabytes', 'money')"
UNIT_OF_AMOUNT = "unit IN ('points', 'megabytes') OR (length(unit) = 3 AND unit = upper(unit))"
CURRENCY = "length(currency) = 3 AND currency = upper(currency)"
UNIT_COLUMN, CURRENCY_COLUMN = "unit VARCHAR(24) NOT NULL,", " currency VARCHAR(3) NOT NULL,"
UNIT_CHECK, CURRENCY_CHECK = "CONSTRAINT ck_program_unit", f"CONSTRAINT ck_program_currency CHECK ({CURRENCY}), "
NEW_UNITS = {"program": PROGRAM_UNITS, "perk": UNIT_OF_AMOUNT, "reward_entry": UNIT_OF_AMOUNT}
AMOUNTS = {  # for currencies of which a small thing costs hundreds of thousands
    "program": ("referrer_amount", "friend_amount", "member_cap", "paid_customer_cost", "thousand_units_cost"),
    "perk": ("price",),
    "reward_entry": ("amount", "balance"),
}
DOLLARS = {"program": "money", "perk": "USD", "reward_entry": "USD"}  # what was in US cents


def upgrade():
    if is_postgresql():
        op.add_column("program", sa.Column("currency", sa.String(length=3), server_default="USD", nullable=False))
        op.alter_column("program", "currency", server_default=None)
        op.create_check_constraint(op.f("ck_program_currency"), "program", CURRENCY)
        change_tables("us_cents", DOLLARS, NEW_UNITS, sa.BigInteger())
    else:
        for table, names in AMOUNTS.items():
            changes = [(f"{name} INTEGER", f"{name} BIGINT") for name in names]
            changes.append((f"CHECK ({OLD_UNITS})", f"CHECK ({NEW_UNITS[table]})"))
            if table == "program":
                changes += [(UNIT_COLUMN, UNIT_COLUMN + CURRENCY_COLUMN), (UNIT_CHECK, CURRENCY_CHECK + UNIT_CHECK)]
            unit = f"CASE unit WHEN 'us_cents' THEN '{DOLLARS[table]}' ELSE unit END"
            remake(table, changes, {"unit": unit} | ({"currency": "'USD'"} if table == "program" else {}))
    change_waiting_mail("us_cents", "USD")


def downgrade():
    refuse_other_currencies()
    if is_postgresql():
        old = dict.fromkeys(AMOUNTS, OLD_UNITS)
        for table, unit in DOLLARS.items():
            change_tables(unit, {table: "us_cents"}, old, sa.Integer())
        op.drop_constraint(op.f("ck_program_currency"), "program", type_="check")
        op.drop_column("program", "currency")
    else:
        for table, names in AMOUNTS.items():
            changes = [(f"{name} BIGINT", f"{name} INTEGER") for name in names]
            changes.append((f"CHECK ({NEW_UNITS[table]})", f"CHECK ({OLD_UNITS})"))
            if table == "program":
                changes += [(CURRENCY_COLUMN, ""), (CURRENCY_CHECK, "")]
            remake(table, changes, {"unit": f"CASE unit WHEN '{DOLLARS[table]}' THEN 'us_cents' ELSE unit END"})
    change_waiting_mail("USD", "us_cents")


def refuse_other_currencies():
    """The release of before knows no money but US dollars, and what is in the ledger cannot be left out."""
    other = "SELECT unit FROM {} WHERE unit NOT IN ('points', 'megabytes', 'USD')"
    paid = "SELECT currency FROM program WHERE unit = 'money' AND currency <> 'USD'"
    found = op.get_bind().scalars(sa.text(" UNION ".join([other.format("perk"), other.format("reward_entry"), paid])))
    if codes := sorted(found):
        raise CommandError(
            f"The release before this one knows no money but US dollars; here there is {', '.join(codes)}."
        )


def change_tables(old, new, checks, kind):
    """Change units, their CHECK and the type of amounts on PostgreSQL."""
    for table, unit in new.items():
        op.drop_constraint(op.f(f"ck_{table}_unit"), table, type_="check")
        for name in AMOUNTS[table]:
            op.alter_column(table, name, type_=kind)
        if table == "reward_entry":
            op.execute("ALTER TABLE reward_entry DISABLE TRIGGER reward_entry_append_only")
        op.execute(f"UPDATE {table} SET unit = '{unit}' WHERE unit = '{old}'")
        if table == "reward_entry":
            op.execute("ALTER TABLE reward_entry ENABLE TRIGGER reward_entry_append_only")
        op.create_check_constraint(op.f(f"ck_{table}_unit"), table, checks[table])


def remake(table, changes, values):
    """Make a table of SQLite's anew, which cannot change a CHECK, with its rows, indexes and triggers.

    Foreign keys to it are not looked at meanwhile (`env.py`): every row keeps its number.
    """
    connection = op.get_bind()
    about = "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    definition, *others = connection.scalars(sa.text(about), {"name": table}).all()
    for old, new in changes:
        assert old in definition, (table, old)
        definition = definition.replace(old, new)
    kept = [column["name"] for column in sa.inspect(connection).get_columns(table)]
    definition = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE new_{table}", definition)
    op.execute(sa.text(definition.replace(":", r"\:")))
    names = [row.name for row in connection.execute(sa.text(f"PRAGMA table_info(new_{table})"))]
    taken = ", ".join(values.get(name, name) for name in names)
    assert set(names) <= {*kept, *values}
    op.execute(f"INSERT INTO new_{table} ({', '.join(names)}) SELECT {taken} FROM {table} ORDER BY id")
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)
    for each in others:
        op.execute(each)


def change_waiting_mail(old, new):
    """Let messages speak of the unit by its new name; what the audit log says stays as it was written."""
    if is_postgresql():
        value, found = f"jsonb_set(payload, '{{unit}}', '\"{new}\"')", "payload ->> 'unit'"
    else:
        value, found = f"json_set(payload, '$.unit', '{new}')", "json_extract(payload, '$.unit')"
    op.execute(f"UPDATE outbox SET payload = {value} WHERE {found} = '{old}'")


def is_postgresql():
    return op.get_bind().dialect.name == "postgresql"
