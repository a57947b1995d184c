"""Lists of addresses are read as people mean them, and never a part of one."""

import pytest

from referralhub.dashboard.address_lists import candidates, decoded


@pytest.mark.parametrize(
    ("pasted", "read"),
    [
        ("pat.o'neil@x9-mail.org", ["pat.o'neil@x9-mail.org"]),
        ("'emil@example.com'", ["emil@example.com"]),
        ('Dora <dora@example.com>, "Emil E." <emil@example.com>;', ["dora@example.com", "emil@example.com"]),
        ("mailto:bo@example.com", ["bo@example.com"]),
        ('<a href="mailto:bo%2Btag@example.com?subject=hi">', ["bo+tag@example.com"]),
        ("[a@example.com](mailto:b@example.com)", ["a@example.com", "b@example.com"]),
        ("a@example.com/b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com，b@example.com、c@example.com；d@example.com", [f"{x}@example.com" for x in "abcd"]),
        ("\u200ba@example.com \ufeffb@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com a@example.com.", ["a@example.com"]),
        ("name\taddress\nFinn\tfinn@example.com", ["finn@example.com"]),
        ("tom&jerry@example.com", ["tom&jerry@example.com"]),
        ("a\x07b@example.com", ["a\ufffdb@example.com"]),
        ("nobody here", []),
    ],
)
def test_what_is_pasted(pasted: str, read: list[str]):
    assert candidates(pasted) == read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_in_any_encoding_of_spreadsheets(encoding: str):
    text = "Zoë;zoe@example.com\r\n"
    assert decoded(text.encode(encoding)) == text
