"""Schemathesis makes up calls from the document, good and bad: no answer is a fault, or one that it does not describe.

A client that a generator writes from it works, too.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from flask import Flask

from referralhub.models import ReferralState, Scope
from referralhub.services.integration import keys
from referralhub.services.perks import catalogue
from referralhub.services.shared.audit import OPERATOR
from tests import servers
from tests.conftest import extra_database
from tests.factories import befriend, member
from tests.fuzzing import KNOWN, play
from tests.people import Clock

pytestmark = pytest.mark.deep

WHO = {"none": (), "all": tuple(Scope)} | {each.value: (each,) for each in Scope}
FEW, MANY = 5, 40  # calls of each kind, good ones and bad ones
GENERATOR = "openapi-python-client==0.29.1"
GIFT = {"amount": 1000, "unit": "points", "reason": "x"}  # whatever a call has made the unit of the program
FLOW = Path(__file__).parent / "generated_client.py"


@pytest.fixture
def headers(unlimited_app: Flask, clock: Clock) -> Callable[[tuple[Scope, ...]], dict[str, str]]:
    """What is sent with a key of these scopes; nothing without."""

    def make(scopes: tuple[Scope, ...]) -> dict[str, str]:
        if not scopes:
            return {}
        with unlimited_app.app_context():
            return {"Authorization": f"Bearer {keys.create('fuzz', scopes, OPERATOR, clock())[1]}"}

    return make


@pytest.fixture
def fill(unlimited_app: Flask, clock: Clock, headers: Any) -> Callable[[], None]:
    """See to it that there is one of each thing: a member, what they claimed and were given, a referral that waits."""
    member(unlimited_app, "alice", clock())
    befriend(unlimited_app, "alice", 1, clock(), ReferralState.HELD)
    with unlimited_app.app_context():
        catalogue.add("Mug", "", clock(), price=1)
    client, sent = unlimited_app.test_client(), headers(tuple(Scope))

    def make() -> None:
        """Make the member, unless a call has just forgotten them."""
        if client.put("/api/v1/members/42", json={"name": "Bo"}, headers=sent).status_code == 201:
            client.post("/api/v1/members/42/adjustments", json=GIFT, headers=sent)
            assert client.post("/api/v1/members/42/claims", json={"perk_id": 1}, headers=sent).status_code == 201

    make()
    return make


@pytest.mark.parametrize("who", WHO)
def test_no_call_is_answered_otherwise(unlimited_app: Flask, headers: Any, fill: Callable[[], None], who: str):
    sent, examples = headers(WHO[who]), MANY if who == "all" else FEW
    anything = play(unlimited_app, sent, examples)
    known = play(unlimited_app, sent, examples, KNOWN, fill)
    sys.stdout.write(f"\n{who}: {dict(anything)}; about what there is: {dict(known)}\n")
    if who == "all":
        assert {200, 201, 204, 409, 422} <= known.keys()
        assert {200, 404, 422} <= anything.keys()


def test_a_generated_client_works(database: str, tmp_path: Path, valkey: servers.Valkey, request: Any):
    """The generator and what its client needs are in an environment of their own, as they are in a product."""
    uv = [str(Path(sys.executable).with_name("uv")), "run", "--quiet", "--no-project", "--isolated"]
    uv += ["--python", sys.executable, "--with", GENERATOR]
    with extra_database(database, tmp_path, request, migrated=True) as url:
        plain_url = url.replace("sqlite:///file:", "sqlite:///").partition("?mode=")[0]
        with servers.ReferralHub(tmp_path, plain_url, valkey.url) as hub:
            with urlopen(f"{hub.base_url}/api/v1/openapi.json") as answer:
                (tmp_path / "openapi.json").write_bytes(answer.read())
            generate = ["openapi-python-client", "generate", "--meta", "none", "--path", "openapi.json"]
            written = subprocess.run(
                [*uv, *generate, "--output-path", "client"], cwd=tmp_path, capture_output=True, text=True, check=True
            )
            assert "WARNING" not in written.stdout + written.stderr
            key = json.loads(hub.flask("api-keys", "create", "--name", "x", "--scope", "read,manage", "--json"))["key"]
            environment = os.environ | {"BASE_URL": hub.base_url, "KEY": key}
            done = subprocess.run(
                [*uv, "python", str(FLOW), str(tmp_path)], env=environment, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
