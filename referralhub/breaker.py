"""A service that does not answer is waited for once, and not by every request anew."""

from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic

AT_ONCE = 0.1  # seconds; a refusal that came within them costs nobody anything, so that each may try for themselves


class Breaker:
    """Knows whether a service is away: after the first doubt one thread asks until there is an answer.

    A refusal is an answer, too: whatever comes at once need not be kept from anybody. `ask` waits for so long as it
    likes, raises what it wants where there is no answer, and may call the service away while it waits.
    """

    def __init__(self, ask: Callable[["Breaker"], object]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._asking = False
        self.away = False  # whether it is of no use to wait for the service

    def doubt(self) -> None:
        """Begin to ask, unless somebody asks already."""
        with self._lock:
            if not self._asking:
                Thread(target=self._ask_until_answered, name="asking a silent service", daemon=True).start()
                self._asking = True

    def call_away(self) -> None:
        """Let nobody wait for the service, as somebody did so in vain, until it has answered."""
        self.doubt()
        with self._lock:
            self.away = self._asking

    def _ask_until_answered(self) -> None:
        try:
            while self._is_asked_in_vain():
                pass  # each time takes as long as a service is waited for
        finally:
            with self._lock:
                self._asking = self.away = False

    def _is_asked_in_vain(self) -> bool:
        begun = monotonic()
        try:
            self._ask(self)
        except Exception:  # whatever it is, the next request meets it by itself
            return monotonic() - begun > AT_ONCE
        return False
