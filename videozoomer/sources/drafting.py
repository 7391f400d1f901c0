"""One entry of a question file on its way to a row: its cells as text, its options, and the video that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from videozoomer.sources.choices import (
    Options,
    Unusable,
    index_given,
    letter_named,
    options_of,
    options_of_series,
    split_question,
    untagged,
)
from videozoomer.sources.layouts import NO_TOPIC, Columns
from videozoomer.sources.matching import Match, Videos
from videozoomer.sources.reading import Entry
from videozoomer.sources.texts import checked_text


@dataclass(slots=True)
class Draft:
    """One question on its way."""

    entry: Entry
    named: str = ""
    match: Match | None = None
    question: str = ""
    asked: str = ""
    """The question as the file has it."""
    options: Options = field(default_factory=Options)
    answer: str = ""
    is_open: bool = False
    """Whether the row says that it has no options, by an empty list in their place."""
    kind: str = ""
    topic: str | None = None
    own_id: str = ""
    evidence: Any = None
    problems: list[tuple[str, str]] = field(default_factory=list)

    def problem(self, reason: str, sentence: str) -> None:
        self.problems.append((reason, sentence))


def draft_of(entry: Entry, columns: Columns, videos: Videos) -> Draft:
    """Read an entry; what is wrong with it becomes a problem of the draft."""
    draft = Draft(entry)
    if entry.problem:
        draft.problem("bad_row", entry.problem)

    def cell(role: str) -> Any:
        return entry.row.get(columns.column_of.get(role, ""))

    def text(role: str, value: Any, strip: bool = True) -> str:
        clean, bad = checked_text(value, strip=strip)
        if bad:
            draft.problem("bad_text", f"its {role} has {bad}; remove it")
        return clean

    draft.asked = text("question", _one(draft, "question", cell("question")))
    draft.question = re.sub(r"^(?:<(?:video|image)>\s*)+|(?:\s*<(?:video|image)>)+$", "", draft.asked).strip()
    named = cell("video")
    if isinstance(named, list) and len(named) > 1:
        draft.problem("several_videos", f"it names {len(named)} videos; a question is about one")
        named = named[0]
    draft.named = text("video", _single(named))
    draft.answer = untagged(text("answer", _one(draft, "answer", _single(cell("answer")))))
    draft.own_id = text("id", cell("id"), strip=False)
    draft.kind = text("type", cell("type"))
    topic = cell("topic")
    topic = text("topic", ", ".join(map(str, topic)) if isinstance(topic, list) else topic, strip=False) or None
    draft.topic = None if topic and columns.layout and topic.lower() in NO_TOPIC else topic
    try:
        given = (
            options_of_series([entry.row.get(name) for name in columns.series])
            if columns.series
            else options_of(cell("options"))
        )
        clean = [checked_text(option) for option in given.texts]
        if bad := next((bad for _, bad in clean if bad), None):
            draft.problem("bad_text", f"an option has {bad}; remove it")
            given = Options(
                tuple(option for option, _ in clean), tuple(checked_text(o)[0] for o in given.given), given.form
            )
        draft.options = given
        draft.is_open = isinstance(cell("options"), list | dict) and not given.texts
        split = split_question(draft.question) if draft.kind in ("", "choice") else None
        if split and given.texts:
            if split[1].texts == given.texts:  # Some files have the options in the question, too.
                draft.question = split[0]
        elif split and draft.answer and (columns.layout or _names_one(draft.answer, split[1])):
            draft.question, draft.options = split
    except Unusable as why:
        draft.problem(why.reason, str(why))
    if not draft.options.texts:
        filled = sorted(name for name in columns.doubtful if entry.row.get(name) not in (None, "", [], {}))
        if filled and not draft.problems:
            draft.problem(
                "unused_options",
                f"column {filled[0]} looks like options, but is not used; say `columns: {{options: {filled[0]}}}` in "
                "the recipe's source, or `columns: {options: null}` if the question is open",
            )
    draft.evidence = cell("evidence")
    _refuse_clip(draft, cell("clip_start"), cell("clip_end"), columns)
    if draft.named:
        draft.match = videos.find(draft.named, draft.topic)
    return draft


def _names_one(answer: str, options: Options) -> bool:
    """Whether an answer seems to name an option; which one is settled over the whole file."""
    try:
        return index_given(answer) is not None or letter_named(answer, options) is not None
    except Unusable:
        return True


def _refuse_clip(draft: Draft, start: Any, end: Any, columns: Columns) -> None:
    """An episode is about a whole film: over one, a question about a part of it may have another answer."""
    start_s, end_s = checked_text(start)[0], checked_text(end)[0]
    if not end_s and start_s in ("", "0", "0.0"):
        return
    names = {role: columns.column_of[role] for role in ("clip_start", "clip_end") if role in columns.column_of}
    unset = ", ".join(f"{role}: null" for role in names)
    draft.problem(
        "part_of_film",
        f"it is about a part of its film only ({' and '.join(names.values())}: {start_s or 'the start'} to "
        f"{end_s or 'the end'}); cut that part into a file of its own and name that, or say "
        f"`columns: {{{unset}}}` in the recipe's source to ask about the whole film",
    )


def _one(draft: Draft, role: str, value: Any) -> Any:
    """A cell that is to be one text; a list or an object is none, and its printed form would be a wrong one."""
    if not isinstance(value, list | dict):
        return value
    draft.problem("bad_text", f"its {role} is {'a list' if isinstance(value, list) else 'an object'}; write one text")
    return None


def _single(value: Any) -> Any:
    """The only item of a list, or the path of a video that is an object."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.get("path") if isinstance(value, dict) else value
