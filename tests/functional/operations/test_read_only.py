"""What reads the whole program may do so at a replica, which refuses every write."""

import pytest
from sqlalchemy.exc import InternalError

from tests.factories import befriend, member

READ_ONLY = "&options=-c%20default_transaction_read_only%3Don"
COMMANDS = ("growth report", "growth report --csv", "audit verify", "program show", "referrals held", "mail dead")

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def replica(app, make_app, clock, database_url: str):
    """The application at a database that can only be read."""
    member(app, "alice", clock())
    befriend(app, "alice", 3, clock())
    return make_app(database_url=database_url + READ_ONLY)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_only_reads_works_there(replica, command: str):
    done = replica.test_cli_runner().invoke(args=command.split())
    assert done.exit_code == 0, done.output


def test_everything_is_written_down_there(replica, tmp_path):
    done = replica.test_cli_runner().invoke(args=["export", str(tmp_path / "everything.tar.gz")])
    assert done.exit_code == 0, done.output


def test_what_writes_does_not(replica):
    done = replica.test_cli_runner().invoke(args=["program", "set", "referrer_amount", "7"])
    assert isinstance(done.exception, InternalError), done.output
