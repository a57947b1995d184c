"""The log: one line for each thing that happens, on standard error, as JSON or as text.

Names, addresses, codes, tokens and what people typed are in none of them: the log outlives accounts, and is read by
more people than the database.
"""

import logging
import os
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from referralhub.config import Settings, log_format
from referralhub.observing import context

# Their messages say what is wrong with the code, in types and names of it; other errors quote the values at hand.
SPEAK_OF_CODE = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)

log = logging.getLogger(__name__)


def begin(settings: Settings) -> None:
    """Write what this process has to say, from now on, and nothing of what libraries tell at length."""
    # What no line of ours says need not be found out for each; this halves what a line costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # as the library's manual says
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings.log_format, in_full=settings.development))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # below it some tell statements of SQL, paths and addresses
    for name in ("referralhub", "_granian"):  # which Flask and Granian gave a handler
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("referralhub").setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def formatter(name: str, in_full: bool) -> logging.Formatter:
    """Return what writes a line, "json" or "text"; `in_full` says every error's message, on somebody's own machine."""
    return (_Json if name == "json" else _Text)(in_full)


def for_granian() -> logging.Formatter:
    """Return what writes the lines of the web server itself, before it has loaded the application."""
    return formatter(log_format(os.environ), in_full=False)


def brief(error: BaseException) -> str:
    """Return what a service that is away has said, in one line; what a database says of values is in the others."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


class _Lines(logging.Formatter):
    """Collects what a line says."""

    def __init__(self, in_full: bool) -> None:
        super().__init__()
        self.in_full = in_full

    def said(self, record: logging.LogRecord) -> dict[str, Any]:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **context.facts(),
            **getattr(record, "facts", {}),  # what is known of this line alone
        }

    def error(self, record: logging.LogRecord) -> str:
        if not record.exc_info or not record.exc_info[1]:
            return ""
        error = record.exc_info[1]
        return "".join(traceback.format_exception(error)) if self.in_full else "\n".join(_without_values(error))


class _Json(_Lines):
    """Writes each line as one JSON object."""

    _encode = msgspec.json.Encoder(enc_hook=str).encode

    def format(self, record: logging.LogRecord) -> str:
        said = self.said(record)
        if error := self.error(record):
            said["error"] = error
        return self._encode(said).decode()


class _Text(_Lines):
    """Writes each line to be read at once."""

    def format(self, record: logging.LogRecord) -> str:
        said = self.said(record)
        begin = (said.pop("time"), said.pop("level"), f"{said.pop('logger')}:", said.pop("message"))
        line = " ".join([*begin, *(f"{name}={value}" for name, value in said.items())])
        return "\n".join(filter(None, (line, self.error(record))))


def _without_values(error: BaseException) -> Iterator[str]:
    """Tell where an error came from, and what led to it, without the values that messages quote."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _without_values(cause)
        yield "which led to:"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    yield brief(error) if isinstance(error, SPEAK_OF_CODE) else type(error).__name__


def _thread_failed(what: threading.ExceptHookArgs) -> None:
    if what.exc_value is not None:
        log.error("A thread failed", exc_info=what.exc_value)
