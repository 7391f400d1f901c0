"""What a person saw, as a hash: a decision holds for this content alone.

Of a trajectory: its question's text and options, every reply, every frame. Of a question: text, options, answer type
and the key as the question file has it. A pair's id is a hash of both sides' content, and so its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from videozoomer.lake.lake import Lake
from videozoomer.reviews.review import answers_of

QUESTION = ["question_id", "question", "options", "answer", "answer_type"]


def contents(
    lake: Lake, keys: Mapping[str, Collection[str]], answers: Mapping[str, Collection[str]] | None = None
) -> dict[tuple[str, str], str]:
    """(subject, key) -> hash, for those of the keys that exist. `answers` are all corrected keys, by question."""
    found = {("pair", key): key for key in keys.get("pair", ())}
    found |= {
        ("question", key): value for key, value in _questions(lake, keys.get("question", ()), answers or {}).items()
    }
    trajectories = _trajectories(lake, keys.get("trajectory", ()))
    return found | {("trajectory", key): value for key, value in trajectories.items()}


def question_content(row: Mapping[str, Any], corrections: Collection[str] = ()) -> str:
    """Hash of a row of `questions`, before or after one of these corrected keys was applied to it."""
    answer = row["answer"]
    for given, correct in map(answers_of, corrections):
        if row["answer"] == correct:
            answer = given
    return _hash([row["question"], list(row["options"] or []), answer, row["answer_type"]])


def _questions(lake: Lake, keys: Collection[str], answers: Mapping[str, Collection[str]]) -> dict[str, str]:
    if not keys:
        return {}
    rows = lake.scan("questions", columns=QUESTION).filter(pl.col("question_id").is_in(sorted(keys))).collect()
    return {row["question_id"]: question_content(row, answers.get(row["question_id"], ())) for row in rows.to_dicts()}


def _trajectories(lake: Lake, keys: Collection[str]) -> dict[str, str]:
    if not keys:
        return {}
    rows = (
        lake.scan("trajectories", columns=["trajectory_id", "question_id", "status", "answer", "turns"])
        .filter(pl.col("trajectory_id").is_in(sorted(keys)))
        .collect()
    )
    named = sorted(set(rows["question_id"]))
    asked = lake.scan("questions", columns=QUESTION).filter(pl.col("question_id").is_in(named))
    texts = {row["question_id"]: [row["question"], list(row["options"] or [])] for row in asked.collect().to_dicts()}
    return {
        row["trajectory_id"]: _hash(
            [
                texts.get(row["question_id"]),
                row["status"],
                row["answer"],
                [[turn["reply"], list(turn["frame_ids"] or [])] for turn in row["turns"]],
            ]
        )
        for row in rows.iter_rows(named=True)
    }


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:24]
