"""A service that does not answer is waited for once; when it answers, everybody knows."""

import threading
import time
from collections.abc import Iterator

import pytest

from referralhub.breaker import AT_ONCE, Breaker
from tests.servers import wait_until


class Service:
    """Answers, refuses, or keeps whoever asks waiting."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = threading.Event()
        self.patience = 2 * AT_ONCE

    def ask(self) -> None:
        self.asked += 1
        if not self.answers.wait(self.patience):
            raise OSError("no answer")


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.answers.set()


def back(breaker: Breaker) -> None:
    wait_until(lambda: not breaker.away, "it counts as back", patience=1)


def test_a_service_that_nobody_doubts_is_not_asked(service: Service):
    assert not Breaker(service.ask).away
    assert service.asked == 0


def test_it_is_away_until_it_answers(service: Service):
    breaker = Breaker(service.ask)
    breaker.doubt()
    for _ in range(3):
        assert breaker.away
        time.sleep(service.patience)
    service.answers.set()
    back(breaker)
    assert service.asked > 1


def test_one_asks_however_many_are_in_doubt(service: Service):
    service.patience = 5
    breaker = Breaker(service.ask)
    doubting = [threading.Thread(target=breaker.doubt) for _ in range(20)]
    for each in doubting:
        each.start()
    for each in doubting:
        each.join()
    assert service.asked == 1


def test_a_refusal_at_once_is_an_answer(service: Service):
    """Then waiting costs nothing, and each request sees for itself when it is back."""
    service.patience = 0
    breaker = Breaker(service.ask)
    breaker.doubt()
    back(breaker)
    assert service.asked == 1


def test_who_is_only_slow_gets_a_little_time(service: Service):
    breaker = Breaker(service.ask)
    breaker.doubt(patience=service.patience / 2)
    assert not breaker.away
    wait_until(lambda: breaker.away, "the time is over", patience=1)
    service.answers.set()
    back(breaker)
    breaker.doubt(patience=1)
    assert not breaker.away


def test_it_is_doubted_again_after_it_was_back(service: Service):
    breaker = Breaker(service.ask)
    service.answers.set()
    breaker.doubt()
    back(breaker)
    service.answers.clear()
    breaker.doubt()
    assert breaker.away
