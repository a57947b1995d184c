"""How Alembic reaches the database: through the application, so that both always mean the same one."""

from alembic import context

from referralhub import database, models  # noqa: F401 - loading the models fills the metadata
from referralhub.extensions import db


def run() -> None:
    """Migrate in one transaction, so that a failure leaves the schema as it was."""
    database.create_file(db.engine)
    with db.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=db.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()


run()
