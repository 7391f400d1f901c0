"""Entries that hold several questions: each becomes an entry of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from videozoomer.sources.layouts import LAYOUTS, SYNONYMS, Layout, plain_name, plain_row
from videozoomer.sources.reading import Entry
from videozoomer.sources.shapes import QUESTION_NAMES

CONVERSATIONS = ("conversations", "messages")
"""Columns whose lists may be turns of a person and of a model by turns."""
_SPEAKERS = {"human": "human", "user": "human", "gpt": "model", "assistant": "model", "model": "model"}
_OWN_IDS = frozenset({*SYNONYMS["id"], "qid", "uid"})
"""Columns of an entry that its questions do not share: several questions with one id."""


@dataclass(frozen=True, slots=True)
class Unnested:
    """Entries with one question each."""

    entries: list[Entry]
    layout: Layout | None = None
    """The nested layout that the file has, if it is a known one."""
    columns: tuple[str, ...] = ()
    """Columns that held the questions; empty if each entry was one question."""


def unnested(entries: Sequence[Entry], question: str | None) -> Unnested:
    """One entry a question, with what its entry says of all of them, such as the film.

    The questions lie in the columns that hold objects with a question, or turns of a conversation. `question` is the
    column that the recipe names for it. A file whose entries ask something themselves is left as it is.
    """
    present = {name for entry in entries for name in entry.row}
    asking = {plain_name(question)} if question is not None else QUESTION_NAMES
    layout = next((layout for layout in LAYOUTS if layout.nested and layout.needs <= present), None)
    if asking & present:
        return Unnested(list(entries))
    columns = tuple(sorted(name for name in present if any(_holds(entry.row.get(name), asking) for entry in entries)))
    columns = columns or tuple(name for name in CONVERSATIONS if name in present)
    columns = columns or tuple(name for name in ("qa",) if layout and name in present)
    if not columns:
        return Unnested(list(entries))
    return Unnested([part for entry in entries for part in _parts(entry, columns)], layout, columns)


def _holds(cell: Any, asking: Set[str]) -> bool:
    items = cell if isinstance(cell, list) else [cell]
    return any(isinstance(item, dict) and asking & {plain_name(name) for name in item} for item in items)


def _parts(entry: Entry, columns: Sequence[str]) -> list[Entry]:
    if entry.problem:
        return [entry]
    shared = {name: cell for name, cell in entry.row.items() if name not in columns}
    found: list[Mapping[str, Any]] = []
    for column in columns:
        cell = entry.row.get(column)
        if cell is None and len(columns) > 1:
            continue
        items = [cell] if isinstance(cell, dict) else cell
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return [Entry(entry.where, {}, f"has no list of questions under {column}")]
        if column in CONVERSATIONS and not any(QUESTION_NAMES & set(plain_row(item)) for item in items):
            pairs = _pairs(items)
            if isinstance(pairs, str):
                return [Entry(entry.where, {}, pairs)]
            found += pairs
        else:
            found += [plain_row(item) for item in items]
    if len(found) > 1:
        shared = {name: cell for name, cell in shared.items() if name not in _OWN_IDS}
    several = len(found) > 1
    return [
        Entry(f"{entry.where}, question {number}" if several else entry.where, {**shared, **row})
        for number, row in enumerate(found, 1)
    ]


def _pairs(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | str:
    """Question and answer of each pair of turns, or what is wrong with them."""
    said = [(turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))) for turn in turns]
    if said and said[0][0] == "system":
        said = said[1:]
    if len(said) % 2 or not said:
        return "has no conversation of questions and answers"
    if [_SPEAKERS.get(str(speaker)) for speaker, _ in said] != ["human", "model"] * (len(said) // 2):
        return "has a conversation that does not alternate between human and gpt"
    pairs = zip(said[::2], said[1::2], strict=True)
    return [{"question": asked, "answer": answered} for (_, asked), (_, answered) in pairs]
