"""The test program, made by two processes at the same moment: there is one, and both keys are good."""

import json
import subprocess
import sys

import pytest

from referralhub.config import PROJECT
from referralhub.extensions import db
from referralhub.models import Program
from referralhub.services.shared.audit import OPERATOR
from referralhub.test_program import TestProgram
from tests.functional.api.conftest import Shop
from tests.people import Records
from tests.servers import environment_of

pytestmark = pytest.mark.deep
MAKE = ("api-keys", "create", "--test", "--name", "shop", "--scope", "read", "--json")


def test_two_processes_make_one_test_program(app, clock, instance, database_url, valkey):
    environment = environment_of(instance, database_url, valkey.url, BASE_URL="http://localhost")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *MAKE]
    both = [
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    made = [json.loads(each.communicate()[0]) for each in both]
    assert {each["id"] for each in made} == {"test-1", "test-2"}
    for each in made:
        Shop(app, each["key"]).ask("GET", "/program")
    program: TestProgram = app.extensions["test_program"]
    assert len(Records(program.app).all(Program)) == 1
    with app.app_context():
        program.delete(OPERATOR, clock())
    with program.app.app_context():
        db.engine.dispose()
