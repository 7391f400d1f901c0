"""The entries of a JSON document, whatever it is made of: a list, a list of lists, or entries under keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from videozoomer.sources.layouts import KEY, LAYOUTS, RARER, SUBKEY, SYNONYMS, plain_name

QUESTION_NAMES = frozenset({*SYNONYMS["question"], *RARER["question"]})
_VIDEO_NAMES = frozenset({*SYNONYMS["video"], *RARER["video"]})
Found = Iterator[tuple[str, Any]]
"""Where each entry is, and the entry."""


class NotQuestions(ValueError):
    """A document holds no entries; the message says what it holds and the remedy."""


def entries_in(document: Any) -> Found:
    """The entries of a document.

    A list holds entries, or lists of them. An object holds a list under `questions`; or one list beside values that
    describe the file; or entries, lists of entries or objects of lists under keys, which entries get as columns.

    Raises:
        NotQuestions: it holds none of these.
    """
    if isinstance(document, list):
        yield from _listed(document)
    elif not isinstance(document, dict):
        raise NotQuestions("must be a list of questions, or an object with a list under 'questions'")
    elif isinstance(document.get("questions"), list) and not _asks(document):
        yield from _listed(document["questions"])
    elif _asks(document) or _is_entry(document):
        yield "entry 1", document
    elif (only := _only_list(document)) is not None:
        yield from _listed(only)
    else:
        yield from _keyed(document)


def _listed(items: list[Any]) -> Found:
    for number, item in enumerate(items, 1):
        if isinstance(item, list) and item and all(isinstance(inner, dict) for inner in item):
            yield from ((f"entry {number}.{place}", inner) for place, inner in enumerate(item, 1))
        else:
            yield f"entry {number}", item


def _only_list(document: dict[str, Any]) -> list[Any] | None:
    """The one list of objects of a document whose other values only describe it, such as a version."""
    lists = [value for value in document.values() if _is_list(value)]
    others = [value for value in document.values() if not _is_list(value)]
    if len(lists) != 1 or not others or any(isinstance(value, dict) and _asks(value) for value in others):
        return None
    return lists[0]


def _keyed(document: dict[str, Any]) -> Found:
    if not any(isinstance(value, dict) or _is_list(value) for value in document.values()):
        raise NotQuestions(
            "must be a list of questions, or an object with a list under 'questions'; it has single values under its "
            f"keys (the first is {next(iter(document), '')!r}). If these are right answers, give the file of the "
            "questions as `questions` and this one as `answers` of the recipe's source"
        )
    for key, value in document.items():
        where = f"entry {key!r}"
        if _is_list(value):
            yield from ((f"{where}.{place}", {KEY: key, **item}) for place, item in enumerate(value, 1))
        elif isinstance(value, dict) and value and not _asks(value) and all(map(_is_list, value.values())):
            for subkey, items in value.items():
                for place, item in enumerate(items, 1):
                    yield f"{where}.{subkey!r}.{place}", {KEY: key, SUBKEY: subkey, **item}
        else:
            yield where, {KEY: key, **value} if isinstance(value, dict) else value


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_entry(document: dict[str, Any]) -> bool:
    """Whether an object is an entry itself, such as the only line of a file: it names a film, or has a known layout."""
    names = {plain_name(name) for name in document}
    return bool(names & _VIDEO_NAMES) or any(layout.needs <= names for layout in LAYOUTS)


def _asks(item: dict[str, Any]) -> bool:
    """Whether an object is one question: a text under a name that questions have."""
    return any(isinstance(item[name], str) and plain_name(name) in QUESTION_NAMES for name in item)
