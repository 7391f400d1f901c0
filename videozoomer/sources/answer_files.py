"""Right answers in a file of their own, joined to the questions by id."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec

from videozoomer.sources.files import SourceError
from videozoomer.sources.layouts import KEY, RARER, SYNONYMS, plain_name, plain_row
from videozoomer.sources.reading import Entry, read_entries

ID_NAMES = (*SYNONYMS["id"], "qid", "q_uid", "uid", "question_idx", "problem_id", KEY)
"""Columns that may tell questions apart, the likeliest first."""
ANSWER = "answer"
SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class Joined:
    """Questions with the answers of another file."""

    entries: list[Entry]
    place: str
    by: str
    """Column of the questions that names them in the file of answers."""
    found: int
    """Questions that have an answer there."""
    unused: int
    """Answers there that name no question."""


def with_answers(entries: Sequence[Entry], place: str, given_id: str | None, given_answer: str | None) -> Joined:
    """Questions with the answers of `place`: an object from ids to answers, or rows with id and answer.

    `given_id` and `given_answer` are the columns that the recipe names for them. A question without an answer there
    keeps its own, if it has one.

    Raises:
        SourceError: the file cannot be read, or ids or answers are not found.
    """
    present = {name for entry in entries for name in entry.row}
    by = _column(present, ID_NAMES, given_id)
    if by is None:
        raise SourceError(
            f"the questions have no column that names them in {place}; their columns are {', '.join(sorted(present))}. "
            "Name it in the recipe's source: `columns: {id: ...}`"
        )
    answers = _answers_of(place, by, given_answer)
    asked = {_key(entry.row.get(by)) for entry in entries}
    if not asked & answers.keys():
        raise SourceError(
            f"{place} has answers for {_some(answers)}, but {by} of the questions is {_some(asked - {''})}; check "
            "that the files belong together, or name the id in the recipe's source: `columns: {id: ...}`"
        )
    joined = [
        replace(entry, row={**entry.row, ANSWER: answers[key]})
        if (key := _key(entry.row.get(by))) in answers
        else entry
        for entry in entries
    ]
    found = sum(_key(entry.row.get(by)) in answers for entry in entries)
    return Joined(joined, place, by, found, len(answers.keys() - asked))


def beside(place: str) -> str | None:
    """A file of answers beside a file of questions, to be suggested: it is named like it, with answers."""
    questions = Path(place)
    if "://" in place or not questions.is_file():
        return None
    wanted = {
        questions.stem.lower().replace(old, new)
        for old, new in (("questions", "answers"), ("question", "answer"), ("_q", "_a"), ("qs", "as"))
    } - {questions.stem.lower()}
    files = sorted(path for path in questions.parent.iterdir() if path.suffix.lower() in SUFFIXES and path != questions)
    named = [path for path in files if path.stem.lower() in wanted]
    named = named or [path for path in files if "answer" in path.stem.lower()]
    return named[0].name if named else None


def _answers_of(place: str, by: str, given: str | None) -> dict[str, Any]:
    simple = _object_of_values(place)
    if simple is not None:
        return simple
    rows = [plain_row(entry.row) for entry in read_entries(place) if not entry.problem]
    present = {name for row in rows for name in row}
    key, answer = _column(present, (by, *ID_NAMES)), _column(present, (*SYNONYMS[ANSWER], *RARER[ANSWER]), given)
    if key is None or answer is None:
        raise SourceError(
            f"{place} has no column for {'the id' if key is None else 'the answer'} of a question; its columns are "
            f"{', '.join(sorted(present))}. Name them in the recipe's source: `columns: {{id: ..., answer: ...}}`"
        )
    answers: dict[str, Any] = {}
    for row in rows:
        if answers.setdefault(name := _key(row.get(key)), row.get(answer)) != row.get(answer):
            raise SourceError(f"{place} has two answers for {key} {name!r}; leave one")
    return {name: value for name, value in answers.items() if name}


def _object_of_values(place: str) -> dict[str, Any] | None:
    """The answers of a JSON object from ids to answers; None for any other file."""
    if Path(place).suffix.lower() != ".json":
        return None
    try:
        with fsspec.open(place, "rb") as handle:
            loaded = json.loads(handle.read())
    except FileNotFoundError as error:
        raise SourceError(f"file of answers {place} does not exist; check the path under answers") from error
    except (OSError, ValueError):
        return None  # `read_entries` reports what is wrong.
    if isinstance(loaded, dict) and not any(isinstance(value, dict | list) for value in loaded.values()):
        return {_key(name): value for name, value in loaded.items()}
    return None


def _column(present: Collection[str], names: Sequence[str], given: str | None = None) -> str | None:
    if given is not None and plain_name(given) in present:
        return plain_name(given)
    return next((name for name in names if name in present), None)


def _key(value: Any) -> str:
    """An id as text; 7, 7.0 and '7' are one."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _some(keys: Collection[str] | Mapping[str, Any]) -> str:
    shown = ", ".join(map(repr, sorted(keys)[:2]))
    return f"{shown}, ..." if len(keys) > 2 else shown or "empty"
