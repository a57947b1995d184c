"""The Docker image has what `.dockerignore` lets in: enough to run, where nobody can write to it."""

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from referralhub.config import PROJECT
from referralhub.processes import die_with_parent
from tests import servers

pytestmark = pytest.mark.one_database

# In a view of the file system of its own: everything read-only but one folder, which is /data and /tmp of the image.
LOCKED = """
mount --make-rprivate / && mount --bind "$WRITABLE" "$WRITABLE" || exit 1
while read -r _ place _; do
    case $place in "$WRITABLE" | /proc* | /sys* | /dev*) ;; *) mount -o remount,bind,ro "$place" 2>/dev/null ;; esac
done < /proc/self/mounts
touch "$PWD/forbidden" 2>/dev/null && exit 1
exec "$@"
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder with what gets into the image, and the libraries beside it."""
    folder = tmp_path / "app"
    for line in (PROJECT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source, target = PROJECT / line[1:], folder / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def can_lock() -> bool:
    """Tell whether we may have a view of the file system of our own."""
    unshare = shutil.which("unshare")
    return (
        bool(unshare) and not subprocess.run([unshare, "--mount", "true"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not can_lock(), reason="only root on Linux can make its file system read-only for a moment")
def test_everything_runs_where_only_its_data_can_be_written(image: Path):
    port = servers.free_port()
    with servers.short_folder() as writable:
        environment = {
            "PATH": os.environ["PATH"], "WRITABLE": str(writable), "TMPDIR": str(writable), "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1", "INSTANCE_PATH": str(writable / "data"), "PORT": str(port),
            "SECRET_KEY": "0123456789abcdef" * 4, "BASE_URL": "https://refer.example.com", "MAIL_URL": "file:",
            "DATABASE_URL": "sqlite:///referralhub.sqlite3",
        }  # fmt: skip
        command = ["unshare", "--mount", "sh", "-c", LOCKED, "sh", ".venv/bin/python", "-m", "referralhub.launch"]
        with (writable / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=image, env=environment, stdout=log, stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, and threads hold no lock it needs
            )  # fmt: skip
        try:
            servers.wait_until(
                lambda: process.poll() is not None or servers.serves(f"http://127.0.0.1:{port}"), "serves"
            )
            assert process.poll() is None, (writable / "log").read_text()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                assert answer.status == 200
        finally:
            process.terminate()
            process.wait(15)
        assert "Read-only file system" not in (writable / "log").read_text()
