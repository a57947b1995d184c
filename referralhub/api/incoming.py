"""What was sent with a call, read into structs of `schemas`; what cannot be is refused at its place, by a code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from flask import request

from referralhub.api import faults
from referralhub.api.faults import Wrong
from referralhub.problems import FieldProblem, Refused

DEEPEST = 20  # levels of what is kept as it came
LEAST, MOST = -(2**63), 2**63 - 1  # of a whole number, as far as it can be given back


@dataclass(frozen=True)
class Bodies:
    """What was sent to a call that takes one or several: each as its struct, or why it is none."""

    each: list[Any]
    alone: bool  # and no list


def body(kind: type) -> Any:
    """Return what was sent. Unknown names are refused: a mistyped one would be lost without a word. Raises Refused."""
    return _read(_sent(), kind)


def bodies(kind: type, most: int) -> Bodies:
    """Return what was sent, one or several. What is wrong with one of several is no matter of the others'."""
    sent = _sent()
    if not sent.lstrip().startswith(b"["):
        return Bodies([_read(sent, kind)], alone=True)
    several: list[msgspec.Raw] = _decoded(sent, list[msgspec.Raw])
    if len(several) > most:
        raise _refused_body(Wrong("", "length", f"At most {most} at once."))
    found: list[Any] = []
    for each in several:
        try:
            found.append(_read(bytes(each), kind))
        except Refused as error:
            found.append(error)
    return Bodies(found, alone=False)


def _sent() -> bytes:
    if request.mimetype != "application/json":
        raise Refused(415, "not_json", "Send JSON, with Content-Type: application/json.")
    return request.get_data()


def _read(data: bytes, kind: Any) -> Any:
    found = _decoded(data, kind)
    if wrong := _unkeepable(msgspec.json.decode(data)):
        raise _refused_body(wrong)
    return found


def _decoded(data: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise _refused_body(faults.read(str(error), kind)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(400, "json_malformed", str(error)) from None
    except RecursionError:
        raise _refused_body(Wrong("", "depth", f"More than {DEEPEST} levels.")) from None


def _refused_body(wrong: Wrong) -> Refused:
    return _refused("body_invalid", wrong)


def query(kind: type) -> Any:
    """Return what the address asks for. Raises Refused for names that the call does not know, and for bad values."""
    types = _types(kind)
    values: dict[str, Any] = {}
    for name, (text, *others) in request.args.lists():
        if name not in types:
            known = ", ".join(types) or "none"
            raise _refused_query(Wrong(name, "unknown", f"There is no such parameter; there are: {known}."))
        if others:
            raise _refused_query(Wrong(name, "repeated", "Once, please."))
        values[name] = _literal(text, types[name])
    try:
        found: Any = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refused_query(faults.read(str(error), kind, described=False)) from None
    for field in msgspec.structs.fields(kind):
        value = getattr(found, field.name)
        if isinstance(value, datetime) and not _is_in_years(value):
            raise _refused_query(Wrong(field.encode_name, "range", "This is before or after all years."))
    return found


def _refused_query(wrong: Wrong) -> Refused:
    return _refused("query_invalid", wrong)


def _refused(code: str, wrong: Wrong) -> Refused:
    detail = f"{wrong.place}: {wrong.detail}" if wrong.place else wrong.detail
    return Refused(422, code, detail, [FieldProblem(*wrong)])


def _unkeepable(value: Any, place: str = "", depth: int = 0) -> Wrong | None:
    """Find what JSON can say, but no database keeps or nobody can give back."""
    if depth > DEEPEST:
        return Wrong(place, "depth", f"More than {DEEPEST} levels.")
    if isinstance(value, str) and "\0" in value:
        return Wrong(place, "pattern", "A character that cannot be kept: U+0000.")
    if isinstance(value, int) and not LEAST <= value <= MOST:
        return Wrong(place, "range", "A number of more than 64 bits.")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        below = f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}".lstrip(".")
        if isinstance(key, str) and "\0" in key:
            return Wrong(place, "pattern", "A name that cannot be kept: U+0000.")
        if wrong := _unkeepable(each, below, depth + 1):
            return wrong
    return None


def names(kind: type, before: str = "") -> Iterator[str]:
    """Name all values of a struct, and those of the structs in it, as faults do."""
    for field in msgspec.structs.fields(kind):
        yield (name := f"{before}{field.encode_name}")
        for hint in _unwrapped(field.type):
            for inner in (hint, *get_args(hint)):
                if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                    yield from names(inner, f"{name}.")


@cache
def _types(kind: type) -> dict[str, set[Any]]:
    """Return the parameters of a query, and of which types each can be."""
    return {field.encode_name: set(_unwrapped(field.type)) for field in msgspec.structs.fields(kind)}


def _unwrapped(hint: Any) -> list[Any]:
    if get_origin(hint) is Annotated:
        return _unwrapped(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [each for part in get_args(hint) for each in _unwrapped(part)]
    return [hint]


def _literal(text: str, types: set[Any]) -> Any:
    """Return a value of an address as JSON would have it; strictly, so that nothing is taken for what it may not be."""
    if int in types and re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return int(text)
    if bool in types and text in ("true", "false"):
        return text == "true"
    return text


def _is_in_years(moment: datetime) -> bool:
    """Whether it is in the years that there are in UTC, too."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
