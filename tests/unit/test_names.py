"""A name is something that others see, and no link in their mail."""

import pytest

from referralhub.services.shared.errors import DomainError
from referralhub.services.shared.names import check_name
from referralhub.words.mail import unlinked


@pytest.mark.parametrize(
    "name",
    [
        "Bo", "7", "Zoë", "Zoe\u0308", "Łukasz O'Neil-Smith", "李小龍", "Nguyễn Thị Hồng", "שָׁלוֹם", "नमस्ते",
        "می\u200cخواهم", "Ana 👩\u200d👧", "Bo 🇩🇪", "St. John (Jr.)",
    ],
)  # fmt: skip
def test_names_of_people_everywhere_are_taken(name: str):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("\u200b", "name_invisible"), ("Bo\ufeff", "name_invisible"), ("Bo\u202e", "name_invisible"),
        ("\u2066Bo", "name_invisible"), ("\u3164", "name_invisible"), ("\u2800", "name_invisible"),
        ("B\u00ado", "name_invisible"), ("Bo\u200d", "name_invisible"), ("\u200dBo", "name_invisible"),
        ("B\u200d o", "name_invisible"), ("a\u2028b", "name_invisible"), ("\ue000", "name_invisible"),
        ("…", "name_without_letter"), ("🙂", "name_without_letter"), ("\u0301", "name_without_letter"),
        ("Z" + "\u0301\u0302\u0303\u0304\u0305", "name_with_many_marks"),
    ],
)  # fmt: skip
def test_what_nobody_could_read_is_refused(name: str, code: str):
    with pytest.raises(DomainError) as refusal:
        check_name(name)
    assert refusal.value.code == code


@pytest.mark.parametrize("name", ["www.free-prize.example", "http://prize.example/x", "bo@prize.example", "mailto:bo"])
def test_no_mail_program_finds_an_address_in_a_name(name: str):
    shown = unlinked(name)
    assert shown.replace("\u2060", "") == name
    assert not any(part in shown for part in ("www.f", "://", "@p", ":b", ".example"))


@pytest.mark.parametrize("name", ["Bo", "St. John", "A friend: Bo", "J. R. R."])
def test_other_names_stay_as_they_are(name: str):
    assert unlinked(name) == name
