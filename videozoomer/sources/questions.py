"""Question files become rows of table `questions`; unusable rows keep a reason, and what was understood is reported."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videozoomer.lake.rows import QuestionRow
from videozoomer.protocol.question import Question
from videozoomer.settings.sources import Source, Split
from videozoomer.sources.answer_files import ANSWER, Joined, beside, with_answers
from videozoomer.sources.answers import Convention, check_open, choice_letter, kind_of, settled
from videozoomer.sources.choices import INLINE, Unusable
from videozoomer.sources.drafting import Draft, draft_of
from videozoomer.sources.evidence_windows import windows_given
from videozoomer.sources.files import SourceError
from videozoomer.sources.layouts import Columns, columns_of, plain_name, plain_row
from videozoomer.sources.matching import Match, Videos, collisions, source_root
from videozoomer.sources.nested import Unnested, unnested
from videozoomer.sources.reading import Entry, read_entries
from videozoomer.sources.settling import ANSWER_TYPES, as_topic, by_keys, told_apart

COLUMNS = {
    "video": "path, URL or file name of the video (required)",
    "question": "the question (required)",
    "answer": "the correct answer; with options a letter, an index or the option's text (required)",
    "options": "the options, as a list or in any usual form; absent or empty for an open question",
    "id": "your own id; by default a hash of video, question and options",
    "type": f"one of {', '.join(ANSWER_TYPES)}; by default derived from options and answer",
    "topic": "kind of question, for metrics by topic",
    "evidence": "list of [start_s, end_s] windows of the video that show the answer, in seconds",
    "clip_start": "start of the part of the film that the question is about; such a question is refused",
    "clip_end": "end of that part",
}
"""Our own columns of a question file; `layouts.py` has the names that other files give them."""


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
    convention: Convention = field(default_factory=Convention)
    foreign_folders: set[str] = field(default_factory=set)
    joined: Joined | None = None
    """Answers that came from a file of their own."""
    nests: tuple[str, ...] = ()
    """Columns of entries that hold several questions."""
    by_folder: int = 0
    """Questions whose video is told from others of its name by a folder named like the file or the topic."""


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
    `ambiguous_answer`, `no_options`, `unused_options`, `part_of_film`, `bad_evidence` or `repeated_id`.

    Raises:
        SourceError: the columns are not understood.
    """
    named = Source.model_construct(name=source, videos="", questions="", split=split)
    entries = [Entry(f"entry {number}", row) for number, row in enumerate(raw, 1)]
    return _reading(entries, source, named, Videos(uris, root)).rows


def _reading(entries: Sequence[Entry], place: str, source: Source, videos: Videos) -> Reading:
    made = unnested([_plain(entry) for entry in entries], source.columns.get("question"))
    parts, joined = told_apart(made.entries), None
    if source.answers:
        joined = with_answers(parts, source.answers, source.columns.get("id"), source.columns.get("answer"))
        parts = joined.entries
    columns = _columns(parts, place, source, made)
    reading = Reading(place, columns, joined=joined, nests=made.columns)
    drafts = [draft_of(part, columns, videos) for part in parts]
    lost = collisions((draft.named, draft.match) for draft in drafts if draft.match)
    reading.convention = _convention(drafts, columns, source)
    seen: set[str] = set()
    for number, draft in enumerate(drafts):
        if draft.match and draft.named in lost:
            draft.match = Match(None, "unknown_video")
        row = _row(draft, source, reading)
        if row["question_id"] in seen:
            draft.problem(
                "repeated_id",
                f"id {row['question_id']!r} is not the first of its kind; give each its own, or leave out equal rows",
            )
            row["question_id"] = f"{row['question_id']}#{number}"
            row["status"], row["reason"] = "quarantined", draft.problems[0][0]
        seen.add(row["question_id"])
        reading.rows.append(row)
        reading.problems += [Problem(draft.entry.where, reason, says) for reason, says in draft.problems[:1]]
        if draft.match and draft.match.uri and draft.match.foreign_folder:
            reading.foreign_folders.add(draft.match.foreign_folder)
        reading.by_folder += bool(draft.match and draft.match.by_folder)
        if draft.options.texts:
            reading.option_forms[draft.options.form] += 1
    return reading


def _columns(parts: Sequence[Entry], place: str, source: Source, made: Unnested) -> Columns:
    present = {name for part in parts for name in part.row}
    if not present:
        return Columns(made.layout, {}, (), ())
    given = source.columns
    if source.answers and (named := given.get("answer")) and plain_name(named) not in present:
        given = {**given, "answer": ANSWER}
    try:
        columns = columns_of(present, place, given, made.layout)
    except SourceError as error:
        file = None if source.answers or "for the answer" not in str(error) else beside(place)
        if file is None:
            raise
        raise SourceError(
            f"{error}; or, if the answers are in {file} beside it, say `answers: {file}` in the recipe's source"
        ) from error
    return as_topic(by_keys(columns, parts, given), parts, given)


def _plain(entry: Entry) -> Entry:
    return Entry(entry.where, plain_row(entry.row), entry.problem)


def _convention(drafts: Sequence[Draft], columns: Columns, source: Source) -> Convention:
    answers = [
        (draft.answer, draft.options) for draft in drafts if draft.options.texts and draft.kind in ("", "choice")
    ]
    if source.index_base is not None:
        return settled(answers, source.index_base, "as the recipe says")
    layout = columns.layout
    return settled(answers, layout.index_base if layout else None, f"as in {layout.name}" if layout else "")


def _row(draft: Draft, source: Source, reading: Reading) -> QuestionRow:
    options, answer = draft.options, draft.answer
    kind = draft.kind or kind_of(options, answer)
    if not draft.question:
        draft.problem("no_question", "it has no question")
    if not answer:
        elsewhere = f", and {source.answers} has none for it" if source.answers else ""
        draft.problem("no_answer", f"it has no answer{elsewhere}")
    if not draft.named:
        draft.problem("no_video", "it names no video")
    elif draft.match and draft.match.reason == "unknown_video":
        draft.problem("unknown_video", f"no video of {source.videos or source.name} has the path {draft.named!r}")
    elif draft.match and draft.match.reason:
        draft.problem("ambiguous_video", f"several videos are named {draft.named!r}; name the folder too")
    if kind not in ANSWER_TYPES:
        draft.problem(
            "unknown_type",
            f"type {kind!r} is none of {', '.join(ANSWER_TYPES)}; if it is a kind of question, say "
            "`columns: {type: null, topic: type}` in the recipe's source",
        )
    if answer:
        try:
            if kind == "choice":
                answer = choice_letter(answer, options, reading.convention)
            else:
                check_open(answer, kind, given_kind=bool(draft.kind) or draft.is_open or "options" in source.columns)
        except Unusable as why:
            draft.problem(why.reason, str(why))
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
