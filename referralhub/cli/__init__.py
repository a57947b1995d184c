"""The operators' commands: `flask --app wsgi …`, one file per group."""

from flask import Flask

from referralhub.cli.api_keys import api_keys
from referralhub.cli.archive import export, import_
from referralhub.cli.audit import audit
from referralhub.cli.brand import commands as brand
from referralhub.cli.customers import customers
from referralhub.cli.doctor import doctor
from referralhub.cli.events import events
from referralhub.cli.growth import growth
from referralhub.cli.ledger import leaderboard, ledger
from referralhub.cli.mail import mail
from referralhub.cli.perks import perks
from referralhub.cli.program import commands as program
from referralhub.cli.referrals import referrals
from referralhub.cli.rewards import rewards
from referralhub.cli.seed import seed
from referralhub.cli.test_program import test_program
from referralhub.cli.users import users
from referralhub.cli.webhooks import webhooks
from referralhub.cli.worker import worker

COMMANDS = (
    seed, program, brand, growth, ledger, leaderboard, referrals, customers, perks, rewards, api_keys, events,
    webhooks, mail, users, audit, export, import_, doctor, worker, test_program
)  # fmt: skip
OF_A_PROCESS = {doctor, worker, test_program}  # which are about the real program and all that runs with it


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in COMMANDS:
        if not (app.config["SETTINGS"].test_program and command in OF_A_PROCESS):
            app.cli.add_command(command)
