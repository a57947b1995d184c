"""Bringing the tables up to date, by Flask-Migrate and Alembic: loaded for whoever migrates, with no web process."""

from typing import Any

import click
from flask import Flask, current_app

from referralhub import database
from referralhub.extensions import db


def init_app(app: Flask) -> None:
    """Register `flask db`."""
    app.cli.add_command(Commands(app))


def upgrade(revision: str = "head") -> None:
    """Migrate the database of the application at work, up to a revision."""
    _load(current_app)
    from flask_migrate import upgrade  # noqa: PLC0415 - see above

    upgrade(revision=revision)


def downgrade(revision: str) -> None:
    """Migrate the database of the application at work back to a revision."""
    _load(current_app)
    from flask_migrate import downgrade  # noqa: PLC0415 - see above

    downgrade(revision=revision)


class Commands(click.Command):
    """Stands for Flask-Migrate's commands until one of them is asked for."""

    def __init__(self, app: Flask) -> None:
        super().__init__("db", help="Perform database migrations.")
        self.app = app

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Let the real group take over."""
        _load(self.app)
        return self.app.cli.commands["db"].make_context(*args, **more)


def _load(app: Flask) -> None:
    from flask_migrate import Migrate  # noqa: PLC0415 - see above

    Migrate(app, db, directory=database.MIGRATIONS, render_as_batch=True)  # puts its own `db` in place of ours
