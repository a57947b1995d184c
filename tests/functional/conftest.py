"""Fixtures of the tests that run commands."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests.doctors import examine, login_server, mail_url, settled
from tests.people import Person

__all__ = ["examine", "login_server", "mail_url", "settled"]  # fixtures


@pytest.fixture
def run(app: Flask) -> Callable[..., Result]:
    """Run a command: `run("program", "show")`; `typed` is its standard input, `expect` its exit code."""

    def command(*words: str, typed: str | None = None, expect: int = 0) -> Result:
        result = app.test_cli_runner().invoke(args=words, input=typed)
        assert result.exit_code == expect, result.output
        return result

    return command


@pytest.fixture
def ask(run: Callable[..., Result]) -> Callable[..., Any]:
    """Run a command with --json, and give the one document that it prints."""

    def command(*words: str, **options: Any) -> Any:
        return json.loads(run(*words, "--json", **options).stdout)

    return command


@pytest.fixture
def joined(alice: Person, bob: Person) -> None:
    """Bob joined by Alice's link and has not confirmed yet."""
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()


@pytest.fixture
def credited(joined: None, bob: Person) -> None:
    """Alice was credited for Bob."""
    bob.confirm_address()
