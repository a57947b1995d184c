"""One command for everything: `python -m referralhub.launch` (which is what `make run` calls).

It starts the embedded Valkey server where REDIS_URL is unset, brings the database up to date, loads the demo on the
first run in development, and runs the processes of the Procfile until one of them ends or it is told to stop. HUP lets
them begin anew, and no request fails of it; at a terminal it says that the window was closed, and ends everything.
"""

import contextlib
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

from referralhub import migration_files
from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD, PROJECT, ConfigurationError, Settings
from referralhub.embedded import Valkey
from referralhub.observing import logs
from referralhub.processes import die_with_parent

log = logging.getLogger("referralhub.launch")  # this module is run by itself, under another name

GRACE = 12  # seconds that a process has to end by itself: more than the web server gives its own (see the Procfile)


def main() -> int:
    """Run until told to stop; the exit code is 0 after a stop, 1 when something ended by itself."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    reloads: list[int] = []  # a signal for each that is wanted
    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    signal.signal(signal.SIGHUP, _stop if at_terminal else lambda signum, _: reloads.append(signum))
    if "--stop-with-parent" in sys.argv:  # so that nothing is left when `make` is killed
        die_with_parent()
    os.environ.setdefault("HOST", "127.0.0.1")
    os.environ.setdefault("PORT", "8000")
    port = int(os.environ["PORT"])
    valkey: Valkey | None = None
    processes: list[subprocess.Popen[bytes]] = []
    try:
        family, host = _address_of(os.environ["HOST"], port)
        _require_free(family, host, port)
        settings = Settings.from_environment()
        logs.begin(settings)
        os.environ.setdefault("BASE_URL", settings.base_url)  # made of the name, where the web server gets the address
        os.environ["HOST"] = host
        if os.environ.get("REDIS_URL"):
            _refuse_unsupported(settings.redis_url)
        else:
            valkey = Valkey(settings.instance_path)
            valkey.start()
        if not _prepared(settings):
            _prepare(settings)
        commands = _procfile()
        processes.append(_start(commands["web"]))
        if _serves(processes[0], host, port):
            processes.append(_start(commands["worker"]))  # not before: it would only keep the pages waiting
            _announce(settings)
        while all(process.poll() is None for process in processes):
            if reloads:
                reloads.clear()
                _begin_anew(processes, commands)
            time.sleep(0.1)
        log.error("A process ended by itself: exit codes %s", [process.poll() for process in processes])
        return 1
    except KeyboardInterrupt:
        return 0
    except (ConfigurationError, OSError) as error:
        print(f"ReferralHub cannot start: {error}", file=sys.stderr)  # noqa: T201 - for the person who typed the command
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # we are on our way already
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _end(processes)
        if valkey:
            valkey.stop()


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _address_of(name: str, port: int) -> tuple[socket.AddressFamily, str]:
    """Return the address to listen at, which may be given by a name. Raises OSError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise OSError(f"HOST {name!r} is no address of this machine ({error})") from None
    return family, str(address[0])


def _require_free(family: socket.AddressFamily, host: str, port: int) -> None:
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(f"port {port} of {host} is not free ({error.strerror}); try PORT={port + 1}") from None


def _refuse_unsupported(redis_url: str) -> None:
    """Raise ConfigurationError at a Redis that can never do. What else is wrong may pass, and the worker says it."""
    from redis import RedisError  # noqa: PLC0415 - most starts bring their own server

    from referralhub.redis_client import NotSupported, connect  # noqa: PLC0415 - as above

    try:
        connect(redis_url).ping()
    except NotSupported as error:
        raise ConfigurationError(str(error)) from None
    except RedisError:
        pass


def _prepared(settings: Settings) -> bool:
    """Tell, without loading the application, whether a SQLite file is at the newest migration and the demo is there.

    This is what most starts find, and it halves the time they take. Other databases are left to Alembic.
    """
    if not settings.database_url.startswith("sqlite:///file:") or not (settings.instance_path / "seeded").exists():
        return False
    try:
        with contextlib.closing(
            sqlite3.connect(settings.database_url.removeprefix("sqlite:///"), uri=True)
        ) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return {row[0] for row in rows} == migration_files.newest()


def _prepare(settings: Settings) -> None:
    from referralhub import create_app  # noqa: PLC0415 - most starts have nothing to prepare
    from referralhub.clock import now  # noqa: PLC0415 - nothing to prepare, nothing to load
    from referralhub.extensions import db  # noqa: PLC0415 - nothing to prepare, nothing to load
    from referralhub.migrations import upgrade  # noqa: PLC0415 - nothing to prepare, nothing to load
    from referralhub.services.sample import demo  # noqa: PLC0415 - nothing to prepare, nothing to load

    with create_app(settings).app_context():
        upgrade()
        seeded = settings.instance_path / "seeded"
        if settings.development and not seeded.exists():
            demo.load(now(), lambda _: None)
            seeded.touch()
        db.engine.dispose()


def _procfile() -> dict[str, str]:
    lines = (PROJECT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def _start(command: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(  # noqa: S603 - see below
        ["sh", "-c", f"exec {command}"],  # noqa: S607 - the Procfile is ours and means a shell
        cwd=PROJECT,
        env=environment,
        start_new_session=True,  # a group of its own: it can be ended whole, and Ctrl-C comes through us
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, and threads hold no lock it needs
    )


def _begin_anew(processes: list[subprocess.Popen[bytes]], commands: dict[str, str]) -> None:
    """Bring the database up to date, and let new processes take over; the web server does so for its own."""
    if _start(commands["release"]).wait():
        log.error("The database cannot be brought up to date: what runs goes on")
        return
    web, worker = processes
    web.send_signal(signal.SIGHUP)
    _end([worker])
    processes[1] = _start(commands["worker"])
    log.info("The processes begin anew")


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + GRACE
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signum)


def _serves(web: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until the web server answers, and return whether it does: it may have ended instead."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    address = f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}/healthz"
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy for the web does not know us
    while web.poll() is None:
        try:
            directly.open(address, timeout=1).close()
            return True
        except urllib.error.HTTPError:
            return True  # whatever is wrong there
        except OSError:
            time.sleep(0.05)
    return False


def _announce(settings: Settings) -> None:
    if not settings.development:
        log.info("ReferralHub is ready: %s/", settings.base_url)
        return
    lines = [
        "",
        f"  ReferralHub is ready: {settings.base_url}/",
        f"  Sign in as {DEMO_MEMBER} or {DEMO_ADMIN} with {DEMO_PASSWORD}",
        f"  Mail goes to:         {settings.base_url}/dev/mailbox",
        "  Ctrl-C stops everything.",
    ]
    print("\n".join(lines), "\n", flush=True)  # noqa: T201 - for the person who typed the command


if __name__ == "__main__":
    sys.exit(main())
