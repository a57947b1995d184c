"""The WSGI application: `flask --app wsgi …`, or any WSGI server with `wsgi:app`."""

import sys

from flask import Flask

from referralhub import create_app
from referralhub.config import ConfigurationError, Settings
from referralhub.observing import logs
from referralhub.processes import end_with_server

end_with_server()
try:
    app = create_app()
except ConfigurationError as error:
    if "doctor" not in sys.argv:  # the one command that must work then; a server is never started with that word
        sys.exit(f"ReferralHub cannot start. Please set:\n{error}")
    from referralhub.application import wire_doctor

    app = wire_doctor(*Settings.read())
logs.begin(app.config["SETTINGS"])


def test_program() -> Flask:
    """Let commands be about the test program: `flask --app wsgi:test_program program set …`."""
    program = app.extensions["test_program"]
    if not program.is_there():
        sys.exit("There is no test program: `flask --app wsgi api-keys create --test …` makes it.")
    found: Flask = program.app
    return found
