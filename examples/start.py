"""ReferralHub and the example shop, connected: `python -m examples.start`, which is what `make example` calls.

Both keep what they know in `instance/example/`, or in INSTANCE_PATH. `connect` does what docs/connect.md tells an
engineer to do.
"""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import requests

from examples.shop.database import CUSTOMER, OWNER, PASSWORD
from referralhub.config import PROJECT
from referralhub.processes import die_with_parent

GRACE = 15  # seconds that a process has to end by itself: ReferralHub's launcher gives its own twelve
ADMIN = "admin"
RULES = {
    "unit": "money",
    "currency": "EUR",
    "qualifies_on": "purchase",
    "referrer_amount": 0,
    "referrer_share": 1000,  # ten per cent of a friend's first purchase
    "friend_amount": 500,  # five euros
    "handed_over": True,  # the shop gives it as credit, and says so
}
Flask = Callable[..., dict[str, Any]]  # runs one of the operators' commands with --json, and returns what it prints


def connect(flask: Flask, hub_url: str, shop_url: str) -> dict[str, str]:
    """Tell ReferralHub of a shop, and return what the shop has to know."""
    key = flask("api-keys", "create", "--name", "shop", "--scope", "read,events,manage")["key"]
    rules, headers = RULES | {"destination": f"{shop_url}/"}, {"Authorization": f"Bearer {key}"}
    requests.patch(f"{hub_url}/api/v1/program", json=rules, headers=headers, timeout=30).raise_for_status()
    endpoint = flask("webhooks", "add", f"{shop_url}/webhooks/referrals")
    return {"REFERRALHUB_URL": hub_url, "REFERRALHUB_KEY": key, "REFERRALHUB_SECRET": endpoint["secret"]}


def main() -> int:
    """Run until told to stop; the exit code is 0 after a stop, 1 when something ended by itself or cannot start."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    if "--stop-with-parent" in sys.argv:
        die_with_parent()
    host, port = os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or "8000")
    folder = Path(os.environ.get("INSTANCE_PATH") or PROJECT / "instance/example").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    hub = ReferralHub(folder, host, port)
    shop_url = f"http://{host}:{port + 1}"
    processes: list[subprocess.Popen[bytes]] = []
    try:
        _require_free(host, port + 1)
        processes.append(hub.start())
        if not _serves(f"{hub.url}/healthz", processes):
            return 1  # it has said why
        settings = _settings(hub, shop_url, folder / "shop.json")
        processes.append(_start(shop_command(host, port + 1), os.environ | settings))
        if _serves(f"{shop_url}/", processes):
            _announce(hub.url, shop_url)
        while all(process.poll() is None for process in processes):
            time.sleep(0.1)
        return 1
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"The example cannot start: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _end(processes)


class ReferralHub:
    """The one of the example: its folder, its address, and its settings."""

    def __init__(self, folder: Path, host: str, port: int) -> None:
        self.folder = folder / "referralhub"
        self.url = f"http://{host}:{port}"
        self.environment = os.environ | {
            "REFERRALHUB_ENV": "development",
            "HOST": host,
            "PORT": str(port),
            "BASE_URL": self.url,
            "INSTANCE_PATH": str(self.folder),
            "WEBHOOK_PRIVATE_ADDRESSES": "true",  # the shop is on this machine
        }

    def start(self) -> subprocess.Popen[bytes]:
        """Start it as `make run` does, but with nobody in it."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "seeded").touch()
        command = [sys.executable, "-m", "referralhub.launch", "--stop-with-parent"]
        # It would name accounts of the demo on its standard output.
        return _start(command, self.environment, stdout=subprocess.DEVNULL)

    def flask(self, *arguments: str, typed: str = "") -> dict[str, Any]:
        """Run one of the operators' commands."""
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments, "--json"]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, input=typed, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise OSError(f"flask {' '.join(arguments)} ended with {done.returncode}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def shop_command(host: str, port: int) -> list[str]:
    """Return what starts the shop, whose settings are in the environment."""
    options = ["--interface", "wsgi", "--blocking-threads", "4", "--no-ws", "--log-level", "warning", "--factory"]
    where = ["--host", host, "--port", str(port)]
    return [sys.executable, "-m", "granian", *options, *where, "examples.shop.app:serve"]


def _settings(hub: ReferralHub, shop_url: str, file: Path) -> dict[str, str]:
    """Return what the shop has to know, which is found out once, and again when it has moved."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    if kept.get("REFERRALHUB_URL") != hub.url:
        print("Connecting the shop with ReferralHub …", flush=True)
        hub.flask("users", "create-admin", "--username", ADMIN, "--email", OWNER, "--password-stdin", typed=PASSWORD)
        kept = {"SECRET_KEY": secrets.token_hex(32), "SHOP_DATABASE": str(file.with_name("shop.sqlite3"))}
        kept |= connect(hub.flask, hub.url, shop_url)
        file.touch(0o600)
        file.write_text(json.dumps(kept))
    return kept


def _announce(hub_url: str, shop_url: str) -> None:
    lines = [
        "",
        f"  The shop:     {shop_url}/",
        f"    a customer: {CUSTOMER} with “{PASSWORD}”: “Your referrals” leads to her link",
        f"    its owner:  {OWNER} with “{PASSWORD}”: “Office” has every order, and gives money back",
        f"  ReferralHub:  {hub_url}/admin/",
        f"    the admin:  {ADMIN} with “{PASSWORD}”",
        "  What connects the two: examples/shop/referrals.py, docs/connect.md",
        "  Ctrl-C stops everything.",
    ]
    print("\n".join(lines), "\n", flush=True)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(f"port {port} of {host} is not free ({error.strerror}); try PORT={port + 1}") from None


def _start(command: list[str], environment: Mapping[str, str], **more: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=dict(environment),
        start_new_session=True,  # Ctrl-C comes through us
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, and threads hold no lock it needs
        **more,
    )


def _serves(address: str, processes: list[subprocess.Popen[bytes]]) -> bool:
    """Wait until an address is answered, and return whether it is: a process may have ended instead."""
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while all(process.poll() is None for process in processes):
        try:
            directly.open(address, timeout=2).close()
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + GRACE
    for process in processes:
        process.terminate()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
