"""A service that does not answer is waited for once, and not by every request anew."""

from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic

AT_ONCE = 0.1  # seconds; a refusal that came within them costs nobody anything, so that each may try for themselves


class Breaker:
    """Knows whether a service is away: after the first doubt one thread asks until there is an answer.

    A refusal is an answer, too: whatever comes at once need not be kept from anybody. `ask` waits for so long as it
    likes, and raises what it wants where there is no answer.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._away_from: float | None = None

    @property
    def away(self) -> bool:
        """Whether it is of no use to wait for the service."""
        away_from = self._away_from
        return away_from is not None and monotonic() >= away_from

    def doubt(self, patience: float = 0) -> None:
        """Begin to ask. The service is away unless it has answered after `patience` seconds."""
        with self._lock:
            if self._away_from is None:
                Thread(target=self._ask_until_answered, name="asking a silent service", daemon=True).start()
                self._away_from = monotonic() + patience

    def _ask_until_answered(self) -> None:
        try:
            while self._is_asked_in_vain():
                pass  # each time takes as long as a service is waited for
        finally:
            with self._lock:
                self._away_from = None

    def _is_asked_in_vain(self) -> bool:
        begun = monotonic()
        try:
            self._ask()
        except Exception:  # whatever it is, the next request meets it by itself
            return monotonic() - begun > AT_ONCE
        return False
