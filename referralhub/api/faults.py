"""What is wrong with a value, by a code that stays, and in words for whoever wrote the call, in whichever language."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from msgspec import inspect

from referralhub.api.schemas import FORM, PLAIN, SOMETHING

KINDS = {  # how msgspec says it, and what we call it for good
    r"Object contains unknown field `(?P<name>.*)`": "unknown",
    r"Object missing required field `(?P<name>.*)`": "missing",
    r".* of length ": "length",
    r".* matching regex ": "pattern",
    r"Expected `\S+` (>=|<=|>|<) ": "range",
    r"Invalid enum value ": "choice",
    r"Expected `.*` with a timezone ": "timezone",
    r"Expected `.*`, got ": "type",
}
WORDS: dict[type[inspect.Type], str] = {
    inspect.IntType: "a whole number",
    inspect.StrType: "text, in quotes",
    inspect.BoolType: "true or false, without quotes",
    inspect.DateTimeType: "a time with a zone, such as 2026-11-30T12:00:00Z",
    inspect.DateType: "a day, such as 2026-11-30",
    inspect.ListType: "a list, in square brackets",
    inspect.DictType: "an object, in braces",
    inspect.StructType: "an object, in braces",
}
FORMS = {  # of texts whose schema says no other
    PLAIN: "text without control characters",
    SOMETHING: "text that is more than blanks, without control characters",
}


class Wrong(NamedTuple):
    """A value at fault: its place, a code, and what it is to be."""

    place: str
    code: str
    detail: str


@dataclass(frozen=True)
class Value:
    """What a value is to be: its types but for null, and what its schema says of it."""

    types: tuple[inspect.Type, ...]
    said: dict[str, Any]

    def of(self, *kinds: type[inspect.Type]) -> Any:
        """Return the first of its types that is one of these."""
        return next((each for each in self.types if isinstance(each, kinds)), None)


def read(said: str, kind: Any, *, described: bool = True) -> Wrong:
    """Return where a value of such a struct is at fault, and how, from what msgspec says.

    With `described` it is told what the value is good for, where the schema says that.
    """
    what, _, outer = said.partition(" - at `$")
    code, name = _kind(what)
    outer = outer.rstrip("`").lstrip(".")
    place = ".".join(filter(None, (outer, name)))
    value = _find(kind, outer if code == "unknown" else place)
    if value is None:
        return Wrong(place, code, what)
    detail, description = _detail(code, value), value.said.get("description")
    if described and description and FORM not in value.said and code not in {"unknown", "length"}:
        detail += f" {description}"
    return Wrong(place, code, detail)


def _kind(what: str) -> tuple[str, str]:
    """Return the code, and the name that is too many or is missing."""
    for pattern, code in KINDS.items():
        if found := re.match(pattern, what):
            return code, found.groupdict().get("name") or ""
    return "invalid", ""


def _detail(code: str, value: Value) -> str:
    match code:
        case "unknown":
            return f"There is no such field; there are: {', '.join(_fields(value))}."
        case "missing":
            return f"This is needed: {_words(value)}."
        case "length":
            sized = value.of(inspect.StrType, inspect.ListType, inspect.DictType)
            what = "characters" if isinstance(sized, inspect.StrType) else "entries"
            return f"Use {_span(sized.min_length, sized.max_length)} {what}."
        case "range":
            number = value.of(inspect.IntType)
            both = number.ge is not None and number.le is not None
            return f"Use a whole number {'from' if both else 'of'} {_span(number.ge, number.le)}."
        case "pattern":
            form = FORMS.get(value.of(inspect.StrType).pattern, "text of another form")
            return f"Use {value.said.get(FORM) or form + _example(value)}."
        case _:
            return f"Use {_words(value)}."


def _words(value: Value) -> str:
    """Say what a value can be, such as: a whole number, such as 50."""
    if FORM in value.said:
        return str(value.said[FORM])
    kinds = (_choices(each) or WORDS.get(type(each), "another value") for each in value.types)
    return ", or ".join(dict.fromkeys(kinds)) + _example(value)


def _choices(node: inspect.Type) -> str:
    values = [str(each.value) for each in node.cls] if isinstance(node, inspect.EnumType) else []
    return f"one of {', '.join(values)}" if values else ""


def _example(value: Value) -> str:
    examples = value.said.get("examples")
    return f", such as {json.dumps(examples[0], ensure_ascii=False)}" if examples else ""


def _span(least: int | None, most: int | None) -> str:
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"{least} to {most}"


def _fields(value: Value) -> Iterator[str]:
    struct = value.of(inspect.StructType)
    return (each.encode_name for each in struct.fields)


@cache
def _whole(kind: Any) -> Value:
    return _value(inspect.type_info(kind))


def _find(kind: Any, place: str) -> Value | None:
    """Find what is to be at a place, such as `tiers[0].at`."""
    value: Value | None = _whole(kind)
    for step in re.findall(r"\[[^]]*\]|[^.[]+", place):
        value = value and _inside(value, step)
    return value


def _inside(value: Value, step: str) -> Value | None:
    for each in value.types:
        match each:
            case inspect.StructType():
                return next((_value(field.type) for field in each.fields if field.encode_name == step), None)
            case inspect.ListType():
                return _value(each.item_type)
            case inspect.DictType():
                return _value(each.value_type)
    return None


def _value(node: inspect.Type) -> Value:
    match node:
        case inspect.Metadata():
            inner = _value(node.type)
            return Value(inner.types, inner.said | (node.extra_json_schema or {}) | (node.extra or {}))
        case inspect.UnionType():
            parts = [_value(each) for each in node.types]
            types = tuple(each for part in parts for each in part.types)
            return Value(types, {name: text for part in parts for name, text in part.said.items()})
        case inspect.NoneType():
            return Value((), {})
        case _:
            return Value((node,), {})
