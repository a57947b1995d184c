"""SVG files, read by lxml and written anew from what draws: a list says what may stay, everything else goes.

There is no way in for a script, a style sheet, an entity or an address: no such element or attribute is on the list,
and a value that names anything but a part of the same file is taken out. Text is left out too, as it needs a font.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from referralhub.services.shared.errors import BadSetting

if TYPE_CHECKING:
    from lxml.etree import _Element

NAMESPACE, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
DRAWS = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "use"}
HOLDS = {"svg", "g", "defs", "symbol", "linearGradient", "radialGradient", "stop", "clipPath", "mask"}
LOOKS = {  # which may also be written in a `style` attribute
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-linecap",
    "stroke-linejoin", "stroke-miterlimit", "stroke-dasharray", "stroke-dashoffset", "opacity", "color", "stop-color",
    "stop-opacity", "clip-path", "clip-rule", "mask", "mask-type", "display", "visibility", "vector-effect",
    "paint-order",
}  # fmt: skip
PLACES = {
    "id", "d", "points", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "fx", "fy", "fr", "width",
    "height", "transform", "gradientTransform", "gradientUnits", "spreadMethod", "offset", "viewBox",
    "preserveAspectRatio", "clipPathUnits", "maskUnits", "maskContentUnits", "pathLength",
}  # fmt: skip
VALUE = re.compile(r"(?:[\w\s#%.,+-]|(?:rgba?|hsla?|matrix|translate|scale|rotate|skewX|skewY)\(|\))*", re.ASCII)
LOCAL = re.compile(r"""url\(\s*["']?#([\w.-]+)["']?\s*\)(?:\s+none)?""", re.ASCII)
NAME = re.compile(r"[\w.-]+", re.ASCII)
LENGTH = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(?:px|pt|mm|cm|in)?\s*", re.ASCII)
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.ASCII)

DEEPEST = 40  # elements in one another
MOST_DRAWN = 20_000  # elements, each as often as it is referred to
LARGEST = 100_000  # of a view box
SIDE = 1000  # the longer one, as we count it: what counts is the ratio


def clean(file: bytes) -> tuple[bytes, int, int, tuple[str, ...]]:
    """Return the picture as an SVG file of our own, its width and height, and what was taken out. Raises BadSetting."""
    from lxml import etree  # noqa: PLC0415 - most processes never see a logo

    root = _parse(file)
    width, height, box = _size(root)
    removed: set[str] = set()
    ours = etree.Element(f"{{{NAMESPACE}}}svg", nsmap={None: NAMESPACE})
    ours.set("viewBox", box)
    _copy(root, ours, removed, 1)
    if not any(_name(each) in DRAWS for each in ours.iter()):
        raise BadSetting("logo", "logo_draws_nothing")
    _check_effort(ours)
    removed -= {"width", "height"}  # as it is shown in a size of ours
    return etree.tostring(ours, encoding="utf-8"), width, height, tuple(sorted(removed))


def _parse(file: bytes) -> "_Element":
    from lxml import etree  # noqa: PLC0415 - as above

    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSetting("logo", "logo_of_another_kind") from None
    if "<!entity" in text.lower():
        raise BadSetting("logo", "logo_with_entities")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        raise BadSetting("logo", "logo_of_another_kind") from None
    if root.tag != f"{{{NAMESPACE}}}svg":
        raise BadSetting("logo", "logo_of_another_kind")
    return root


def _size(root: "_Element") -> tuple[int, int, str]:
    """Return how wide it is to how high, and its view box."""
    box = [float(each) for each in NUMBER.findall(root.get("viewBox", ""))]
    sides = [LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
    if len(box) != 4 and all(sides):
        box = [0.0, 0.0, *(float(side[1]) for side in sides if side)]
    if len(box) != 4 or not all(isfinite(each) and abs(each) <= LARGEST for each in box) or min(box[2:]) <= 0:
        raise BadSetting("logo", "logo_without_size")
    width, height = (max(1, round(SIDE * side / max(box[2:]))) for side in box[2:])
    return width, height, " ".join(f"{each:g}" for each in box)


def _name(element: "_Element") -> str:
    """Return what an element of SVG is called; "" for one of another language."""
    tag = element.tag
    prefix = f"{{{NAMESPACE}}}"
    return tag.removeprefix(prefix) if isinstance(tag, str) and tag.startswith(prefix) else ""


def _copy(theirs: "_Element", ours: "_Element", removed: set[str], depth: int) -> None:
    """Copy what may stay of an element's attributes and of what is in it."""
    from lxml import etree  # noqa: PLC0415 - as above

    if depth > DEEPEST:
        raise BadSetting("logo", "logo_too_intricate")
    for name, value in _attributes(theirs, removed):
        if depth > 1 or name not in {"viewBox", "width", "height"}:
            ours.set(name, value)
    for child in theirs:
        name = _name(child)
        if name == "style":
            raise BadSetting("logo", "logo_with_style_sheet")
        if name in DRAWS or name in HOLDS:
            _copy(child, etree.SubElement(ours, f"{{{NAMESPACE}}}{name}"), removed, depth + 1)
        elif name not in {"title", "desc", "metadata"} and name:
            removed.add(f"<{name}>")


def _attributes(element: "_Element", removed: set[str]) -> Iterator[tuple[str, str]]:
    for key, value in element.attrib.items():
        name, text = str(key).removeprefix(f"{{{XLINK}}}"), str(value)
        if name == "style":
            for part in text.split(";"):
                look, _, of = part.partition(":")
                if look.strip() in LOOKS and _is_harmless(look.strip(), of.strip()):
                    yield look.strip(), of.strip()
        elif name == "href":
            if text.startswith("#") and NAME.fullmatch(text[1:]):
                yield "href", text
            else:
                removed.add(name)
        elif (name in LOOKS or name in PLACES) and _is_harmless(name, text):
            yield name, text
        elif not name.startswith(("{", "data-", "aria-")) and name not in {"version", "class", "role"}:
            removed.add(name)


def _is_harmless(name: str, value: str) -> bool:
    if name == "id":
        return NAME.fullmatch(value) is not None
    return VALUE.fullmatch(value) is not None or LOCAL.fullmatch(value) is not None


def _check_effort(root: "_Element") -> None:
    """Refuse a file that a browser would draw for ever: references that multiply, or that go round in a circle."""
    by_id = {each.get("id"): each for each in root.iter() if each.get("id")}
    efforts: dict[_Element, int] = {}

    def effort(element: "_Element", above: tuple["_Element", ...]) -> int:
        if element in above or len(above) > 2 * DEEPEST:
            raise BadSetting("logo", "logo_too_intricate")
        if element not in efforts:
            named = (by_id.get(each) for each in _named(element))
            parts = [*element, *(each for each in named if each is not None)]
            efforts[element] = 1 + sum(effort(each, (*above, element)) for each in parts)
        return efforts[element]

    if effort(root, ()) > MOST_DRAWN:
        raise BadSetting("logo", "logo_too_intricate")


def _named(element: "_Element") -> Iterator[str]:
    """Yield the ids of the parts that an element refers to."""
    for name, value in element.attrib.items():
        if name == "href":
            yield str(value)[1:]
        elif found := LOCAL.fullmatch(str(value)):
            yield found[1]
