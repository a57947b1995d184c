"""Fixtures of the tests that watch."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from referralhub.observing import logs
from tests.conftest import make_settings


@dataclass
class Log:
    """What was written down, as in production."""

    stream: io.StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def by(self, logger: str) -> list[dict[str, Any]]:
        """Give the lines of one logger."""
        return [line for line in self.lines if line["logger"] == logger]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.by("referralhub.access")

    def clear(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()


@pytest.fixture
def begin_log(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[Callable[..., Log]]:
    """Write down what this process says from now on; the settings are those of production unless told."""
    loggers = [logging.getLogger(name) for name in ("", "referralhub", "_granian", "py.warnings")]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    flags = {name: getattr(logging, name) for name in ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile")}
    hook, show = threading.excepthook, warnings.showwarning

    def begin(**changes: object) -> Log:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        usual = {"referralhub_env": "production", "log_level": "debug"}
        logs.begin(make_settings("sqlite://", "redis://", tmp_path, **(usual | changes)))
        return Log(stream)

    yield begin
    logging.captureWarnings(False)
    threading.excepthook, warnings.showwarning = hook, show
    for name, value in flags.items():
        setattr(logging, name, value)
    for logger, level, handlers, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def log(begin_log: Callable[..., Log]) -> Log:
    return begin_log()


@pytest.fixture
def broken_app(make_app: Callable[..., Flask]) -> Flask:
    """An application whose page on privacy fails, at what somebody typed."""
    app = make_app()

    def fail() -> str:
        raise ValueError("alice@example.com is not in list")

    app.view_functions["landing.privacy"] = fail
    return app
