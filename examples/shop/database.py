"""The shop's own database: a SQLite file."""

import sqlite3
from pathlib import Path

from flask import current_app, g
from werkzeug.security import generate_password_hash

SCHEMA = Path(__file__).parent / "schema.sql"
OWNER, CUSTOMER, PASSWORD = "owner@example.com", "ada@example.com", "tea for two"  # to look around with


def connection() -> sqlite3.Connection:
    """Return this request's connection. What is written in a block `with` it is committed whole, or not at all."""
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["SHOP_DATABASE"], timeout=10)
        g.connection.row_factory = sqlite3.Row
        g.connection.execute("PRAGMA foreign_keys = ON")
    found: sqlite3.Connection = g.connection
    return found


def prepare() -> None:
    """Make the tables, and two accounts to look around with, where they are not there."""
    connection().executescript(SCHEMA.read_text())
    if one("SELECT 1 FROM customer") is None:
        hashed = generate_password_hash(PASSWORD)
        new = "INSERT INTO customer (name, email, password, is_owner) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        with connection() as db:
            db.executemany(new, [("Grace", OWNER, hashed, True), ("Ada", CUSTOMER, hashed, False)])


def one(sql: str, *values: object) -> sqlite3.Row | None:
    """Read one row."""
    found: sqlite3.Row | None = connection().execute(sql, values).fetchone()
    return found


def rows(sql: str, *values: object) -> list[sqlite3.Row]:
    """Read rows."""
    return connection().execute(sql, values).fetchall()


def close(_: object) -> None:
    """Let the connection go with the request."""
    if found := g.pop("connection", None):
        found.close()
