"""Make sure that there is a Chromium for the browser tests; `make test` runs this first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def of_the_system() -> str | None:
    """Give the path of an installed Chromium or Chrome."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def find() -> str | None:
    """Give the path of a Chromium: the system's, or the one that Playwright installed."""
    if path := of_the_system():
        return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Install one, with the system's packages where we may, else with Playwright's own download."""
    if os.getuid() == 0 and shutil.which("apt-get"):
        print("No Chromium found: installing the system's package …", flush=True)  # noqa: T201 - for who waits
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        commands = (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "chromium"])
        if all(subprocess.call(words, env=environment, stdout=subprocess.DEVNULL) == 0 for words in commands):
            return
    print("No Chromium found: Playwright downloads one …", flush=True)  # noqa: T201 - for who waits
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    if not find():
        install()
        if not find():
            sys.exit("Chromium could not be installed; the browser tests need one.")
