"""The texts of the code that can be translated, as `make translations` finds them."""

from functools import cache
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg

PACKAGE = Path(__file__).parent.parent / "referralhub"
MARKS = "N_ _l Plural:2,3"  # beside those that everybody has


@cache
def texts_of_the_code() -> set[str | tuple[str, ...]]:
    """Return each text, and the two forms of those that depend on a number."""
    with (PACKAGE / "translations/babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    keywords = {**DEFAULT_KEYWORDS, **parse_keywords(MARKS.split())}
    texts = {found[2] for found in extract_from_dir(PACKAGE, methods, options, keywords)}
    return texts - {text[0] for text in texts if isinstance(text, tuple)}  # gettext finds those by their number of one
