"""A stranger's browser that measures how long a form takes, and what is told from that."""

import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

BUSY = 503  # for reasons of the machine, which have nothing to do with who has an account
TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
MASKED = re.compile(r'(?<=value=")[\w=-]{60,}(?=")')  # tokens, which are new each time
CODE = re.compile(r'/([a-z0-9]{8})/"')  # of a member's link


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: dict[str, str]
    body: str
    seconds: float

    def without(self, *typed: str) -> tuple[int, dict[str, str], str]:
        """Give what a stranger can compare, without what they typed themselves and what is new each time."""
        body = MASKED.sub("…", self.body)
        for text in (*typed, *CODE.findall(body)):
            body = body.replace(text, "…")
        same = {"location", "content-type", "cache-control"}
        return self.status, {name: self.headers.get(name, "") for name in same}, body


class Stranger:
    """A browser with a new session, which has opened a form."""

    def __init__(self, port: int, path: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path, self.cookie = path, ""
        page = self._ask("GET", path)
        while page.status == BUSY:
            page = self._ask("GET", path)
        self.token = TOKEN.search(page.body)[1]

    def send(self, values: dict[str, str]) -> Answer:
        """Send the form."""
        return self._ask("POST", self.path, urlencode(values | {"csrf_token": self.token}))

    def follow(self, answer: Answer) -> Answer:
        """Go where an answer leads."""
        return self._ask("GET", answer.headers["location"])

    def close(self) -> None:
        self.connection.close()

    def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        begun = time.perf_counter()
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        seconds = time.perf_counter() - begun
        if set_cookie := answer.headers["Set-Cookie"]:
            self.cookie = set_cookie.partition(";")[0]
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, text, seconds)


def auc(some: list[float], others: list[float]) -> float:
    """Return how often one of `some` is longer than one of the `others` (Mann-Whitney): 0.5 where nothing is told."""
    ranked = sorted([(seconds, True) for seconds in some] + [(seconds, False) for seconds in others])
    ranks = sum(place for place, (_, is_some) in enumerate(ranked, 1) if is_some)
    return (ranks - len(some) * (len(some) + 1) / 2) / (len(some) * len(others))
