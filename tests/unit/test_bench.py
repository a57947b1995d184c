"""The benchmarks judge rightly: what is due at a time is late from then, and a mark is held or missed."""

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench import report, scaling
from bench.load import Ask, Load, Sample, paced
from bench.marks import Mark, marks
from bench.results import FEW, FLOOR, MANY, PEER, Results

STANDSTILL = 0.3  # seconds


def sample(rate: int, milliseconds: float = 1.0, **errors: int) -> Sample:
    return Sample(1.0, [milliseconds / 1000] * rate, Counter(errors), 100 * rate)


@pytest.fixture
def results() -> Results:
    found = Results({PEER: 1_000, FEW: 1_000, MANY: 1_000_000})
    found.rounds = {
        (FLOOR, "click"): [sample(1000), sample(2000), sample(1000)],
        (PEER, "click"): [sample(100), sample(200), sample(100)],
        (FEW, "click"): [sample(600), sample(1200), sample(500)],
        (MANY, "click"): [sample(600, 1.1), sample(600, 1.1), sample(600, 1.3)],
    }
    return found


def by_text(results: Results) -> dict[str, Mark]:
    return {mark.text: mark for mark in marks(results)}


def test_marks_are_judged_by_the_median_of_the_rounds_ratios(results: Results):
    found = by_text(results)
    assert found["click, against peer's click"].value == pytest.approx(6)
    assert found["click, against floor's click"].value == pytest.approx(0.6)
    assert found["p50 of click, 1,000,000 against 1,000 members"].value == pytest.approx(1.1)
    assert all(mark.held for mark in found.values())


def test_a_click_that_leads_to_a_product_is_held_to_the_marks_of_any_click(results: Results):
    results.rounds[FEW, "click to a product"] = [sample(500), sample(1000), sample(500)]
    found = by_text(results)
    assert found["click to a product, against peer's click"].value == pytest.approx(5)
    assert not found["click to a product, against floor's click"].held


def test_what_was_not_measured_is_not_judged(results: Results):
    assert len(by_text(results)) == 3
    del results.rounds[PEER, "click"]
    assert len(by_text(results)) == 2


def test_wrong_answers_miss_a_mark_however_fast_they_came(results: Results):
    results.rounds[FEW, "click"][0].errors["status 500"] = 100
    results.polling = {"poll": sample(1000), "click": sample(20, hung=1)}
    found = by_text(results)
    assert not found["click, against peer's click"].held
    assert not found["p99 with 0 open dashboards, clicks and signups"].held
    assert results.errors() == {"click of few: status 500": 100, "polling: click: hung": 1}


def test_the_last_line_and_the_table_say_what_was_found(results: Results):
    results.growth = [(1_000, 100.0), (100_000, 120.0)]
    found = marks(results)
    assert report.summary(found) == "marks: 3 of 4 held"
    (missed,) = [line for line in report.judged(found) if "MISSED" in line]
    assert missed == "| memory after 100,000 requests against 1,000   | ≤ 1.1 × | 1.20 ×   | MISSED |"
    page = report.page(results, ["- a machine"])
    assert "| click | ReferralHub 1,000     |        600 |" in page
    assert "600 · 1,200 · 500" in page


class StandsStill(BaseHTTPRequestHandler):
    """Answers at once, but for the third request."""

    protocol_version = "HTTP/1.1"
    seen = 0

    def do_GET(self) -> None:
        type(self).seen += 1
        if type(self).seen == 3:
            time.sleep(STANDSTILL)
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port():
    StandsStill.seen = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), StandsStill) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def repeated(path: str):
    while True:
        yield Ask(request(path))


def test_a_server_that_stands_still_makes_everything_late_that_was_due_meanwhile(port: int):
    begin = time.perf_counter()
    found = Load(port, [paced(repeated("/"), begin, 0.02)]).run(0.61, begin)[""]
    assert len(found.latencies) == 31
    late = [latency for latency in found.latencies if latency > STANDSTILL / 3]
    assert len(late) >= 8  # one alone was answered slowly; those that waited behind it count, too


def test_answers_with_another_status_are_errors(port: int):
    found = Load(port, [repeated("/gone")]).run(0.2)[""]
    assert found.latencies == [] and set(found.errors) == {"status 404"}


def test_cores_are_what_the_machine_had_for_what_it_answered():
    rows = ("click | Django peer 1,000 | 800", "signup | ReferralHub 1,000,000 | 40", "click | floor | 9,000")
    one, other = scaling.cores("\n".join(f"| {row} | 18.9 |" for row in rows))
    assert one.split("█")[0].rstrip() == "1,000 click: Django peer 1,000"
    assert one.endswith(f" {'█' * 40} 2.5 cores")
    assert other.endswith(f" {'█' * 8} 0.5 cores")


def test_the_last_results_have_what_the_chart_is_made_of():
    drawn = scaling.cores(scaling.RESULTS.read_text(encoding="utf-8"))
    assert {line.split(":")[0] for line in drawn} >= {"1,000 click", "1,000 dashboard", "10 signup"}


def test_a_table_is_told_for_each_row_and_each_member():
    told = scaling.sizes([("outbox", 300, 60_000), ("user", 100, 20_000), ("perk", 1, 10)])
    assert [[cell.strip() for cell in line.split("|")[1:5]] for line in told[2:4]] == [
        ["outbox", "300", "200", "600"],
        ["user", "100", "200", "200"],
    ]
    assert told[-1] == f"user   {'█' * 13} 200 bytes/member"  # and what takes next to nothing is left out
