"""Reads question files (.jsonl, .json, .csv, .parquet) into rows of table `questions`; unusable rows keep a reason."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec
import polars as pl

from videozoomer.lake.rows import QuestionRow
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.options import LETTERS, index_of, letter_of
from videozoomer.protocol.question import Question
from videozoomer.sources.files import SourceError

ANSWER_TYPES = ("choice", "number", "time", "yes_no", "order", "text")
COLUMNS = {
    "video": "path, URL or file name of the video (required)",
    "question": "the question (required)",
    "answer": "the correct answer; with options a letter, a 0-based index or the option's text (required)",
    "options": "list of options; absent or empty for an open question",
    "id": "your own id; by default a hash of video, question and options",
    "type": f"one of {', '.join(ANSWER_TYPES)}; by default derived from options and answer",
    "topic": "kind of question, for metrics by topic",
    "evidence": "list of [start_s, end_s] windows of the video that show the answer, in seconds",
}
"""Columns of a question file; other columns are ignored."""


def read_questions(place: str) -> list[dict[str, Any]]:
    """Rows of a question file, unchanged.

    Raises:
        SourceError: the file is missing, has another format, or an entry of it is not an object.
    """
    suffix = Path(place).suffix.lower()
    try:
        with fsspec.open(place, "rb") as handle:
            raw = handle.read()
    except FileNotFoundError as error:
        raise SourceError(f"question file {place} does not exist") from error
    try:
        if suffix == ".jsonl":
            return [
                _object(json.loads(line), place, n)
                for n, line in enumerate(raw.decode().splitlines(), 1)
                if line.strip()
            ]
        if suffix == ".json":
            loaded = json.loads(raw)
            listed = loaded.get("questions") if isinstance(loaded, dict) else loaded
            if not isinstance(listed, list):
                raise SourceError(f"{place} must be a list of questions, or an object with a list under 'questions'")
            return [_object(item, place, n) for n, item in enumerate(listed, 1)]
        if suffix == ".csv":
            return pl.read_csv(raw, infer_schema=False).to_dicts()
        if suffix == ".parquet":
            return pl.read_parquet(raw).to_dicts()
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise error if isinstance(error, SourceError) else SourceError(f"{place} cannot be read: {error}") from error
    raise SourceError(f"{place}: a question file must end in .jsonl, .json, .csv or .parquet")


def _object(item: Any, place: str, line: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise SourceError(f"{place}: entry {line} is not an object with the columns {', '.join(COLUMNS)}")
    return item


def question_rows(raw: Sequence[Mapping[str, Any]], source: str, split: str, uris: Sequence[str]) -> list[QuestionRow]:
    """Rows of table `questions` from rows of a file; `uris` are the source's videos.

    An unusable row gets the status `quarantined` and a reason: `no_question`, `no_answer`, `no_video` (names none),
    `unknown_video` (not in the source), `ambiguous_video` (several videos have that name), `unknown_type`,
    `answer_not_in_options`, `bad_options`, `bad_evidence` or `repeated_id`.
    """
    by_name: dict[str, list[str]] = {}
    for uri in uris:
        for name in {uri, Path(uri).name, Path(uri).stem}:
            by_name.setdefault(name, []).append(uri)
    rows, seen = [], set()
    for index, item in enumerate(raw):
        row = _row(item, source, split, by_name)
        if row["question_id"] in seen:
            row["question_id"] = f"{row['question_id']}#{index}"
            row["status"], row["reason"] = "quarantined", "repeated_id"
        seen.add(row["question_id"])
        rows.append(row)
    return rows


def _row(item: Mapping[str, Any], source: str, split: str, by_name: Mapping[str, list[str]]) -> QuestionRow:
    problems: list[str] = []
    question = str(item.get("question") or "").strip()
    named = str(item.get("video") or "").strip()
    options = _listed(item.get("options"), problems, "bad_options")
    options = [str(option).strip() for option in options]
    if len(options) > len(LETTERS):
        problems.append("bad_options")
        options = []
    answer = item.get("answer")
    answer = "" if answer is None else str(answer).strip()
    found = by_name.get(named) or by_name.get(Path(named).name) or [] if named else []
    kind = str(item.get("type") or "").strip() or _kind(options, answer)
    if not question:
        problems.append("no_question")
    if not answer:
        problems.append("no_answer")
    if not named:
        problems.append("no_video")
    elif not found:
        problems.append("unknown_video")
    elif len(set(found)) > 1:
        problems.append("ambiguous_video")
    if kind not in ANSWER_TYPES:
        problems.append("unknown_type")
    if kind == "choice" and answer:
        letter = _letter(answer, options)
        if letter is None:
            problems.append("answer_not_in_options")
        else:
            answer = letter
    evidence = _evidence(item.get("evidence"), problems)
    identity = json.dumps([source, named, question, options], ensure_ascii=False)
    given = item.get("id", item.get("question_id"))
    own = given if given not in (None, "") else hashlib.sha256(identity.encode()).hexdigest()[:16]
    return Question(
        question_id=f"{source}:{own}",
        video_uri=found[0] if len(set(found)) == 1 else named,
        split=split,
        question=question,
        options=tuple(options),
        answer=answer,
        answer_type=kind,
        topic=str(item["topic"]) if item.get("topic") else None,
        evidence=tuple(evidence),
    ).to_row(source, problems[0] if problems else None)


def _listed(value: Any, problems: list[str], reason: str) -> list:
    """A list, or the list in its JSON text, which is how a CSV file stores it."""
    if value in (None, ""):
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            problems.append(reason)
            return []
    if not isinstance(value, list):
        problems.append(reason)
        return []
    return value


def _kind(options: list[str], answer: str) -> str:
    if options:
        return "choice"
    if answer.lower().rstrip(".") in ("yes", "no"):
        return "yes_no"
    try:
        float(answer)
    except ValueError:
        return "text"
    return "number"


def _letter(answer: str, options: list[str]) -> str | None:
    """Letter of the correct option, from its letter, 0-based index or text."""
    bare = answer.strip("(). ")
    folded = [option.casefold() for option in options]
    if answer.casefold() in folded:
        return letter_of(folded.index(answer.casefold()))
    if index_of(bare.upper(), len(options)) is not None:
        return bare.upper()
    if bare.isdigit() and int(bare) < len(options):
        return letter_of(int(bare))
    return None


def _evidence(value: Any, problems: list[str]) -> list[Window]:
    windows: list[Window] = []
    for window in _listed(value, problems, "bad_evidence"):
        if isinstance(window, dict):
            window = [window.get("start_s"), window.get("end_s")]
        try:
            start_s, end_s = (float(bound) for bound in window)
        except (TypeError, ValueError):
            problems.append("bad_evidence")
            return []
        if not 0 <= start_s <= end_s < math.inf:
            problems.append("bad_evidence")
            return []
        windows.append(Window(start_s, end_s))
    return windows
