"""Who may know of whom: each room lists what it may import, and everything else fails."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
PACKAGE = PROJECT / "referralhub"
FILES = {str(file.relative_to(PACKAGE)): file for file in sorted(PACKAGE.rglob("*.py"))}

# The rooms of the services, from bottom to top: each may know those before it, as far as its own list says.
FLOORS = (
    "shared", "program", "ledger", "mailing", "webhooks", "fulfilment", "brand", "fraud", "perks", "history", "links",
    "conversions", "referrals", "recourse", "accounts", "integration", "growth", "operations", "sample",
)  # fmt: skip
WEB = "flask flask_login flask_wtf flask_limiter flask_session flask_admin flask_migrate werkzeug wtforms jinja2 click"
PYTHONS_OWN = sys.stdlib_module_names | {"compression"}  # of Python 3.14
ROW = "database models"  # what every service needs

# What each room may import: rooms of ours, and libraries. Python's own are free.
ALLOWED: dict[str, tuple[str, str]] = {
    # The tables, and the rules: nothing of the web, not even through an import of an import.
    "models": ("", "sqlalchemy"),
    "database": ("postgresql", "sqlalchemy"),
    "postgresql": ("breaker", "psycopg sqlalchemy"),
    "config": ("embedded openid_settings public_address redis_client secret_key", "limits"),
    "secret_key": ("", ""),
    "public_address": ("", ""),
    "openid_settings": ("", ""),
    "migration_files": ("config", ""),
    "processes": ("", ""),
    "embedded": ("processes", ""),  # the wheel is asked for its program, and not imported
    "services.shared": (ROW, "babel nacl PIL sqlalchemy redis"),
    "services.program": (f"{ROW} config services.shared", "sqlalchemy msgspec"),
    "services.ledger": (f"{ROW} services.shared", "sqlalchemy redis"),
    "services.mailing": (f"{ROW} services.shared", "sqlalchemy itsdangerous disposable_email_domains email_validator"),
    "services.webhooks": (f"{ROW} services.shared services.mailing", "sqlalchemy"),
    "services.fulfilment": (f"{ROW} services.shared services.ledger services.webhooks", "sqlalchemy"),
    "services.brand": (f"{ROW} services.shared services.mailing", "lxml sqlalchemy"),
    "services.fraud": (f"{ROW} services.shared services.mailing", "sqlalchemy"),
    "services.perks": (f"{ROW} services.shared services.program services.ledger services.webhooks", "sqlalchemy"),
    "services.history": (f"{ROW} services.shared", "sqlalchemy msgspec"),
    "services.links": (f"{ROW} services.shared services.webhooks", "redis sqlalchemy"),
    "services.conversions": (f"{ROW} services.shared services.program services.ledger services.webhooks", "sqlalchemy"),
    "services.referrals": (
        f"{ROW} services.shared services.program services.ledger services.mailing services.webhooks services.fraud "
        "services.perks services.history services.conversions",
        "sqlalchemy redis itsdangerous msgspec",
    ),
    "services.recourse": (
        f"{ROW} services.shared services.program services.ledger services.mailing services.fraud "
        "services.links services.conversions services.referrals",
        "sqlalchemy itsdangerous",
    ),
    "services.accounts": (
        f"{ROW} services.shared services.program services.ledger services.mailing services.webhooks services.brand "
        "services.fraud services.links services.conversions services.referrals services.recourse",
        "sqlalchemy cryptography nacl",
    ),
    "services.integration": (
        f"{ROW} services.shared services.program services.ledger services.mailing services.webhooks services.fraud "
        "services.links services.conversions services.referrals services.recourse services.accounts",
        "redis sqlalchemy",
    ),
    "services.growth": (f"{ROW} services.shared services.links", "sqlalchemy"),
    "services.operations": (
        f"{ROW} config openid_settings redis_client services.shared services.ledger services.mailing services.webhooks "
        "services.conversions services.accounts services.integration",
        "sqlalchemy redis alembic msgspec",
    ),
    "services.sample": (
        f"{ROW} config services.shared services.program services.ledger services.fraud services.perks "
        "services.links services.referrals services.accounts",
        "sqlalchemy",
    ),
    # Words for people, and what pages share.
    "words": (
        "clock models services.shared services.ledger services.mailing services.fulfilment services.fraud "
        "services.conversions services.referrals services.recourse services.integration services.operations",
        "babel flask_babel",
    ),
    "pseudo": ("", "babel"),
    "remembered": ("", ""),
    "languages": ("models pseudo remembered", "babel flask flask_babel werkzeug"),
    "clock": ("", "flask"),
    "htmx": ("early_answers", "flask werkzeug"),
    "observing": ("config response_headers", "flask msgspec redis sqlalchemy opentelemetry sentry_sdk"),
    "kept_answers": (
        "branding compression config early_answers htmx languages observing security services.shared sessions",
        "flask flask_login msgspec redis sqlalchemy",
    ),
    "security": ("config sessions", "flask flask_wtf itsdangerous"),
    "response_headers": ("config", "flask"),
    "urls": ("config public_address services.operations", "flask redis werkzeug"),
    "uploads": ("", "flask"),
    "browsers": ("security services.fraud", "flask ua_parser"),
    "forms": ("services.shared services.mailing services.accounts words", "flask_babel flask_wtf wtforms"),
    "sessions": (
        "config models redis_client services.shared services.links services.referrals",
        "flask flask_session itsdangerous msgspec redis werkzeug",
    ),
    "branding": ("extensions models response_headers services.brand static_files", "PIL flask markupsafe werkzeug"),
    "templating": ("branding config models static_files urls words", "flask flask_login markupsafe"),
    "debug_toolbar": ("response_headers", "flask flask_debugtoolbar"),
    "outcome": ("", "flask"),
    "problems": ("clock services.shared services.integration words", "flask msgspec"),
    "errors": (
        "branding database extensions observing outcome problems security services.shared sessions words",
        "flask flask_babel flask_wtf redis sqlalchemy werkzeug",
    ),
    # Mail at the edge: what is written, and how it is handed over.
    "mail_content": (
        "clock config database languages models urls words services.program services.mailing services.brand "
        "services.referrals "
        "services.recourse services.accounts",
        "flask css_inline",
    ),
    "mail_transport": ("config services.mailing", ""),
    # Webhooks at the edge: the same.
    "webhook_content": ("languages models services.webhooks urls words", ""),
    "webhook_transport": ("config services.webhooks", ""),
    "mailbox": ("mail_transport", "flask"),
    "styleguide": ("dashboard models services.fraud services.conversions", "flask flask_wtf wtforms"),
    "openid": ("config openid_settings services.shared services.accounts", "authlib joserfc requests"),
    # Pages: they parse, authorise, call a service and render.
    "landing": (
        "branding browsers clock early_answers extensions languages observing remembered response_headers sessions "
        "urls words services.shared services.program services.ledger services.brand services.links "
        "services.referrals services.accounts",
        "flask flask_babel werkzeug redis sqlalchemy PIL segno crawleruseragents",
    ),
    "api": (
        "branding clock extensions languages metrics models problems security urls words services.shared "
        "services.program services.ledger services.fulfilment services.fraud services.perks services.links "
        "services.growth services.accounts services.conversions services.integration services.referrals",
        "apispec flask flask_limiter msgspec",
    ),
    "auth": (
        "browsers clock config extensions forms htmx languages models openid outcome response_headers security "
        "sessions urls words services.shared services.program services.mailing services.fraud services.referrals "
        "services.accounts",
        "flask flask_babel flask_login flask_wtf werkzeug wtforms",
    ),
    "account": (
        "branding browsers clock extensions forms languages outcome response_headers sessions uploads urls words "
        "services.shared services.mailing services.links services.recourse services.accounts",
        "flask flask_babel flask_login flask_wtf markupsafe segno werkzeug wtforms",
    ),
    "dashboard": (
        "branding browsers clock extensions forms htmx kept_answers landing models sessions urls words services.shared "
        "services.program services.ledger services.fulfilment services.brand services.perks services.links "
        "services.referrals services.recourse services.accounts",
        "flask flask_babel flask_login flask_wtf werkzeug wtforms segno",
    ),
    "admin": (  # Flask-Admin's lists read the tables themselves
        "clock config extensions forms htmx languages mail_content mail_transport models outcome test_program urls "
        "words services.shared services.program services.mailing services.webhooks services.fulfilment "
        "services.brand services.perks services.links services.conversions services.referrals services.recourse "
        "services.accounts services.integration services.growth",
        "flask flask_babel flask_login flask_wtf flask_admin werkzeug wtforms sqlalchemy markupsafe",
    ),
    "health": ("database extensions migration_files services.operations", "flask redis sqlalchemy"),
    "metrics": ("clock config errors extensions observing services.operations", "flask prometheus_client redis"),
    "cli": (
        "clock config database errors extensions forms mail_transport models openid processes redis_client "
        "test_program words services.shared services.program services.ledger services.mailing services.webhooks "
        "services.fulfilment services.brand services.fraud services.perks services.conversions services.referrals "
        "services.accounts services.integration services.growth "
        "services.operations services.sample",
        "click flask redis sqlalchemy",
    ),
    # Putting it together.
    "breaker": ("", ""),
    "redis_client": ("breaker redis_prefix", "hiredis redis"),
    "redis_prefix": ("", "redis"),
    "queue": ("observing redis_client", "flask huey redis sqlalchemy"),
    "extensions": (
        "database models queue security services.brand services.mailing",
        "flask flask_limiter flask_login flask_sqlalchemy limits",
    ),
    "early_answers": ("", "flask"),
    "compression": ("early_answers remembered", "backports brotli flask werkzeug"),
    "static_files": ("compression early_answers observing", "flask"),
    "migrations": ("database extensions", "click flask flask_migrate"),
    "test_database": ("database", "sqlalchemy"),
    "test_program": (
        "config database extensions migrations models observing public_address test_database services.shared "
        "services.program services.integration",
        "flask redis sqlalchemy",
    ),
    "commits": ("extensions services.shared services.ledger services.webhooks services.fulfilment", "flask sqlalchemy"),
    "tasks": (
        "clock extensions mail_content mail_transport observing webhook_content webhook_transport services.shared "
        "services.ledger services.mailing services.webhooks services.fulfilment services.fraud services.links "
        "services.referrals services.recourse services.accounts services.integration services.operations",
        "flask huey redis sqlalchemy",
    ),
    "application": (
        "account admin api auth branding cli clock commits compression config dashboard database debug_toolbar "
        "early_answers errors extensions health kept_answers languages landing mailbox metrics migrations observing "
        "redis_client response_headers sessions static_files styleguide tasks templating test_database test_program "
        "uploads urls services.shared services.brand services.program services.accounts",
        "flask werkzeug",
    ),
    "launch": (
        "clock config embedded extensions migration_files migrations observing processes redis_client "
        "referralhub services.sample",
        "redis",
    ),
    "referralhub": ("application config", "flask"),
}  # fmt: skip


ASK_SERVICES = {"auth", "landing", "account", "dashboard", "cli"}


def room_of(file: str) -> str:
    """Name the room that a file is in: `services.ledger`, `admin`, or a module at the top by itself."""
    first, *rest = Path(file).parts
    if first == "services" and len(rest) > 1:
        return f"services.{rest[0]}"
    if not rest:
        return "referralhub" if first == "__init__.py" else Path(first).stem
    return first


def module_of(file: str) -> str:
    return ".".join(["referralhub", *Path(file).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


def imported(file: str) -> Iterator[str]:
    """Yield every module that a file imports, as far as it is one of ours, and the name of the library otherwise."""
    for node in ast.walk(ast.parse(FILES[file].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if not name.startswith("referralhub"):
                yield name.partition(".")[0]
            else:
                yield name if name in MODULES else name.rpartition(".")[0]


def rooms_and_libraries(room: str) -> tuple[set[str], set[str]]:
    found = {name for file in FILES if room_of(file) == room for name in imported(file)}
    rooms = {room_of(MODULES[name]) for name in found if name in MODULES}
    libraries = {name for name in found if name not in MODULES} - PYTHONS_OWN
    return rooms - {room}, libraries


@pytest.mark.parametrize("room", sorted({room_of(file) for file in FILES} - {"services"}))
def test_each_room_imports_what_its_list_allows_and_no_more(room: str):
    rooms, libraries = rooms_and_libraries(room)
    allowed_rooms, allowed_libraries = (set(names.split()) for names in ALLOWED[room])
    assert (rooms, libraries) == (allowed_rooms, allowed_libraries)


def test_the_lists_of_the_services_lead_downwards():
    for number, floor in enumerate(FLOORS):
        known = {name for name in ALLOWED[f"services.{floor}"][0].split() if name.startswith("services.")}
        assert known <= {f"services.{below}" for below in FLOORS[:number]}, floor
    assert {f"services.{floor}" for floor in FLOORS} == {name for name in ALLOWED if name.startswith("services.")}


def test_there_is_no_circle():
    graph = {
        module: {name for name in imported(file) if name in MODULES} - {module} for module, file in MODULES.items()
    }
    for package in [module for module, file in MODULES.items() if file.endswith("__init__.py")]:
        del graph[package]  # a package that names its own modules is no circle
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(str(error))


def test_services_know_nothing_of_the_web_not_even_through_imports_of_imports():
    modules = [module for module in MODULES if module.startswith(("referralhub.services", "referralhub.models"))]
    program = f"import sys, {', '.join(modules)}; print(*sorted(set({WEB.split()!r}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("folder", sorted({Path(file).parent for file in FILES if file.startswith("services/")}))
def test_rooms_of_the_services_have_few_files_and_an_empty_front_door(folder: Path):
    files = [file for file in FILES if Path(file).parent == folder]
    assert len(files) - 1 <= 14
    body = ast.parse(FILES[str(folder / "__init__.py")].read_text()).body
    assert all(isinstance(node, ast.Expr) for node in body) and len(body) <= 1


@pytest.mark.parametrize("name", [name for name in FILES if room_of(name) in ASK_SERVICES])
def test_views_and_commands_ask_services_and_not_the_database(name: str):
    names = {
        alias.name
        for node in ast.walk(ast.parse(FILES[name].read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "referralhub.extensions"
        for alias in node.names
    }
    assert "db" not in names


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


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.lua")), ids=lambda file: file.name)
def test_scripts_touch_only_keys_that_they_declare(file: Path):
    calls = re.findall(r"redis\.call\('(\w+)', ([^)]+)\)", file.read_text())
    keys = [key for name, words in calls for key in (words.split(", ") if name == "MGET" else [words.split(", ")[0]])]
    assert keys
    assert all(re.fullmatch(r"(there and )?KEYS\[[^\]]+\]( or KEYS\[\d\])?", key) for key in keys)


def test_scripts_are_files_of_their_own():
    assert not [name for name, file in FILES.items() if "redis.call" in file.read_text()]
