"""Question files become rows of table `questions`; unusable rows keep a reason, and what was understood is reported."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videozoomer.lake.rows import QuestionRow
from videozoomer.protocol.options import letter_of
from videozoomer.protocol.question import Question
from videozoomer.settings.sources import Source, Split
from videozoomer.sources.choices import (
    INLINE,
    Options,
    Unusable,
    index_given,
    letter_named,
    options_of,
    options_of_series,
    split_question,
    untagged,
)
from videozoomer.sources.evidence_windows import windows_given
from videozoomer.sources.files import SourceError
from videozoomer.sources.layouts import NO_TOPIC, Columns, columns_of, plain_name, plain_row
from videozoomer.sources.matching import Match, Videos, collisions, source_root
from videozoomer.sources.nested import expanded
from videozoomer.sources.reading import Entry, read_entries
from videozoomer.sources.texts import checked_text

ANSWER_TYPES = ("choice", "number", "time", "yes_no", "order", "text")
COLUMNS = {
    "video": "path, URL or file name of the video (required)",
    "question": "the question (required)",
    "answer": "the correct answer; with options a letter, an index or the option's text (required)",
    "options": "the options, as a list or in any usual form; absent or empty for an open question",
    "id": "your own id; by default a hash of video, question and options",
    "type": f"one of {', '.join(ANSWER_TYPES)}; by default derived from options and answer",
    "topic": "kind of question, for metrics by topic",
    "evidence": "list of [start_s, end_s] windows of the video that show the answer, in seconds",
}
"""Our own columns of a question file; `layouts.py` has the names that other files give them."""
_YES_NO = frozenset({"yes", "yeah", "yep", "true", "no", "nope", "false"})


@dataclass(frozen=True, slots=True)
class Problem:
    where: str
    """`line 12`."""
    reason: str
    sentence: str


@dataclass(slots=True)
class Reading:
    """The rows of one question file and what was understood."""

    place: str
    columns: Columns
    rows: list[QuestionRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    option_forms: Counter[str] = field(default_factory=Counter)
    index_base: int | None = None
    index_why: str = ""
    indices: int = 0
    """Answers that are an index."""
    foreign_folders: set[str] = field(default_factory=set)


def read_questions(place: str) -> list[dict[str, Any]]:
    """Rows of a question file, unchanged.

    Raises:
        SourceError: the file is missing, has another format, or an entry of it cannot be read.
    """
    entries = read_entries(place)
    for entry in entries:
        if entry.problem:
            raise SourceError(f"{place}: {entry.where} {entry.problem}")
    return [dict(entry.row) for entry in entries]


def read_source(source: Source, uris: Sequence[str]) -> Reading:
    """The question file of a source, as the recipe says it is to be read.

    Raises:
        SourceError: the file cannot be read, or its columns are not understood.
    """
    return _reading(
        read_entries(source.questions), source.questions, source, Videos(
            uris, root=source_root(source.videos), folders=(Path(source.questions).stem,)
        ),
    )  # fmt: skip


def question_rows(
    raw: Sequence[Mapping[str, Any]], source: str, split: Split, uris: Sequence[str], root: str = ""
) -> list[QuestionRow]:
    """Rows of table `questions` from rows of a file; `uris` are the source's videos, found in folder `root`.

    An unusable row gets the status `quarantined` and a reason: `bad_row`, `bad_text`, `no_question`, `no_answer`,
    `no_video` (names none), `several_videos`, `unknown_video` (not in the source), `ambiguous_video` (several videos
    have that name), `unknown_type`, `answer_not_in_options`, `unknown_index_base`, `bad_answer`, `bad_options`,
    `unused_options`, `bad_evidence` or `repeated_id`.

    Raises:
        SourceError: the columns are not understood.
    """
    named = Source.model_construct(name=source, videos="", questions="", split=split)
    entries = [Entry(f"entry {number}", row) for number, row in enumerate(raw, 1)]
    return _reading(entries, source, named, Videos(uris, root)).rows


def _reading(entries: Sequence[Entry], place: str, source: Source, videos: Videos) -> Reading:
    present = {plain_name(name) for entry in entries for name in entry.row}
    columns = columns_of(present, place, source.columns) if present else Columns(None, {}, (), ())
    reading = Reading(place, columns)
    drafts = [_draft(part, columns, videos) for entry in entries for part in expanded(_plain(entry), columns.layout)]
    lost = collisions((draft.named, draft.match) for draft in drafts if draft.match)
    _settle_indices(drafts, reading, source)
    seen: set[str] = set()
    for number, draft in enumerate(drafts):
        if draft.match and draft.named in lost:
            draft.match = Match(None, "unknown_video")
        row = _row(draft, source, reading)
        if row["question_id"] in seen:
            draft.problem("repeated_id", f"id {row['question_id']!r} is not the first of its kind; give each its own")
            row["question_id"] = f"{row['question_id']}#{number}"
            row["status"], row["reason"] = "quarantined", draft.problems[0][0]
        seen.add(row["question_id"])
        reading.rows.append(row)
        reading.problems += [Problem(draft.entry.where, reason, says) for reason, says in draft.problems[:1]]
        if draft.match and draft.match.uri and draft.match.foreign_folder:
            reading.foreign_folders.add(draft.match.foreign_folder)
        if draft.options.texts:
            reading.option_forms[draft.options.form] += 1
    return reading


def _plain(entry: Entry) -> Entry:
    return Entry(entry.where, plain_row(entry.row), entry.problem)


@dataclass(slots=True)
class _Draft:
    """One question on its way."""

    entry: Entry
    named: str = ""
    match: Match | None = None
    question: str = ""
    asked: str = ""
    """The question as the file has it."""
    options: Options = field(default_factory=Options)
    answer: str = ""
    index: int | None = None
    kind: str = ""
    topic: str | None = None
    own_id: str = ""
    evidence: Any = None
    problems: list[tuple[str, str]] = field(default_factory=list)

    def problem(self, reason: str, sentence: str) -> None:
        self.problems.append((reason, sentence))


def _draft(entry: Entry, columns: Columns, videos: Videos) -> _Draft:
    draft = _Draft(entry)
    if entry.problem:
        draft.problem("bad_row", entry.problem)

    def cell(role: str) -> Any:
        return entry.row.get(columns.column_of.get(role, ""))

    def text(role: str, value: Any, strip: bool = True) -> str:
        clean, bad = checked_text(value, strip=strip)
        if bad:
            draft.problem("bad_text", f"its {role} has {bad}; remove it")
        return clean

    draft.asked = text("question", cell("question"))
    draft.question = re.sub(r"^(?:<(?:video|image)>\s*)+|(?:\s*<(?:video|image)>)+$", "", draft.asked).strip()
    named = cell("video")
    if isinstance(named, list) and len(named) > 1:
        draft.problem("several_videos", f"it names {len(named)} videos; a question is about one")
        named = named[0]
    draft.named = text("video", _single(named))
    draft.answer = untagged(text("answer", _single(cell("answer"))))
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
        split = split_question(draft.question) if not given.texts and draft.kind in ("", "choice") else None
        if split and (letter_named(draft.answer, split[1]) or (columns.layout and draft.answer)):
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
    if draft.named:
        draft.match = videos.find(draft.named)
    return draft


def _single(value: Any) -> Any:
    """The only item of a list, or the path of a video that is an object."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.get("path") if isinstance(value, dict) else value


def _settle_indices(drafts: Sequence[_Draft], reading: Reading, source: Source) -> None:
    """Find what the first option's index is: as the recipe or the layout says, or from the answers of the file."""
    for draft in drafts:
        if draft.options.texts and draft.kind in ("", "choice"):
            try:
                draft.index = index_given(draft.answer, draft.options)
            except Unusable:
                draft.index = None  # `_row` meets the same contradiction and reports it.
    given = [draft for draft in drafts if draft.index is not None]
    reading.indices = len(given)
    layout = reading.columns.layout
    if source.index_base is not None:
        reading.index_base, reading.index_why = source.index_base, "as the recipe says"
    elif layout and layout.index_base is not None:
        reading.index_base, reading.index_why = layout.index_base, f"as in {layout.name}"
    elif any(draft.index == 0 for draft in given):
        reading.index_base, reading.index_why = 0, "a row has 0"
    elif any(draft.index == len(draft.options.texts) for draft in given):
        reading.index_base, reading.index_why = 1, "no row has 0 and a row has its number of options"


def _row(draft: _Draft, source: Source, reading: Reading) -> QuestionRow:
    options, answer = draft.options, draft.answer
    kind = draft.kind or _kind(options, answer)
    if not draft.question:
        draft.problem("no_question", "it has no question")
    if not answer:
        draft.problem("no_answer", "it has no answer")
    if not draft.named:
        draft.problem("no_video", "it names no video")
    elif draft.match and draft.match.reason == "unknown_video":
        draft.problem("unknown_video", f"no video of {source.videos or source.name} has the path {draft.named!r}")
    elif draft.match and draft.match.reason:
        draft.problem("ambiguous_video", f"several videos are named {draft.named!r}; name the folder too")
    if kind not in ANSWER_TYPES:
        draft.problem("unknown_type", f"type {kind!r} is none of {', '.join(ANSWER_TYPES)}")
    if kind == "choice" and answer:
        try:
            answer = _letter(draft, reading)
        except Unusable as why:
            draft.problem(why.reason, str(why))
    elif kind == "yes_no" and answer and re.split(r"\W", answer.lower().strip("\"'*_ "))[0] not in _YES_NO:
        draft.problem("bad_answer", f"answer {answer!r} is neither yes nor no")
    elif kind == "time" and answer and not re.search(r"\d", answer):
        draft.problem("bad_answer", f"answer {answer!r} is no time; write seconds or mm:ss")
    try:
        layout = reading.columns.layout
        evidence = windows_given(draft.evidence, loose=bool(layout and layout.clock))
    except Unusable as why:
        draft.problem(why.reason, str(why))
        evidence = ()
    given = [] if options.form == INLINE else list(options.given)
    identity = json.dumps([source.name, draft.named, draft.asked, given], ensure_ascii=False)
    identity += draft.entry.where if draft.entry.problem else ""
    own = draft.own_id or hashlib.sha256(identity.encode()).hexdigest()[:16]
    return Question(
        question_id=f"{source.name}:{own}",
        video_uri=(draft.match.uri if draft.match else None) or draft.named,
        split=source.split,
        question=draft.question,
        options=options.texts,
        answer=answer,
        answer_type=kind,
        topic=draft.topic,
        evidence=evidence,
    ).to_row(source.name, draft.problems[0][0] if draft.problems else None)


def _letter(draft: _Draft, reading: Reading) -> str:
    """Letter of the correct option.

    Raises:
        Unusable: the answer names no option, or is an index whose base is not known.
    """
    letter = letter_named(draft.answer, draft.options)
    if letter is None and draft.index is not None:
        if reading.index_base is None:
            raise Unusable(
                "unknown_index_base",
                f"answer {draft.answer} may count from 0 or from 1; say `index_base: 0` or `1` in the recipe's source",
            )
        place = draft.index - reading.index_base
        letter = letter_of(place) if 0 <= place < len(draft.options.texts) else None
    if letter is None:
        raise Unusable(
            "answer_not_in_options", f"answer {draft.answer!r} is none of its {len(draft.options.texts)} options"
        )
    return letter


def _kind(options: Options, answer: str) -> str:
    if options.texts:
        return "choice"
    if answer.lower().rstrip(".") in ("yes", "no"):
        return "yes_no"
    try:
        return "number" if math.isfinite(float(answer)) else "text"
    except ValueError:
        return "text"
