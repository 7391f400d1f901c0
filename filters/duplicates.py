"""Similarity of two questions: functions that the rules call from SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

SAME_WORD = 75.0
"""Likeness (0 to 100) from which two words count as one, misspelt or in another form."""


def likeness(left: str, right: str) -> float:
    """Likeness of two normalised texts from 0 to 100 (rapidfuzz's ratio)."""
    from rapidfuzz import fuzz

    return float(fuzz.ratio(left, right))


def words_replaced(left: str, right: str) -> bool:
    """Whether each text has a word that the other one lacks in any spelling, as with 'red disc' and 'blue disc'.

    Added, omitted, moved or misspelt words do not count as replaced.
    """
    from rapidfuzz import fuzz

    only_left, only_right = set(left.split()) - set(right.split()), set(right.split()) - set(left.split())

    def lacks(word: str, others: set[str]) -> bool:
        figures = any(character.isdigit() for character in word)
        return not any(not figures and fuzz.ratio(word, other) >= SAME_WORD for other in others)

    return any(lacks(word, only_right) for word in only_left) and any(lacks(word, only_left) for word in only_right)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make both functions callable from SQL under their own names."""
    connection.create_function("likeness", likeness, ["VARCHAR", "VARCHAR"], "DOUBLE")
    connection.create_function("words_replaced", words_replaced, ["VARCHAR", "VARCHAR"], "BOOLEAN")
