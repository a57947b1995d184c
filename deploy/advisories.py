"""Ask whether any advisory concerns what is pinned: `make advisories`.

Exit code 0: every package was looked up, and none is concerned. 1: some are, one line each. 3: not all could be looked
up, which pip-audit itself calls well. `make` tells of 1 and 3 as `Error 1` and `Error 3`.

    python deploy/advisories.py pip-audit        the arguments are the program that is asked, to which ours are added
"""

import json
import subprocess
import sys
from typing import Any

FILES = ("requirements.txt", "requirements-dev.txt")
OPTIONS = ("--disable-pip", "--no-deps", "--require-hashes", "--format", "json", "--progress-spinner", "off")
WELL, CONCERNED, UNKNOWN = 0, 1, 3


def ask(program: list[str]) -> tuple[int, str]:
    """Run the program on what is pinned; return our exit code, and what to say."""
    files = [word for file in FILES for word in ("--requirement", file)]
    try:
        done = subprocess.run([*program, *OPTIONS, *files], check=False, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        return UNKNOWN, f"Advisories could not be asked for: {error}"
    try:
        return judge(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        return UNKNOWN, f"The source of advisories could not be reached, so nothing is known: {last}"


def judge(packages: list[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit code for what was found of each package, and what to say of it."""
    found = [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in "
        f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in packages
        for advisory in package.get("vulns", [])
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown or not packages:
        some = f"{', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}"
        found.append(
            f"{len(unknown)} of {len(packages)} packages could not be looked up ({some}): of them nothing is known."
        )
        return (CONCERNED if len(found) > 1 else UNKNOWN), "\n".join(found)
    if found:
        return CONCERNED, "\n".join(found)
    return WELL, f"No advisory concerns any of the {len(packages)} packages."


if __name__ == "__main__":
    code, words = ask(sys.argv[1:])
    sys.stdout.write(f"{words}\n")
    sys.exit(code)
