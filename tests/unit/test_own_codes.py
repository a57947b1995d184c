"""Which codes people take for one another, and which words nobody wants in one."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralhub.services.shared import bad_words, codes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna", "ANNA"), ("anna-b", "annab"), ("a0", "ao"), ("i1l", "lll"), ("modern", "modem"), ("r-n", "m"),
        ("vvv", "wv"), ("wv", "vw"), ("will", "vv11i"),
    ],
)  # fmt: skip
def test_what_looks_alike_has_one_skeleton(one: str, other: str):
    assert codes.skeleton(one) == codes.skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("anna", "hanna"), ("s5", "ss"), ("8b", "bb"), ("nrn", "mn"), ("vr", "w")])
def test_what_does_not_has_two(one: str, other: str):
    assert codes.skeleton(one) != codes.skeleton(other)


@given(st.from_regex(codes.SHAPE, fullmatch=True, alphabet=st.sampled_from("AabilmnrovwLIRV01-")))
def test_a_skeleton_is_its_own_and_no_longer_than_the_code(code: str):
    left = codes.skeleton(code)
    assert codes.skeleton(left) == left
    assert len(left) <= len(code) <= codes.LONGEST


@pytest.mark.parametrize("code", ["milo", "rn-w", "vvvv", "w-v-v", "rnrnvv", "illm", "vvw"])
def test_all_that_could_be_drawn_and_look_alike_are_found(code: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codes, "LENGTH", 4)  # to try all there are
    every = map("".join, product("il1o0mrnwva", repeat=4))
    assert codes.drawn_alike(code) == {each for each in every if codes.skeleton(each) == codes.skeleton(code)}


@pytest.mark.parametrize("code", ["l" * 8, "l" * 20, "w" * 20, "wv" * 10, "rn" * 10, "m" * 20, "lrn" * 6])
def test_they_are_not_too_many_to_ask_for(code: str):
    assert len(codes.drawn_alike(code)) <= 3**8


@pytest.mark.parametrize(
    "text", ["anna-b", "https://hub.example/anna-b/", "hub.example/anna-b?via=x", "https://hub.example/refer/anna-b"]
)
def test_a_pasted_link_is_as_good_as_the_code_in_it(text: str):
    assert codes.pasted(text) == "anna-b"


@pytest.mark.parametrize("word", ["fuck", "MILF", "a55hole", "5chlampe", "vogeln", "voegeln", "scheisse", "b1owjob"])
def test_a_bad_word_is_one_with_digits_for_letters_and_between_hyphens(word: str):
    for code in (word, f"my-{word}", f"{word}-and-more", f"{word}99", "-".join(word)):
        assert bad_words.is_bad(code.lower()), code


@pytest.mark.parametrize("code", ["anna", "class-hit", "scunthorpe", "essex", "2026", "1234-5678", "s-m", "pen-island"])
def test_other_words_are_none(code: str):
    assert not bad_words.is_bad(code)
