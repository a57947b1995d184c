"""Services and models speak in codes; the words for each are in one place, `referralhub/words`."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from referralhub.models import ReasonCode
from referralhub.services.fraud.assessment import Verdict
from referralhub.services.fraud.rules import RULES
from referralhub.services.integration.events import ID_TAKEN
from referralhub.services.operations.checks import STUCK
from referralhub.services.operations.redis_trial import Fault
from referralhub.services.referrals.invitations import Objection
from referralhub.services.shared import errors
from referralhub.services.shared.errors import DomainError
from referralhub.words.customers import LINES
from referralhub.words.errors import ERRORS, FOR_PROGRAMS
from referralhub.words.fraud import FINDINGS, VERDICTS
from referralhub.words.operations import DRIFTS, REMARKS
from referralhub.words.referrals import OBJECTIONS, REASONS

PACKAGE = Path(__file__).parent.parent.parent / "referralhub"
FILES = sorted([*(PACKAGE / "services").rglob("*.py"), *(PACKAGE / "models").rglob("*.py")])
SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}")
# What no member, admin or operator reads: SQL, and errors that only a programmer causes.
NOT_READ = {"CheckConstraint", "_once", "text", "ValueError", "RuntimeError"}
EVERYWHERE = sorted(PACKAGE.rglob("*.py"))  # a few errors are the edge's
ERROR_CLASSES = {"BadUrl"} | {
    name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, DomainError)
}


def name_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.IfExp):  # one of two errors, with one code
        return getattr(call.func.body, "id", "")
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def docstrings(tree: ast.AST) -> set[int]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            found.add(id(node.body[0].value))  # type: ignore[attr-defined] - a docstring is an expression
    return found


def sentences(file: Path) -> Iterator[str]:
    """Yield every text in a file that reads like a sentence, and that somebody but a programmer could read."""
    tree = ast.parse(file.read_text())
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            is_log = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "log"
            if is_log or name_of(node) in NOT_READ:
                skipped |= {id(each) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in skipped and SENTENCE.search(str(node.value)):
            yield f"line {node.lineno}: {node.value}"


def codes(*classes: str, files: Sequence[Path] = FILES) -> set[str]:
    """Collect the codes with which these are made anywhere in the services, or in other files."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and name_of(node) in classes:
                place = 1 if name_of(node) in {"BadSetting", "Wrong"} else 0
                if len(node.args) > place:
                    found |= {each.value for each in _choices(node.args[place])}
    return found


def _choices(argument: ast.expr) -> list[ast.Constant]:
    return [each for each in ast.walk(argument) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_sentence_is_left_in_services_and_models(file: Path):
    assert list(sentences(file)) == []


def test_each_error_has_its_words_and_no_words_are_left_over():
    of_classes = {getattr(errors, name, DomainError).code for name in ERROR_CLASSES} - {""}
    named = {"username_taken", "email_taken", ID_TAKEN}
    assert codes(*ERROR_CLASSES, files=EVERYWHERE) | of_classes | named == set(ERRORS)
    assert set(FOR_PROGRAMS) < set(ERRORS)


def test_each_finding_of_a_rule_has_its_words():
    variants = {node.args[3].value for node in _findings() if len(node.args) > 3}
    assert set(RULES) | variants | {"as_written"} == set(FINDINGS)
    assert set(Verdict) == set(VERDICTS)


def test_each_remark_of_the_doctor_and_each_drift_has_its_words():
    clocks = {"database_clock_differs", "redis_clock_differs"}
    files = {"database_file_away", "database_away"}
    trials = {f"redis_{fault}" for fault in Fault} | set(STUCK.values())
    assert codes("Remark") - {"redis_"} | clocks | files | trials == set(REMARKS)
    assert codes("Drift") == set(DRIFTS)


def test_each_reason_and_each_objection_has_its_words():
    assert set(ReasonCode) == set(REASONS)
    assert set(Objection) == set(OBJECTIONS)


def test_each_mistake_in_a_list_of_customers_has_its_words():
    assert codes("Wrong") | codes("BadAddress") == set(LINES)


def _findings() -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse((PACKAGE / "services/fraud/rules.py").read_text())):
        if isinstance(node, ast.Call) and name_of(node) == "Finding":
            yield node
