"""Who is measured: the floor, the peer, and ReferralHub with few members and with many."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.results import FEW, FLOOR, MANY, PEER
from bench.servers import Granian, PostgreSQL, run, run_for_json
from referralhub.embedded import Valkey
from tests.servers import short_folder

SIGNED_IN = 100  # members whose pages are asked for in turn


@dataclass
class Side:
    """One of those that are measured: its server, and who can be asked for."""

    name: str
    server: Granian
    environment: dict[str, str]
    codes: list[str] = field(default_factory=lambda: ["c0000001"])
    cookies: list[str] = field(default_factory=list)
    tags: dict[int, str] = field(default_factory=dict)  # of the figures that a member was shown
    seconds_to_load: float = 0.0

    @property
    def ours(self) -> bool:
        """Whether it is ReferralHub."""
        return self.name in {FEW, MANY}

    def sign_in(self, number: int) -> None:
        """Let so many members be signed in."""
        found = run_for_json(self.environment, *(PREPARE if self.ours else PEER_SIGN_IN), str(number))
        self.codes, self.cookies = found["codes"], found["cookies"]


FLASK = ["flask", "--app", "wsgi"]
PREPARE, PEER_SIGN_IN, PEER_SEED = ["bench.prepare"], ["bench.peer.app", "sign-in"], ["bench.peer.app", "seed"]
APPLICATIONS = {FLOOR: "bench.floor:application", PEER: "bench.peer.app:application", FEW: "wsgi:app", MANY: "wsgi:app"}


class Stage:
    """One PostgreSQL and one Redis for all sides; each has a database of its own in both."""

    def __init__(self, instance: Path, postgresql: PostgreSQL, valkey: Valkey) -> None:
        self.instance, self.postgresql, self.valkey = instance, postgresql, valkey
        self.sides: dict[str, Side] = {}

    def environment(self, name: str) -> dict[str, str]:
        """Return the settings of a side: those of production."""
        number = list(APPLICATIONS).index(name)
        return {
            "REDIS_URL": f"unix://{self.valkey.socket}?db={number}",
            "DATABASE_URL": self.postgresql.url(name).replace("+psycopg", ""),
            "REFERRALHUB_ENV": "production",
            "SECRET_KEY": secrets.token_hex(32),
            "BASE_URL": "https://refer.example.com",
            "MAIL_URL": "file:",
            "INSTANCE_PATH": str(self.instance),
            "TRUSTED_PROXIES": "1",
            "SIGNUP_LIMIT": "1000 per second",  # each visitor has an address anyhow
            "WEB_THREADS": "1",
            "LOG_LEVEL": "warning",  # the others write no line for each answer either
        }

    @contextmanager
    def side(self, name: str, members: int) -> Iterator[Side]:
        """Set a side up with so many members, and serve it."""
        environment = self.environment(name)
        side = Side(name, Granian(APPLICATIONS[name], environment), environment)
        if name != FLOOR:
            self.postgresql.execute(f"CREATE DATABASE {name}")
            side.seconds_to_load = _seed(side, members)
            self.postgresql.execute("VACUUM ANALYZE", name)  # else both are done in the midst of measuring
            self.postgresql.execute("CHECKPOINT")
            side.sign_in(SIGNED_IN)
        with side.server:
            self.sides[name] = side
            yield side


def _seed(side: Side, members: int) -> float:
    """Fill the tables, and return how many seconds that took."""
    if not side.ours:
        run(side.environment, *PEER_SEED, str(members))
        return 0.0
    run(side.environment, *FLASK, "db", "upgrade")
    begun = time.perf_counter()
    run(side.environment, *FLASK, "seed", "bulk", "--members", str(members))
    seconds = time.perf_counter() - begun
    run(side.environment, *FLASK, "leaderboard", "rebuild")
    return seconds


@contextmanager
def stage() -> Iterator[Stage]:
    """Run PostgreSQL and Redis, each in a temporary folder."""
    with short_folder() as instance, short_folder() as data, PostgreSQL(data) as postgresql:
        valkey = Valkey(instance)
        valkey.start()
        try:
            yield Stage(instance, postgresql, valkey)
        finally:
            valkey.stop()
