"""The example shop the whole way, as processes and on both databases; and the one command that starts it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from examples.shop.database import CUSTOMER, OWNER
from referralhub.config import PROJECT
from tests import servers
from tests.conftest import extra_database
from tests.deep.test_one_command import processes_of
from tests.servers import free_port, serves, wait_until
from tests.shops import Customer, Shop

pytestmark = pytest.mark.deep
START, STOP = 180, 30  # seconds; a busy machine is slow


@pytest.fixture
def hub(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[servers.ReferralHub]:
    with (
        servers.short_folder() as folder,
        servers.Valkey(folder) as valkey,
        extra_database(database, tmp_path, request, migrated=True) as url,
    ):
        plain_url = re.sub(r"^sqlite:///file:(.*)\?.*", r"sqlite:///\1", url)  # as an operator writes it
        with servers.ReferralHub(tmp_path, plain_url, valkey.url, WEBHOOK_PRIVATE_ADDRESSES="true") as hub:
            hub.valkey = valkey
            yield hub


@pytest.fixture
def shop(hub: servers.ReferralHub, tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, hub) as shop:
        yield shop


def test_from_a_link_to_a_debt_that_the_next_reward_pays_off(shop: Shop, hub: servers.ReferralHub):
    owner, ada = (Customer(shop).sign_in(email) for email in (OWNER, CUSTOMER))
    bo, cy = Customer(shop), Customer(shop)
    bo.open(ada.link)
    assert bo.address == f"{shop.url}/"  # the click is kept, and out of the address
    bo.sign_up("Bo")
    bo.buy("teapot")
    ada.wait_for_credit(490)
    bo.wait_for_credit(500)
    shop.wait_for_balances(ada, ("referrer", 490, 490), ("payout", -490, 0))  # it was said to be fulfilled
    shop.wait_for_balances(bo, ("friend", 500, 500), ("payout", -500, 0))

    owner.send("/office/orders/1/refund", "/office", amount="24.50")
    shop.wait_for_balances(ada, ("refund", -245, -245))
    shop.wait_for_balances(bo, ("refund", -250, -250))
    assert (ada.credit, bo.credit) == (490, 500)  # what was given stays given

    (webhook,) = hub.json("webhooks", "list")["webhooks"]
    assert hub.json("webhooks", "replay", str(webhook["id"]), "--since", "2020-01-01")["replayed"] > 5
    cy.sign_up("Cy")
    cy.buy("teapot", code=ada.link.rstrip("/").rpartition("/")[2])  # came by no link, and has a code
    ada.wait_for_credit(490 + 245)
    shop.wait_for_balances(ada, ("referrer", 490, 245), ("payout", -245, 0))
    assert hub.flask("ledger", "verify")


def test_nothing_is_lost_while_one_of_them_is_away(shop: Shop, hub: servers.ReferralHub):
    ada, bo = Customer(shop).sign_in(CUSTOMER), Customer(shop)
    bo.open(ada.link)
    with hub.valkey.away():
        bo.sign_up("Bo")
        bo.buy("oolong")
        owner = Customer(shop).sign_in(OWNER)
        assert 'data-event="purchase-1" data-status="waits"' in owner.open("/office")
    with shop.away():
        pass  # what waits is in its database
    ada.wait_for_credit(180)
    bo.wait_for_credit(500)
    told = 'data-event="purchase-1" data-status="(accepted|duplicate)"'  # the answer may have been lost with the shop
    wait_until(lambda: re.search(told, owner.open("/office")) is not None, "the shop knows that it has told of it")


def test_the_page_about_connecting_word_for_word(hub: servers.ReferralHub):
    page = (PROJECT / "docs/connect.md").read_text().replace("http://127.0.0.1:8000", hub.base_url)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    script = "\n".join(lines for language, lines in blocks if not language)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=PROJECT, env=hub.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    decode = json.JSONDecoder().raw_decode
    answers = [decode(line)[0] for line in done.stdout.splitlines() if line.startswith('{"')]
    assert [each for each in answers if each.get("status", 0) >= 400] == []
    first, second = (each["entries"][0] for each in answers if "entries" in each)
    assert [(each["kind"], each["amount"], each["unit"]) for each in (first, second)] == [
        ("referrer", 490, "EUR"),
        ("friend", 500, "EUR"),
    ]
    results = [(each["id"], each["status"]) for answer in answers for each in answer.get("results", [])]
    assert results[:3] == [("signup-43", "accepted"), ("order-1", "accepted"), ("refund-1", "accepted")]
    assert ("invoice-1", "accepted") in results
    assert any(each.get("state") == "fulfilled" for each in answers)


class Example:
    """What `make example` runs, on ports and in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = next(port for port in iter(free_port, None) if not serves(f"http://127.0.0.1:{port + 1}", "/"))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"PORT": str(self.port), "INSTANCE_PATH": str(self.folder)}
        with (self.folder.parent / "example.log").open("wb") as log:
            command = [sys.executable, "-m", "examples.start", "--stop-with-parent"]
            self.process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        wait_until(lambda: "Ctrl-C stops" in self.log or self.process.poll() is not None, "it runs", START)
        assert self.process.poll() is None, self.log

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(STOP)

    @property
    def log(self) -> str:
        return (self.folder.parent / "example.log").read_text()

    def __getattr__(self, name: str) -> str:
        return {"url": f"http://127.0.0.1:{self.port + 1}"}[name]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_command_starts_both_and_ends_both_and_keeps_what_there_was(tmp_path: Path, how: signal.Signals):
    example = Example(tmp_path / "example")
    try:
        example.start()
        ada, bo = Customer(example).sign_in(CUSTOMER), Customer(example)
        bo.open(ada.link)
        bo.sign_up("Bo")
        bo.buy("sencha")
        ada.wait_for_credit(120)
        assert example.stop(how) == 0
        assert [line for line in processes_of(PROJECT).values() if str(example.port) in line] == []
        example.start()
        assert "Connecting" not in example.log
        ada.browser.cookies.clear()
        assert ada.sign_in(CUSTOMER).credit == 120
        assert example.stop(how) == 0
    finally:
        with suppress(ProcessLookupError):
            example.process.kill()
