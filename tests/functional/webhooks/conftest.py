"""Somebody who takes webhooks, and a worker that sends them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from referralhub import webhook_transport
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import endpoints
from referralhub.services.webhooks.delivery import Delivery
from tests.conftest import SECRET_KEY
from tests.people import Clock
from tests.receiver import Receiver

SETTINGS = {"webhook_private_addresses": True}


@pytest.fixture
def app(lend_app: Callable[..., Flask]) -> Flask:
    """Webhooks may go to this machine."""
    return lend_app(**SETTINGS)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def add(app: Flask, clock: Clock) -> Callable[..., str]:
    """Tell an address from now on, and give its secret: `add(url, *types)`."""

    def put(url: str, *types: Any) -> str:
        with app.app_context():
            return endpoints.add(url, types, OPERATOR, clock(), secret_key=SECRET_KEY, private=True)[1]

    return put


@pytest.fixture
def secret(add: Callable[..., str], receiver: Receiver) -> str:
    """The receiver is told of everything; this is its secret."""
    return add(receiver.url())


@pytest.fixture
def delivery(app: Flask, clock: Clock) -> Delivery:
    """Sends as the worker does, to this machine, and without jitter."""
    post = webhook_transport.transport(app.config["SETTINGS"], patience=1)
    return Delivery(post, clock, SECRET_KEY, hurry=5, jitter=lambda: 0.5)


@pytest.fixture
def deliver(app: Flask, delivery: Delivery) -> Callable[[], int]:
    def run() -> int:
        with app.app_context():
            return delivery.run()

    return run
