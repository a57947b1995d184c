"""Examining the installation from the command line."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from threading import Thread
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask.globals import app_ctx

from referralhub import mail_transport, openid
from referralhub.cli.output import FINDINGS, answer, json_option, progress
from referralhub.clock import now
from referralhub.services.operations.checks import CHECKS
from referralhub.services.operations.doctor import Installation, Look, Remark, Report, Status, examine, is_sound
from referralhub.words import operations as words


@click.command("doctor", epilog=FINDINGS)
@json_option
@with_appcontext
def doctor(as_json: bool) -> None:
    """Look for everything that keeps an installation from working well, and say what to do about it.

    Looks at the settings, the database, its migrations, Redis, clocks, mail (connects and signs in, sends nothing), the
    worker, the ledger and the audit log. Prints a line for each check, and below it what is wrong. A hint is no
    finding: it may be as you want it. It also works where the application refuses to start.
    """
    installation = Installation(
        settings=current_app.config["SETTINGS"],
        problems=current_app.config.get("PROBLEMS", ()),
        debug=current_app.debug,
        redis=current_app.extensions["redis"],
        clock=now,
        check_mail=mail_transport.check,
        check_provider=openid.check,
    )
    with progress(len(CHECKS), "Examining") as bar:
        reports = examine(installation, CHECKS, _in_time, bar.update)
    sound = is_sound(reports)
    answer(as_json, {"ok": sound, "checks": [_document(report) for report in reports]}, _lines(reports))
    if not sound:
        sys.exit(1)


def _in_time(look: Look, patience: float) -> list[Remark]:
    """Run a check in a thread of its own, which is left behind when it hangs. Raises TimeoutError."""
    app = app_ctx.app  # itself, since the proxy for it stands for nothing in another thread
    remarks: list[Remark] = []
    errors: list[BaseException] = []

    def run() -> None:
        with app.app_context():
            try:
                remarks.extend(look())
            except BaseException as error:
                errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        raise TimeoutError
    if errors:
        raise errors[0]
    return remarks


def _document(report: Report) -> dict[str, Any]:
    remarks = [{"code": each.code, "level": each.level, **words.remark(each)._asdict()} for each in report.remarks]
    return asdict(report) | {"remarks": remarks}


def _lines(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        cause = f" (first put right {report.because_of})" if report.because_of else ""
        yield f"{report.status.value:8} {report.name}{cause}"
        for remark in report.remarks:
            text = words.remark(remark)
            yield f"         {text.wrong}"
            yield f"         → {text.remedy}"
    yield _result(reports)


def _result(reports: Sequence[Report]) -> str:
    """Say what came of all of it: a hint is nothing broken, but to be read."""
    if findings := sum(report.status is Status.FINDING for report in reports):
        return f"Findings: {findings} of {len(reports)} checks."
    hints = sum(len(report.remarks) for report in reports)
    if not hints:
        return "All is well."
    return f"Nothing is broken; {hints} {'hint' if hints == 1 else 'hints'}."
