"""Annotation files of public benchmarks, as they are published, into question files of ours.

Nothing is downloaded: point at the files that you have, and at the videos in the recipe. Each benchmark is one entry of
`BENCHMARKS`; the result has the columns of `videozoomer.sources.questions.COLUMNS` and goes into a recipe as a source of split
`evaluation`.

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
    """A benchmark cannot be read at all; the message says which file is missing or what is wrong with it."""


class Unfit(Exception):
    """One question cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    questions: list[dict[str, Any]]
    left_out: list[str]
    """A sentence for each question that cannot be used."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    files: tuple[str, ...]
    """Globs of annotation files below the benchmark's folder; the first that matches anything is taken."""
    columns: str
    """What is read of each entry."""
    question: Callable[[dict[str, Any], str], dict[str, Any]]
    """(entry, a name for it) -> its question. Raises `Unfit`."""
    entries: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda row: [row]
    """Row of a file -> one entry for each question, where a row holds several."""


def read_benchmark(name: str, place: Path) -> Found:
    """Questions of a benchmark from its folder, or from one annotation file.

    Raises:
        BenchmarkError: the benchmark is unknown, there is no annotation file, or an entry lacks a column.
        SourceError: a file is not what its name says.
    """
    if name not in BENCHMARKS:
        raise BenchmarkError(f"benchmark {name!r} is unknown; there are {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    questions: list[dict[str, Any]] = []
    left_out: list[str] = []
    for path in _files(name, benchmark, place):
        number = 0
        try:
            entries = [entry for row in read_questions(str(path)) for entry in benchmark.entries(row)]
            for number, entry in enumerate(entries):
                where = f"{path.stem}-{number}"
                try:
                    questions.append({"type": "choice"} | benchmark.question(entry, where))
                except Unfit as why:
                    left_out.append(f"{where}: {why}")
        except (KeyError, TypeError, IndexError) as error:
            raise BenchmarkError(
                f"{path}: entry {number} is not one of {name} ({error!r}); expected: {benchmark.columns}"
            ) from error
    return Found(questions, left_out)


def write_questions(questions: list[dict[str, Any]], target: Path) -> Path:
    """One question a line; the file goes into a recipe's source as it is."""
    return write_text(target, "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in questions))


def _files(name: str, benchmark: Benchmark, place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    for pattern in benchmark.files:
        if found := sorted(place.glob(pattern)):
            return found
    raise BenchmarkError(f"there is no annotation file of {name} in {place}; looked for {', '.join(benchmark.files)}")


def _videomme(entry: dict[str, Any], where: str) -> dict[str, Any]:
    options = [_without_letter(option) for option in entry["options"]]
    return {
        "id": entry["question_id"], "video": entry["videoID"], "question": entry["question"], "options": options,
        "answer": entry["answer"], "topic": f"{entry['duration']}: {entry['task_type']}",
    }  # fmt: skip


def _longvideobench(entry: dict[str, Any], where: str) -> dict[str, Any]:
    # JSON has `candidates`; the Parquet form has option0 to option4, with N/A for none.
    options = entry.get("candidates") or [
        entry[f"option{n}"] for n in range(5) if entry[f"option{n}"] not in (None, "N/A")
    ]
    if entry.get("correct_choice") in (None, -1):
        raise Unfit("its answer is not public (test split)")
    return {
        "id": entry["id"], "video": entry["video_path"], "question": entry["question"], "options": options,
        "answer": letter_of(entry["correct_choice"]), "topic": f"{entry['duration_group']} s: {entry['question_category']}",
    }  # fmt: skip


def _mlvu(entry: dict[str, Any], where: str) -> dict[str, Any]:
    if not entry.get("candidates"):
        raise Unfit(
            f"{entry['question_type']} asks for free text, which MLVU has judged by a model; the multiple-choice average leaves it out"
        )
    return {
        "id": entry.get("question_id") or where, "video": entry["video"], "question": entry["question"],
        "options": entry["candidates"], "answer": _letter(entry["answer"], entry["candidates"]), "topic": entry["question_type"],
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
        raise Unfit(f"its answer {answer!r} is none of its {len(options)} options")
    # Ids count from 0 in every split's file.
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
        "videoID, question_id, question, options ('A. ...'), answer (letter), duration (short, medium, long), task_type", _videomme,
    ),
    "mlvu": Benchmark(
        ("MLVU/json/*.json", "json/*.json", "test-ground-truth/*.json", "*.json"),
        "video, question, candidates, answer (text of a candidate, or its letter), question_type, question_id (test only)", _mlvu,
    ),
    "longvideobench": Benchmark(
        ("lvb_val.json", "validation-*.parquet", "data/validation-*.parquet"),
        "id, video_path, question, candidates (or option0 to option4), correct_choice (from 0), question_category, duration_group", _longvideobench,
    ),
    "lvbench": Benchmark(
        ("video_info.meta.jsonl", "data/video_info.meta.jsonl"),
        "key (of the video), qa: list of uid, question (options in lines '(A) ...'), answer (letter), question_type (list), time_reference ('mm:ss-mm:ss')", _lvbench,
        entries=lambda row: [{"key": row["key"], **asked} for asked in row["qa"]],
    ),
    "longvideo_reason": Benchmark(
        ("test.jsonl",), "videos, problem (options in lines 'A. ...'), answer ('<answer>B</answer>'), problem_type", _longvideo_reason,
    ),
}  # fmt: skip
"""Name -> how its published files are read."""


def _without_letter(option: str) -> str:
    found = _OPTION.match(option)
    return found[2] if found else option.strip()


def _letter(answer: str, options: list[str]) -> str:
    """Letter of an answer that is an option's own text; an answer that is a letter already stays."""
    if answer in options:
        return letter_of(options.index(answer))
    if index_of(answer, len(options)) is not None:
        return answer
    raise Unfit(f"its answer {answer!r} is none of its options")


def _inline_options(text: str) -> tuple[str, list[str]]:
    """A question whose last lines are its options, taken apart; options must be lettered from A without a gap."""
    lines = [line for line in text.splitlines() if line.strip()]
    first = next((n for n, line in enumerate(lines) if n and (found := _OPTION.match(line)) and found[1] == "A"), None)
    found = [_OPTION.match(line) for line in lines[first:]] if first else []
    if len(found) < 2 or [match and match[1] for match in found] != list(LETTERS[: len(found)]):
        raise Unfit("its options are not lines lettered from A")
    return "\n".join(lines[:first]).strip(), [match[2] for match in found]


def _evidence(reference: str | None) -> list[list[float]]:
    """`mm:ss-mm:ss` (or with hours) in seconds; anything else is not known evidence."""
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
