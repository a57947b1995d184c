"""The audit log on the command line."""

import sys

from referralhub.cli.output import FINDINGS, Commands, answer, json_option, progress
from referralhub.services.shared import audit as service

audit = Commands("audit", help="The log of what was done to the program.")


@audit.command("verify", epilog=FINDINGS)
@json_option
def verify(as_json: bool) -> None:
    """Prove that no line of the audit log was changed, put in or taken out of the middle.

    Each line is sealed by a digest that covers the line before it. Prints the number of lines and the digest of the
    last one, the head; or, with exit code 1, the number of the first line that does not follow from those before.

    Lines taken off the end leave a chain that is whole. That is what the head is for: keep it somewhere else, and
    later see whether the line that has it is still there.
    """
    with progress(service.count(), "Reading the audit log") as bar:
        chain = service.verify(bar.update)
    text = [f"Lines: {chain.lines:,}", f"Head:  {chain.head}"]
    if chain.broken_at is not None:
        text = [f"Line {chain.broken_at} was changed, put in, or follows one that is gone. Before it:", *text]
    answer(as_json, {"lines": chain.lines, "head": chain.head, "broken_at": chain.broken_at}, text)
    if chain.broken_at is not None:
        sys.exit(1)
