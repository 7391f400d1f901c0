"""Layouts with several questions in an entry: each becomes an entry of its own."""

from __future__ import annotations

from typing import Any

from videozoomer.sources.layouts import Layout, plain_row
from videozoomer.sources.reading import Entry


def expanded(entry: Entry, layout: Layout | None) -> list[Entry]:
    """The questions of an entry, under the plain names of the layout's columns."""
    if entry.problem or layout is None:
        return [entry]
    if layout.name == "LVBench":
        return _of_list(entry, "qa", "key")
    if layout.name == "LLaVA-Video":
        return _of_conversation(entry)
    if layout.name == "ReKV":
        return _of_list(entry, "conversations", "video_path")
    return [entry]


def _of_list(entry: Entry, name: str, video: str) -> list[Entry]:
    """Questions in a list under `name`, about the one video of the entry."""
    listed = entry.row.get(name)
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        return [Entry(entry.where, {}, f"has no list of questions under {name}")]
    return [Entry(entry.where, {video: entry.row.get(video), **plain_row(item)}) for item in listed]


def _of_conversation(entry: Entry) -> list[Entry]:
    """Turns of a person and of a model, by turns: question and answer."""
    turns = entry.row.get("conversations")
    if not isinstance(turns, list) or len(turns) % 2 or not all(isinstance(turn, dict) for turn in turns):
        return [Entry(entry.where, {}, "has no conversation of questions and answers")]
    found = []
    for asked, answered in zip(turns[::2], turns[1::2], strict=True):
        if (asked.get("from"), answered.get("from")) != ("human", "gpt"):
            return [Entry(entry.where, {}, "has a conversation that does not alternate between human and gpt")]
        found.append(Entry(entry.where, _pair(entry, asked.get("value"), answered.get("value"))))
    return found


def _pair(entry: Entry, question: Any, answer: Any) -> dict[str, Any]:
    return {"video": entry.row.get("video"), "question": question, "answer": answer}
