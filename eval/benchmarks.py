"""Converts published annotation files of public benchmarks into question files.

Nothing is downloaded: you name the annotation files here and the videos in the recipe. Each benchmark is one entry of
`BENCHMARKS`. The result has the columns of `videozoomer.sources.questions.COLUMNS`; use it in a recipe as a source of
split `evaluation`.

    found = read_benchmark("lvbench", Path("LVBench"))
    write_questions(found.questions, Path("lvbench.jsonl"))
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videozoomer.lake.atomic import write_text
from videozoomer.protocol.options import LETTERS, index_of, letter_of
from videozoomer.sources.questions import read_questions

_OPTION = re.compile(r"^\s*\(?([A-Z])[.):]\s*(.*?)\s*$")


class BenchmarkError(ValueError):
    """A benchmark cannot be read; the message names the file that is missing or what is wrong with it."""


class UnusableQuestion(Exception):
    """One question cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class BenchmarkQuestions:
    questions: list[dict[str, Any]]
    skipped: list[str]
    """A sentence for each question that cannot be used."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    files: tuple[str, ...]
    """Glob patterns of annotation files in the benchmark's folder; the first pattern with a match is used."""
    columns: str
    """The columns that an entry needs, for error messages."""
    question: Callable[[dict[str, Any], str], dict[str, Any]]
    """(entry, a name for it) -> its question. Raises `UnusableQuestion`."""
    entries: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda row: [row]
    """Row of a file -> one entry per question, for files with several questions in a row."""


def read_benchmark(name: str, location: Path) -> BenchmarkQuestions:
    """Read a benchmark's questions from its folder or from one annotation file.

    Raises:
        BenchmarkError: the benchmark is unknown, there is no annotation file, or an entry lacks a column.
        SourceError: the content of a file does not match its extension.
    """
    if name not in BENCHMARKS:
        raise BenchmarkError(f"benchmark {name!r} is unknown; choose from {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    questions: list[dict[str, Any]] = []
    skipped: list[str] = []
    for path in _files(name, benchmark, location):
        number = 0
        try:
            entries = [entry for row in read_questions(str(path)) for entry in benchmark.entries(row)]
            for number, entry in enumerate(entries):
                where = f"{path.stem}-{number}"
                try:
                    questions.append({"type": "choice"} | benchmark.question(entry, where))
                except UnusableQuestion as why:
                    skipped.append(f"{where}: {why}")
        except (KeyError, TypeError, IndexError) as error:
            raise BenchmarkError(
                f"{path}: entry {number} does not have the format of {name} ({error!r}); expected: {benchmark.columns}"
            ) from error
    return BenchmarkQuestions(questions, skipped)


def write_questions(questions: list[dict[str, Any]], target: Path) -> Path:
    """Write one question per line, ready for use as the question file of a recipe's source."""
    return write_text(target, "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in questions))


def _files(name: str, benchmark: Benchmark, location: Path) -> list[Path]:
    if location.is_file():
        return [location]
    for pattern in benchmark.files:
        if found := sorted(location.glob(pattern)):
            return found
    raise BenchmarkError(f"no annotation file of {name} in {location}; looked for {', '.join(benchmark.files)}")


def _videomme(entry: dict[str, Any], where: str) -> dict[str, Any]:
    options = [_without_letter(option) for option in entry["options"]]
    return {
        "id": entry["question_id"], "video": entry["videoID"], "question": entry["question"], "options": options,
        "answer": entry["answer"], "topic": f"{entry['duration']}: {entry['task_type']}",
    }  # fmt: skip


def _longvideobench(entry: dict[str, Any], where: str) -> dict[str, Any]:
    # JSON files have `candidates`; Parquet files have option0 to option4, with N/A for missing ones.
    options = entry.get("candidates") or [
        entry[f"option{n}"] for n in range(5) if entry[f"option{n}"] not in (None, "N/A")
    ]
    if entry.get("correct_choice") in (None, -1):
        raise UnusableQuestion("its answer is not public (test split)")
    return {
        "id": entry["id"], "video": entry["video_path"], "question": entry["question"], "options": options,
        "answer": letter_of(entry["correct_choice"]),
        "topic": f"{entry['duration_group']} s: {entry['question_category']}",
    }  # fmt: skip


def _mlvu(entry: dict[str, Any], where: str) -> dict[str, Any]:
    if not entry.get("candidates"):
        raise UnusableQuestion(
            f"{entry['question_type']} asks for free text, which MLVU grades with a model and leaves out of its "
            "multiple-choice average"
        )
    # Videos of one name lie in folders named after the annotation files, such as 1_plotQA.
    task = where.rsplit("-", 1)[0]
    video = f"{task}/{entry['video']}" if re.match(r"\d+_", task) else entry["video"]
    return {
        "id": entry.get("question_id") or where, "video": video, "question": entry["question"],
        "options": entry["candidates"], "answer": _letter(entry["answer"], entry["candidates"]),
        "topic": entry["question_type"],
    }  # fmt: skip


def _lvbench(entry: dict[str, Any], where: str) -> dict[str, Any]:
    question, options = _inline_options(entry["question"])
    return {
        "id": entry["uid"], "video": entry["key"], "question": question, "options": options, "answer": entry["answer"],
        "topic": ", ".join(entry["question_type"]), "evidence": _evidence(entry.get("time_reference")),
    }  # fmt: skip


def _longvideo_reason(entry: dict[str, Any], where: str) -> dict[str, Any]:
    question, options = _inline_options(entry["problem"])
    answer = re.sub(r"</?answer>", "", entry["answer"]).strip()
    if index_of(answer, len(options)) is None:
        raise UnusableQuestion(f"its answer {answer!r} is none of its {len(options)} options")
    # The published ids start at 0 in every split, so they are not unique.
    return {
        "id": where,
        "video": entry["videos"],
        "question": question,
        "options": options,
        "answer": answer,
        "topic": entry["problem_type"],
    }


BENCHMARKS: dict[str, Benchmark] = {
    "videomme": Benchmark(
        ("videomme/test-*.parquet", "test-*.parquet"),
        "videoID, question_id, question, options ('A. ...'), answer (letter), duration (short, medium, long), "
        "task_type",
        _videomme,
    ),
    "mlvu": Benchmark(
        ("MLVU/json/*.json", "json/*.json", "test-ground-truth/*.json", "*.json"),
        "video, question, candidates, answer (text of a candidate, or its letter), question_type, question_id (test "
        "only)",
        _mlvu,
    ),
    "longvideobench": Benchmark(
        ("lvb_val.json", "validation-*.parquet", "data/validation-*.parquet"),
        "id, video_path, question, candidates (or option0 to option4), correct_choice (from 0), question_category, "
        "duration_group",
        _longvideobench,
    ),
    "lvbench": Benchmark(
        ("video_info.meta.jsonl", "data/video_info.meta.jsonl"),
        "key (of the video), qa: list of uid, question (options in lines '(A) ...'), answer (letter), question_type "
        "(list), time_reference ('mm:ss-mm:ss')",
        _lvbench,
        entries=lambda row: [{"key": row["key"], **entry} for entry in row["qa"]],
    ),
    "longvideo_reason": Benchmark(
        ("test.jsonl",),
        "videos, problem (options in lines 'A. ...'), answer ('<answer>B</answer>'), problem_type",
        _longvideo_reason,
    ),
}
"""Name -> the format of its published files."""


def _without_letter(option: str) -> str:
    found = _OPTION.match(option)
    return found[2] if found else option.strip()


def _letter(answer: str, options: list[str]) -> str:
    """Letter of an answer that is given as an option's text or as a letter."""
    if answer in options:
        return letter_of(options.index(answer))
    if index_of(answer, len(options)) is not None:
        return answer
    raise UnusableQuestion(f"its answer {answer!r} is none of its options")


def _inline_options(text: str) -> tuple[str, list[str]]:
    """Split a question from the options in its last lines, which must be lettered from A without a gap."""
    lines = [line for line in text.splitlines() if line.strip()]
    first = next((n for n, line in enumerate(lines) if n and (found := _OPTION.match(line)) and found[1] == "A"), None)
    matches = [_OPTION.match(line) for line in lines[first:]] if first else []
    options = [match for match in matches if match]
    letters = "".join(match[1] for match in options)
    if not 2 <= len(options) == len(matches) or letters != LETTERS[: len(options)]:
        raise UnusableQuestion("its options are not lines lettered from A")
    return "\n".join(lines[:first]).strip(), [match[2] for match in options]


def _evidence(reference: str | None) -> list[list[float]]:
    """`mm:ss-mm:ss` or `hh:mm:ss-hh:mm:ss` in seconds; for anything else the evidence is unknown."""
    try:
        start_s, end_s = (_seconds(part) for part in (reference or "").split("-"))
    except ValueError:
        return []
    return [[start_s, end_s]] if start_s <= end_s else []


def _seconds(clock: str) -> float:
    total = 0.0
    for part in clock.strip().split(":"):
        total = total * 60 + float(part)
    return total
