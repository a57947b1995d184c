"""Whether the connection with a product works, and how to make it."""

import json
import shlex
from typing import Any

from flask import current_app
from flask_admin import expose

from referralhub.admin.access import AdminPage
from referralhub.clock import now
from referralhub.models import Program
from referralhub.services.conversions.earning import PURCHASE
from referralhub.services.integration import connection, refusals
from referralhub.services.integration.connection import Step
from referralhub.words.language import N_


class ConnectionPage(AdminPage):
    """What came from the product and what went to it, when last, and what was wrong with it."""

    about = N_("What your product told, what it was told, and when last. Nothing here says who did something.")

    @expose("/")
    def show(self) -> str:
        """Show all of it, and what is to be done next."""
        found = connection.read(now())
        return self.render(
            "admin/connection.html",
            found=found,
            refused=refusals.read(current_app.extensions["redis"], now()),
            command=found.next and _command(found.next, found.program),
            operators=_operators(),
            most_kept=connection.MOST_KEPT,
        )


def _operators() -> str:
    """Return how operators' commands begin."""
    return f"flask --app wsgi{':test_program' if current_app.config['SETTINGS'].test_program else ''}"


def _command(step: Step, program: Program) -> str:
    """Return what does a step, to be typed; nothing for what a person does in a browser."""
    event = {"id": "signup-43", "type": "signup", "click": "CLICK", "customer": {"external_id": "43", "name": "Cy"}}
    sale: dict[str, Any] = {"id": "order-1", "type": program.qualifies_on, "customer": {"external_id": "43"}}
    sale |= {"amount": max(4900, program.least_amount or 0), "currency": program.currency}
    if program.condition:
        sale["metadata"] = program.condition
    commands = {
        Step.KEY: _flask("api-keys create --name shop --scope read,events,manage"),
        Step.MEMBER: _curl("PUT", "members/42", {"email": "bo@mail.example.com", "name": "Bo"}),
        Step.DESTINATION: _flask("program set destination https://shop.example.com/welcome"),
        Step.CLICK: "",
        Step.SIGNUP: _curl("POST", "events", event),
        Step.CREDIT: (
            _curl("POST", "events", sale) if program.terms.by_event else _flask(f"program set qualifies_on {PURCHASE}")
        ),
        Step.WEBHOOK: _flask("webhooks add https://shop.example.com/webhooks"),
        Step.FULFILLED: _curl("POST", "rewards/1/fulfilled", {"reference": "invoice 17"}),
    }
    return commands[step]


def _flask(words: str) -> str:
    return f"{_operators()} {words}"


def _curl(method: str, path: str, body: dict[str, Any]) -> str:
    """Return a call of the API, its key in the shell's variable KEY."""
    address = f"{current_app.config['SETTINGS'].base_url}/api/v1/{path}"
    return (
        f'curl -X {method} {shlex.quote(address)} -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" '
        f"-d {shlex.quote(json.dumps(body))}"
    )
