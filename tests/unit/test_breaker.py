"""A service that does not answer is waited for once; when it answers, everybody knows."""

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from referralhub import postgresql
from referralhub.breaker import AT_ONCE, Breaker
from tests.servers import wait_until


class Service:
    """Answers, refuses, or keeps whoever asks waiting."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = threading.Event()
        self.patience = 2 * AT_ONCE

    def ask(self, _: Breaker) -> None:
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
    breaker.call_away()
    for _ in range(3):
        assert breaker.away
        time.sleep(service.patience)
    service.answers.set()
    back(breaker)
    assert service.asked > 1


def test_one_asks_however_many_are_in_doubt(service: Service):
    service.patience = 5
    breaker = Breaker(service.ask)
    doubting = [threading.Thread(target=breaker.call_away) for _ in range(20)]
    for each in doubting:
        each.start()
    for each in doubting:
        each.join()
    assert service.asked == 1


def test_a_refusal_at_once_is_an_answer(service: Service):
    """Then waiting costs nothing, and each request sees for itself when it is back."""
    service.patience = 0
    breaker = Breaker(service.ask)
    breaker.call_away()
    back(breaker)
    assert service.asked == 1


def test_a_doubt_alone_sends_nobody_away(service: Service):
    breaker = Breaker(service.ask)
    breaker.doubt()
    wait_until(lambda: service.asked, "it is asked", patience=1)
    assert not breaker.away
    breaker.call_away()
    assert breaker.away
    service.answers.set()
    back(breaker)


def test_who_asks_can_say_before_the_end_that_nobody_answers(service: Service):
    def ask(breaker: Breaker) -> None:
        breaker.call_away()
        service.ask(breaker)

    breaker = Breaker(ask)
    breaker.doubt()
    wait_until(lambda: breaker.away, "it is called away", patience=1)
    service.answers.set()
    back(breaker)


def test_it_is_doubted_again_after_it_was_back(service: Service):
    breaker = Breaker(service.ask)
    service.answers.set()
    breaker.call_away()
    back(breaker)
    service.answers.clear()
    breaker.call_away()
    assert breaker.away


def test_who_comes_late_to_look_does_not_call_an_answer_silence(monkeypatch):
    """As on a machine that has other things to do: a second passes before the thread hears of one short look."""
    told: list[float] = []
    moment = iter(count(0, 1))
    monkeypatch.setattr(postgresql, "monotonic", lambda: next(moment))  # a second between any two lines of ours

    def waiting():
        for _ in range(3):
            yield "something to read"
        return "an answer"

    watching = postgresql._watched(waiting(), told.append)
    next(watching)
    watching.send(0)  # nothing yet
    assert told == [0, 1 + postgresql.LOOK]  # what passed until the look began, and the look
