"""What is imported is declared: a library that only comes along with another one can leave with it."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent.parent
OWN = {"referralhub", "tests", "migrations", "wsgi", "bench", "audit", "examples", "client"}  # the last made by a test
PYTHONS_OWN = sys.stdlib_module_names | {"compression"}  # of Python 3.14
RUNTIME, TESTS = ("referralhub", "migrations", "wsgi.py", "examples"), ("tests",)
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
DISTRIBUTIONS = packages_distributions()


def python_files(*places: str) -> list[Path]:
    """Return the Python files in these folders of the project; a place may also be a file."""
    return [
        file for place in places for file in (PROJECT / place, *(PROJECT / place).rglob("*")) if file.suffix == ".py"
    ]


def imported(file: Path) -> set[str]:
    """Return the top-level modules that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module))
    return {name.partition(".")[0] for name in names}


def foreign_modules(*places: str) -> list[str]:
    """Return the modules imported there that are neither Python's nor ours."""
    names = {name for file in python_files(*places) for name in imported(file)}
    return sorted(names - OWN - PYTHONS_OWN)


def names_of(requirements: list[str]) -> set[str]:
    """Return the normalized names of the distributions that requirements ask for."""
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def is_declared(module: str, declared: set[str]) -> bool:
    """Return whether a distribution that provides the module is declared."""
    return any(canonicalize_name(name) in declared for name in DISTRIBUTIONS.get(module, []))


FOR_RUNNING = names_of(DECLARED["project"]["dependencies"])
EXTRA = names_of([each for extra in DECLARED["project"]["optional-dependencies"].values() for each in extra])
FOR_DEVELOPING = names_of(DECLARED["dependency-groups"]["dev"])
LOADED_WHEN_SET = {"opentelemetry": EXTRA, "sentry_sdk": EXTRA, "flask_debugtoolbar": FOR_DEVELOPING}  # and in one file
FOR_TESTS = FOR_RUNNING | EXTRA | FOR_DEVELOPING


@pytest.mark.parametrize("module", foreign_modules(*RUNTIME))
def test_what_the_application_imports_is_declared_for_running(module: str):
    assert is_declared(module, LOADED_WHEN_SET.get(module, FOR_RUNNING))


def test_what_few_install_is_imported_in_one_file_and_when_it_is_used(tmp_path: Path):
    files = [file for file in python_files(*RUNTIME) if imported(file) & LOADED_WHEN_SET.keys()]
    assert {file.name for file in files} == {"exporters.py", "debug_toolbar.py"}
    # (The client of Redis looks for parts of OpenTelemetry by itself.)
    few = {"opentelemetry.exporter", "sentry_sdk", "flask_debugtoolbar"}
    program = f"import sys, wsgi; print(*sorted({few} & sys.modules.keys()))"
    environment = {"REFERRALHUB_ENV": "development", "INSTANCE_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", foreign_modules(*TESTS))
def test_what_the_tests_import_is_declared_for_developing(module: str):
    assert is_declared(module, FOR_TESTS)


@pytest.mark.parametrize(("module", "distribution"), [("msgspec", "msgspec"), ("PIL", "pillow"), ("nacl", "pynacl")])
def test_what_is_no_longer_declared_is_noticed(module: str, distribution: str):
    assert module in foreign_modules(*RUNTIME)
    assert not is_declared(module, FOR_RUNNING - {distribution})
