"""Option letters: A names the first option. The player reads options as lettered lines and answers with a letter."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""A question has at most as many options as there are letters."""


def letter_of(index: int) -> str:
    """Letter of the option at an index that counts from 0.

    Raises:
        ValueError: there is no such letter.
    """
    if not 0 <= index < len(LETTERS):
        raise ValueError(f"option {index} has no letter; a question can have at most {len(LETTERS)} options")
    return LETTERS[index]


def index_of(letter: str, count: int) -> int | None:
    """Index of the option that a capital letter names among `count` options; None where it names none of them."""
    index = LETTERS.find(letter) if len(letter) == 1 else -1
    return index if 0 <= index < count else None


def lettered(options: Sequence[str]) -> list[tuple[str, str]]:
    """Every option with its letter.

    Raises:
        ValueError: there are more options than letters.
    """
    return [(letter_of(index), option) for index, option in enumerate(options)]


def lettered_lines(options: Sequence[str]) -> list[str]:
    """The options as the player reads them: `A. a red disc`. Raises as `lettered` does."""
    return [f"{letter}. {option}" for letter, option in lettered(options)]
