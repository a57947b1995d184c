"""What a request has done for good, in words: for an answer that cannot be given as usual, since a service has gone."""

from flask import Flask, g, message_flashed


def init_app(app: Flask) -> None:
    """Take a notice for the next page as what was done."""
    message_flashed.connect(_flashed, app)


def note(words: str) -> None:
    """Note what is done and committed, where no notice says so."""
    g.setdefault("outcome", []).append(words)


def noted() -> str:
    """Return what this request has done; "" where there is nothing to be said."""
    return " ".join(g.get("outcome", []))


def _flashed(_: Flask, message: str, **more: object) -> None:
    note(message)
