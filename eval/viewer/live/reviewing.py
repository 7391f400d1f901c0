"""What people decided, for the page, and new decisions from it."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from eval.viewer.live.index import Index, QueryError, files_of
from videozoomer.lake import CATALOG
from videozoomer.lake.lake import Lake
from videozoomer.reviews import Journal, ReviewError
from videozoomer.reviews.current import Current, current
from videozoomer.reviews.review import answer_value, answers_of

PAIRS = ("copies", "question_leaks")
"""Tables of pairs of a training and an evaluation item that a person may settle, by the column `pair_id`."""
STATES = {"keep": "keep", "drop": "drop", "judged": "judged", "note": "note", "answer": "key corrected"}


class Book:
    """Reviews as they are now; threads may share it."""

    def __init__(self, lake: Lake, who: str, blind: bool = False) -> None:
        self._lake, self._who, self.blind = lake, who, blind
        self._journal = Journal(lake)
        self._guard = threading.Lock()
        self._seen: tuple[Any, ...] | None = None
        self._current: list[Current] = []
        self._contents: dict[tuple[str, str], str | None] = {}

    def changed(self, index: Index) -> None:
        """The tables have changed: so may have what decisions are about."""
        with self._guard:
            self._contents, self._seen = {}, None
            self._read(index)

    def refresh(self, index: Index) -> None:
        """Read decisions that others have made meanwhile."""
        with self._guard:
            self._read(index)

    def _read(self, index: Index) -> None:
        seen = files_of(self._lake, ("reviews",))
        if seen == self._seen:
            return
        self._current = current(self._lake, known=self._contents)
        self._seen = seen
        index.mark(self._marks(index))

    def _marks(self, index: Index) -> dict[str, tuple[list[str], list[str]]]:
        """Trajectory -> states and tags: its own, and those of its question."""
        marks: dict[str, tuple[list[str], list[str]]] = {}
        for one in self._current:
            review = one.review
            if review.subject == "pair":
                continue
            of_question = review.subject == "question"
            names = [row["trajectory_id"] for row in index.of_question(review.key)] if of_question else [review.key]
            for name in names:
                states, tags = marks.setdefault(name, ([], []))
                if review.decision == "tag":
                    if review.value not in tags:
                        tags.append(str(review.value))
                    continue
                state = "stale" if one.stale else STATES[review.decision]
                state = f"question: {state}" if of_question and state in ("keep", "drop") else state
                if state not in states:
                    states.append(state)
        return {name: (states or ["tagged"], tags) for name, (states, tags) in marks.items()}

    def about(self, trajectory_id: str, question_id: str) -> list[dict[str, Any]]:
        """Decisions about a trajectory and its question, for the page. A blind reviewer sees his own alone."""
        with self._guard:
            found = [
                one
                for one in self._current
                if (one.review.subject, one.review.key) in (("trajectory", trajectory_id), ("question", question_id))
            ]
        return [
            {**one.review.model_dump(exclude={"key", "content"}), "stale": one.stale}
            for one in found
            if not self.blind or one.review.who == self._who
        ]

    def decide(self, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Record a decision of the page: subject, key, decision, value.

        Raises:
            ReviewError: it cannot be recorded; the message says why.
        """
        subject, key, decision = (asked.get(name) for name in ("subject", "key", "decision"))
        value = asked.get("value")
        if not all(isinstance(name, str) and name for name in (subject, key, decision)):
            raise ReviewError("a decision needs subject, key and decision")
        if value is not None and not isinstance(value, str):
            raise ReviewError("the value of a decision is a text")
        if decision == "answer":
            value = self._correction(str(key), value)
        self._journal.decide(self._who, str(subject), str(key), str(decision), value, None)
        self.refresh(index)
        return {"recorded": True}

    def _correction(self, question_id: str, correct: str | None) -> str:
        """From the answer that the question file gives, corrected before or not."""
        rows = self._lake.scan("questions", columns=["question_id", "answer", "options"])
        found = rows.filter(pl.col("question_id") == question_id).collect().to_dicts()
        correct = (correct or "").strip()
        if not found:
            raise ReviewError(f"there is no question {question_id}")
        letters = [chr(ord("A") + n) for n in range(len(found[0]["options"] or []))]
        if not correct or (letters and correct not in letters):
            raise ReviewError(f"the correct answer is one of {', '.join(letters)}" if letters else "give the answer")
        given = found[0]["answer"]
        with self._guard:
            known = [
                one.review.value
                for one in self._current
                if one.review.key == question_id and not one.stale and one.review.decision == "answer"
            ]
        return answer_value(answers_of(known[0])[0] if known else given, correct)

    def pairs(self, index: Index) -> list[dict[str, Any]]:
        """Pairs of leaks, near misses first, with what people decided."""
        found: list[dict[str, Any]] = []
        for table in (name for name in PAIRS if name in CATALOG):
            for row in index.lake.read(table).to_dicts():
                found.append({"table": table, **{name: value for name, value in row.items() if value is not None}})
        with self._guard:
            decided = {one.review.key: one.review.decision for one in self._current if one.review.subject == "pair"}
        rank = {"listed": 0}
        found.sort(key=lambda row: (rank.get(row["status"], 1), row["table"], row["pair_id"]))
        return [row | {"decision": decided.get(row["pair_id"])} for row in found]


def draw(lake: Lake, size: int, seed: str) -> list[str]:
    """A random sample of the kept trajectories, in random order.

    Raises:
        QueryError: nothing is kept.
    """
    kept = lake.scan("verdicts", columns=["trajectory_id", "outcome"]).filter(pl.col("outcome") == "kept").collect()
    names: Sequence[str] = sorted(kept["trajectory_id"])
    if not names:
        raise QueryError("no trajectory is kept, so there is nothing to draw a sample from")
    return random.Random(seed).sample(names, min(size, len(names)))
