"""Which columns of a question file mean what: the published layouts as data, and synonyms for other files.

A layout is recognised by columns that only its files have. Names are compared in lower case with `_` for spaces and
hyphens (`plain_name`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from videozoomer.settings.sources import Role
from videozoomer.sources.files import SourceError

KEY, SUBKEY = "entry_key", "entry_subkey"
"""Columns of entries that a JSON document has under keys: the key, which names the film if no other column does."""
ROLES: tuple[Role, ...] = (
    "video", "question", "answer", "options", "id", "type", "topic", "evidence", "clip_start", "clip_end",
)  # fmt: skip
SYNONYMS: dict[str, tuple[str, ...]] = {
    "video": ("video", "video_path", "video_name", "video_file", "video_id", "videoid", "video_uid", "videos", "path"),
    "question": ("question", "problem", "query", "question_text"),
    "answer": (
        "answer", "correct_answer", "right_answer", "correct_option", "correct_choice", "solution", "ground_truth",
        "gt", "truth", "answer_id", "answer_index",
    ),
    "options": ("options", "candidates", "choices", "option"),
    "id": ("id", "question_id"),
    "type": ("type",),
    "topic": ("topic",),
    "evidence": ("evidence", "clue_intervals", "temporal_windows"),
    "clip_start": ("clip_start", "start", "start_time", "start_s", "start_sec", "video_start", "begin"),
    "clip_end": ("clip_end", "realtime", "ask_time", "end", "end_time", "end_s", "end_sec", "video_end"),
}  # fmt: skip
"""Names of a column, our own first."""
RARER: dict[str, tuple[str, ...]] = {
    "video": ("vid_path", "vid_name", "vid", "gif_name", "video_key", "clip_name", "filename", "visual_input"),
    "question": ("q", "instruction"),
    "answer": ("answer_idx", "gold_answer", "correct_idx"),
}
"""Names that count only where a file has none of the usual ones, so that a file is read as it always was."""
SERIES = (
    "{letter}",
    "option_{letter}",
    "option{letter}",
    "choice_{letter}",
    "option_{n}",
    "option{n}",
    "choice_{n}",
    "a{n}",
)
"""Names of columns that each hold one option, in order: by letter from A, or by number from 0 or 1."""
_OPTION_LIKE = re.compile(
    r"(?:mc_?)?(?:options?|opts?|choices?|candidates?|alternatives?|distractors?)(?:_?(?:\d|[a-j]))?(?:_?text)?s?"
)
NO_TOPIC = frozenset(
    {
        "multiple choice",
        "multiple-choice",
        "mc",
        "open-ended",
        "open ended",
        "free-form",
        "numerical",
        "ocr",
        "regression",
    }
)
"""Values of a layout's topic column that name the form of the answer instead."""


@dataclass(frozen=True, slots=True)
class Layout:
    name: str
    needs: frozenset[str]
    """Columns that recognise it."""
    columns: Mapping[str, str]
    """Role -> column. A role that is absent has no column, except options in a series of columns."""
    index_base: int | None = None
    """What the first option's index is, where the layout's answers are indices."""
    nested: bool = False
    """Whether an entry holds several questions: `needs` are columns of entries, `columns` those of questions."""
    clock: bool = False
    """Whether evidence is a time range as text, which may also say `whole video`: then the evidence is unknown."""


def _layout(
    name: str, needs: str, *, index_base: int | None = None, nested: bool = False, clock: bool = False, **columns: str
) -> Layout:
    return Layout(name, frozenset(needs.split()), columns, index_base, nested, clock)


LAYOUTS: tuple[Layout, ...] = (
    _layout("LLaVA-Video", "conversations video", nested=True, video="video", question="question",
            answer="answer"),
    _layout("ReKV", "conversations video_path", nested=True, video="video_path", question="question",
            options="choices", answer="answer", topic="question_type", evidence="temporal_windows",
            clip_end="end_time"),
    _layout("LVBench", "key qa", nested=True, clock=True, video="key", question="question", answer="answer",
            id="uid", topic="question_type", evidence="time_reference"),
    _layout("LVBench", "key question time_reference", clock=True, video="key", question="question", answer="answer",
            options="candidates", id="uid", topic="question_type", evidence="time_reference"),
    _layout("LVBench", "video_key question time_reference", clock=True, video="video_key", question="question",
            answer="answer", options="candidates", id="uid", topic="question_type", evidence="time_reference"),
    _layout("LVBench", "video question candidates time_reference", clock=True, video="video", question="question",
            answer="answer", options="candidates", id="uid", topic="question_type", evidence="time_reference"),
    _layout("StreamingBench", "time_stamp required_ability question video_path", video="video_path",
            question="question", options="options", answer="answer", topic="task_type", clip_end="time_stamp"),
    _layout("TVQA", "vid_name show_name q ts a0", index_base=0, clock=True, video="vid_name", question="q",
            answer="answer_idx", id="qid", evidence="ts"),
    _layout("TVQA", "vid_name bbox q ts a0", index_base=0, clock=True, video="vid_name", question="q",
            answer="answer_idx", id="qid", evidence="ts"),
    _layout("CG-Bench", "video_uid choices right_answer question", video="video_uid", question="question",
            options="choices", answer="right_answer", id="qid", topic="sub_category", evidence="clue_intervals"),
    _layout("Video-MME", "videoid question_id task_type options", video="videoid", question="question",
            options="options", answer="answer", id="question_id", topic="task_type"),
    _layout("NExT-QA", "qid type a0 a1 video question", index_base=0, video="video", question="question",
            answer="answer", topic="type"),
    _layout("EgoSchema", "q_uid option_0 question", index_base=0, video="q_uid", question="question",
            answer="answer", id="q_uid"),
    _layout("EgoSchema", "question_idx video_idx option", index_base=0, video="video_idx", question="question",
            options="option", answer="answer", id="question_idx"),
    _layout("LongVideoBench", "correct_choice video_path question_category", index_base=0, video="video_path",
            question="question", options="candidates", answer="correct_choice", id="id", topic="question_category"),
    _layout("MMVU", "youtube_url choices question_type", video="video", question="question", options="choices",
            answer="answer", id="id"),
    _layout("MLVU", "candidates question_type video", video="video", question="question", options="candidates",
            answer="answer", id="question_id", topic="question_type"),
    _layout("MVBench", "candidates video question answer", video="video", question="question", options="candidates",
            answer="answer", id="id", clip_start="start", clip_end="end"),
    _layout("Video-R1", "problem solution path problem_type", video="path", question="problem", options="options",
            answer="solution", topic="problem_type"),
    _layout("the paper's RL data", "problem solution videos", video="videos", question="problem", options="options",
            answer="solution", topic="problem_type"),
    _layout("LongVideo-Reason", "problem answer videos", video="videos", question="problem", options="options",
            answer="answer", topic="problem_type"),
)  # fmt: skip
"""The published layouts; the first that fits is used."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of one file mean."""

    layout: Layout | None
    column_of: dict[str, str]
    """Role -> column as `plain_name` spells it."""
    series: tuple[str, ...]
    """Columns of one option each, in order; empty if options are in one column."""
    ignored: tuple[str, ...]
    """Columns without a meaning here."""
    doubtful: frozenset[str] = field(default=frozenset())
    """Ignored columns that may hold options: a row that fills one and has no options is not used."""


def plain_name(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", str(name).strip().lower())


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row under its plain names; a column that is spelt so already comes before one that is not."""
    plain: dict[str, Any] = {}
    for name in sorted(row, key=lambda name: str(name) != plain_name(name)):
        plain.setdefault(plain_name(name), row[name])
    return plain


def columns_of(
    present: Collection[str], place: str, given: Mapping[Role, str | None], nested: Layout | None = None
) -> Columns:
    """What the columns of a file mean; `given` (role -> column, or None for no column) comes before all else.

    `nested` is the layout of a file with several questions in an entry, whose columns `present` are those of questions.

    Raises:
        SourceError: a required column is missing, a given one does not exist, or several could have one meaning.
    """
    column_of: dict[str, str] = {}
    for role, name in given.items():
        if name is not None and plain_name(name) not in present:
            raise SourceError(
                f"{place} has no column {name!r} for {role}; its columns are {', '.join(sorted(present))}"
            )
    layout = nested or next((layout for layout in LAYOUTS if layout.needs <= set(present)), None)
    if not nested and {"video", "question", "answer", "options"} <= set(present):
        layout = None
    for role in ROLES:
        if role in given:
            column = given[role]
            names = [] if column is None else [plain_name(column)]
        elif layout:
            names = [name for name in [layout.columns.get(role)] if name and name in present]
            if not names and role == "answer" and not layout.nested:
                names = _synonyms(role, present, place)
        else:
            names = _synonyms(role, present, place)
        if not names and role == "video" and role not in given and KEY in present:
            names = [KEY]
        if names:
            column_of[role] = names[0]
    series = () if "options" in column_of or "options" in given else _series(present)
    used = {*column_of.values(), *series}
    ignored = tuple(sorted(name for name in present if name not in used))
    for role in ("video", "question", "answer"):
        if role not in column_of:
            raise SourceError(
                f"{place} has no column for the {role}; its columns are {', '.join(sorted(present))}. Name it in the "
                f"recipe's source: `columns: {{{role}: ...}}`"
            )
    doubtful = frozenset(name for name in ignored if _OPTION_LIKE.fullmatch(name))
    return Columns(layout, column_of, series, ignored, frozenset() if "options" in given else doubtful)


def _synonyms(role: str, present: Collection[str], place: str) -> list[str]:
    found = [name for name in SYNONYMS[role] if name in present]
    found = found or [name for name in RARER.get(role, ()) if name in present][:1]
    if len(found) > 1 and found[0] != role and role not in ("id", "clip_start", "clip_end"):
        raise SourceError(
            f"{place}: {' and '.join(found)} could each be the {role}. Name one in the recipe's source: "
            f"`columns: {{{role}: {found[0]}}}`"
        )
    return found


def _series(present: Iterable[str]) -> tuple[str, ...]:
    """The longest unbroken series of at least two option columns."""
    names = set(present)
    best: tuple[str, ...] = ()
    for pattern in SERIES:
        for start in (0, 1) if "{n}" in pattern else (0,):
            found: list[str] = []
            for n in range(26):
                name = pattern.format(n=n + start, letter=chr(ord("a") + n))
                if name not in names:
                    break
                found.append(name)
            if len(found) > max(1, len(best)):
                best = tuple(found)
    return best
