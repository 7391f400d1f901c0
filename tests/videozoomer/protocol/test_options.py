"""Option letters and frame ids: each has one home, and what is stored depends on both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.options import LETTERS, index_of, letter_of, lettered_lines


@given(st.integers(0, 25), st.integers(0, 26))
def test_a_letter_names_its_option_while_there_are_so_many(index, count):
    assert index_of(letter_of(index), count) == (index if index < count else None)


@pytest.mark.parametrize("letter", ["", "AB", "a", "1", "Ä", "[", " A"])
def test_only_one_capital_letter_names_an_option(letter):
    assert index_of(letter, len(LETTERS)) is None


def test_options_are_lettered_from_a():
    assert lettered_lines(["red", "blue"]) == ["A. red", "B. blue"]
    assert letter_of(25) == "Z"


@pytest.mark.parametrize("index", [-1, 26])
def test_an_option_past_the_letters_is_refused(index):
    with pytest.raises(ValueError, match="at most 26 options"):
        letter_of(index)


def test_a_frame_id_is_half_of_the_sha256_of_the_jpeg():
    assert frame_id_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223"
