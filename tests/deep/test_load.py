"""120 requests and ten signups a second behind nginx, with a hundred thousand members on PostgreSQL."""

import time

import pytest

from tests.deep.conftest import CROWD, Crowd, Table
from tests.deep.load import READING, TICK, TYPING, Load, quantile

pytestmark = pytest.mark.deep

SECONDS, A_SECOND, SIGNUPS = 60, 120, 10
P95, P99 = 200, 500  # milliseconds
WARM = (READING + TYPING) * TICK + 4  # seconds until there are newcomers at each step


def test_everybody_is_answered_in_time(crowd: Crowd, table: Table):
    with Load(crowd.topology, crowd.codes, crowd.members, "load") as load:
        time.sleep(WARM)
        begun = time.monotonic()
        time.sleep(SECONDS)
        ended = time.monotonic()
    answers = [answer for answer in load.answers if begun <= answer.due < ended]
    signups = [answer for answer in answers if answer.name == "signup" and answer.status == 303]
    p50, p95, p99 = (quantile(answers, each) for each in (50, 95, 99))
    table.append((
        f"{CROWD:,} members, {len(answers) / SECONDS:.0f} requests/s, {len(signups) / SECONDS:.1f} signups/s",
        f"{SECONDS} s", f"{sum(each.failed for each in answers)} failed",
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms", "",
    ))  # fmt: skip
    assert [answer for answer in answers if answer.failed] == []
    assert len(answers) >= A_SECOND * SECONDS - 12
    assert len(signups) >= SIGNUPS * SECONDS * 0.98
    assert p95 <= P95
    assert p99 <= P99
