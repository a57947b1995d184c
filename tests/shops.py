"""The example shop as a process, and its customers, who have browsers without JavaScript."""

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import requests

from examples.shop.database import PASSWORD
from examples.start import connect, shop_command
from referralhub.config import PROJECT
from tests.servers import ReferralHub, Server, free_port, serves, wait_until

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


class Shop(Server):
    """The shop, connected with a ReferralHub that runs."""

    def __init__(self, folder: Path, hub: ReferralHub) -> None:
        self.folder, self.hub, self.port = folder, hub, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = connect(hub.json, hub.base_url, self.url)
        self.settings |= {"SECRET_KEY": "the shop's own", "SHOP_DATABASE": str(folder / "shop.sqlite3")}

    def command(self) -> list[str | Path]:
        return [*shop_command("127.0.0.1", self.port)]

    def options(self) -> dict[str, object]:
        return {"cwd": PROJECT, "env": os.environ | self.settings, "stderr": self._output}

    def start(self) -> None:
        with (self.folder / "shop.log").open("ab") as self._output:
            super().start()

    def answers(self) -> bool:
        return serves(self.url, "/")

    def api(self, method: str, path: str, body: object = None) -> dict:
        """Ask ReferralHub for something in the shop's name."""
        headers = {"Authorization": f"Bearer {self.settings['REFERRALHUB_KEY']}"}
        answer = requests.request(method, f"{self.hub.base_url}/api/v1{path}", json=body, headers=headers, timeout=9)
        answer.raise_for_status()
        found: dict = answer.json()
        return found

    def wait_for_balances(self, customer: "Customer", *last: tuple[str, int, int]) -> None:
        """Wait until these end a customer's ledger at ReferralHub: kind, amount, balance."""
        path = f"/members/{customer.number}/ledger"

        def read() -> list[tuple[str, int, int]]:
            lines = [(each["kind"], each["amount"], each["balance"]) for each in self.api("GET", path)["entries"]]
            return lines[: len(last)][::-1]

        wait_until(lambda: read() == [*last], f"{last} ends a ledger")


class Customer:
    """Somebody at the shop, with cookies of their own."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.browser = requests.Session()
        self.browser.headers.update(BROWSER)

    def open(self, address: str) -> str:
        """Follow a link, here or elsewhere, and return the page."""
        answer = self.browser.get(urljoin(self.shop.url, address), timeout=9)
        answer.raise_for_status()
        self.address = answer.url
        return answer.text

    def send(self, address: str, on: str, **fields: str) -> str:
        """Send a form that is `on` a page, and return the page it leads to."""
        token = unescape(re.search(r'name="csrf_token"\s+value="([^"]+)"', self.open(on))[1])
        answer = self.browser.post(urljoin(self.shop.url, address), {"csrf_token": token, **fields}, timeout=9)
        answer.raise_for_status()
        self.address = answer.url
        return answer.text

    def sign_up(self, name: str) -> None:
        """Make an account."""
        who = {"name": name, "email": f"{name.lower()}.{self.shop.port}@example.com", "password": PASSWORD}
        self.send("/signup", "/signup", **who)
        self.email = who["email"]

    def sign_in(self, email: str) -> "Customer":
        """Use an account."""
        self.send("/login", "/login", email=email, password=PASSWORD)
        return self

    def buy(self, product: str, code: str = "") -> None:
        """Pay for one product."""
        self.send(f"/checkout/{product}", f"/checkout/{product}?code={code}", **({"code": code} if code else {}))

    @property
    def link(self) -> str:
        """The link, on the dashboard that “Your referrals” leads to."""
        page = self.send("/referrals", "/orders")
        return unescape(re.search(r'id="referral-link"[^>]*value="([^"]+)"', page)[1])

    @property
    def number(self) -> str:
        """The shop's number of the customer, which is the external one at ReferralHub."""
        return re.search(r'id="number">(\d+)<', self.open("/orders"))[1]

    @property
    def credit(self) -> int:
        """What the shop has for the next order, in cents."""
        return int(re.search(r'data-cents="(-?\d+)"', self.open("/orders"))[1])

    def wait_for_credit(self, cents: int) -> None:
        wait_until(lambda: self.credit == cents, f"credit of {cents}, not {self.credit}")
