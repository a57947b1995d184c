"""Who may know of whom: a request goes one way, from view to service to model."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "referralhub"
FILES = {str(file.relative_to(PACKAGE)): file for file in sorted(PACKAGE.rglob("*.py"))}
WEB = {"flask", "flask_login", "flask_wtf", "wtforms", "werkzeug", "flask_limiter", "flask_session"}
LAYERS_ABOVE = {
    "auth",
    "landing",
    "dashboard",
    "cli",
    "htmx",
    "errors",
    "sessions",
    "attribution",
    "templating",
    "security",
}


def imports(file: Path) -> set[str]:
    """Name everything that a file imports, as `module.name`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def in_folder(*names: str) -> list[str]:
    return [name for name in FILES if name.partition("/")[0] in names]


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def ours(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("referralhub.")}


@pytest.mark.parametrize("name", in_folder("services", "models"))
def test_rules_and_tables_know_nothing_of_the_web(name: str):
    allowed = {"flask_login.UserMixin"} if name == "models/user.py" else set()
    names = imports(FILES[name]) - allowed
    assert not packages(names) & WEB
    assert not ours(names) & LAYERS_ABOVE


@pytest.mark.parametrize("name", in_folder("models"))
def test_tables_know_nothing_but_tables(name: str):
    names = imports(FILES[name])
    assert ours(names) <= {"models"}
    assert packages(names) <= {"referralhub", "sqlalchemy", "flask_login", "dataclasses", "datetime", "enum", "typing"}


@pytest.mark.parametrize("name", in_folder("auth", "landing", "dashboard", "cli"))
def test_views_and_commands_ask_services_and_not_the_database(name: str):
    names = imports(FILES[name])
    assert "sqlalchemy" not in packages(names)
    assert not ours(names) & {"database", "queue", "redis_client"}
    source = FILES[name].read_text()
    for query in ("db.session.execute", "db.session.scalar", "db.session.add", "db.session.commit", ".query."):
        assert query not in source


@pytest.mark.parametrize("name", [name for name in FILES if name != "htmx.py"])
def test_only_one_file_reads_what_htmx_says(name: str):
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.upper().startswith("HX-"), f"line {node.lineno}"


@pytest.mark.parametrize("name", [name for name in FILES if name != "clock.py"])
def test_only_one_file_reads_the_clock(name: str):
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
            assert not (isinstance(node.value, ast.Name) and node.value.id in {"datetime", "date"}), (
                f"line {node.lineno}"
            )


@pytest.mark.parametrize("name", FILES)
def test_files_are_small(name: str):
    assert len(FILES[name].read_text().splitlines()) <= 350
