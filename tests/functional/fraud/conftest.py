"""Fixtures of the tests of the fraud rules. Nobody is on loopback here."""

from collections.abc import Callable
from itertools import count

import pytest
from flask import Flask

from tests.functional.fraud.friends import FIREFOX
from tests.people import Person, PostOffice

_networks = count(1)


@pytest.fixture
def at(app: Flask, post_office: PostOffice) -> Callable[..., Person]:
    """Give somebody in a network of their own, unless told."""

    def person(name: str, network: str = "", agent: str = FIREFOX) -> Person:
        somewhere = network or f"192.0.2.{next(_networks) % 250}"
        found = Person(app, post_office, name, REMOTE_ADDR=somewhere, HTTP_USER_AGENT=agent)
        found.email = f"{name}@gmail.com"
        return found

    return person


@pytest.fixture
def alice(at) -> Person:
    alice = at("alice", "203.0.113.5")
    alice.sign_up()
    alice.confirm_address()
    return alice
