"""One trajectory in full, and all trajectories of its question on one time line."""

from __future__ import annotations

from typing import Any

import polars as pl

from eval.viewer import data
from eval.viewer.live.index import Index, QueryError
from videozoomer.protocol.evidence import EDGE_S
from videozoomer.protocol.options import LETTERS

LANES = 200
"""Maximum trajectories of a question on one time line."""
JUDGED = ("exemplar", "reflection", "rollout")
"""Kinds that the rules look at."""


def constants() -> dict[str, Any]:
    """What the page's script needs beyond the rows."""
    return {"letters": LETTERS, "evidence_edge_s": EDGE_S}


def item(index: Index, trajectory_id: str, skipped: tuple[str, ...] = ()) -> dict[str, Any]:
    """A trajectory with its question, its video, and what each rule said. `skipped` are rules the recipe leaves out.

    Raises:
        QueryError: there is no such trajectory.
    """
    row = index.item(trajectory_id)
    found = data.trajectories(index.lake, [trajectory_id], [row["partition"]])
    if not found:
        raise QueryError(f"trajectory {trajectory_id} was replaced meanwhile; load the page again")
    questions = data.questions(index.lake, [row["question_id"]])
    return {
        "trajectory": found[0],
        "question": questions.get(row["question_id"]),
        "video": data.videos(index.lake, [row["video_id"]]).get(row["video_id"]),
        "rules": rules(found[0], skipped),
        "repairs": [
            other["trajectory_id"]
            for other in index.of_question(row["question_id"])
            if other["parent_id"] == trajectory_id
        ],
        **constants(),
    }


def hidden(item: dict[str, Any]) -> dict[str, Any]:
    """An item without verdicts and rules, for a blind reviewer."""
    nothing = dict.fromkeys(("verdict", "grader", "detail", "hit", "best_iou", "outcome"))
    return item | {"rules": [], "trajectory": item["trajectory"] | nothing | {"reasons": []}}


def rules(trajectory: dict[str, Any], skipped: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Each rule in order, with what it drops and its outcome: `dropped`, `passed`, `not reached` or `skipped`."""
    from filters.rules import load_rules

    if trajectory["outcome"] in (None, "failed"):
        return []
    reasons = set(trajectory["reasons"])
    known, gone = load_rules(), False
    listed = []
    for rule in known:
        if rule.name in skipped:
            outcome = "skipped"
        elif rule.name in reasons:
            outcome, gone = "dropped", True
        else:
            # A selection rule chooses among what the others left.
            outcome = "not reached" if rule.level == "selection" and gone else "passed"
        listed.append({"name": rule.name, "level": rule.level, "drops": rule.drops, "outcome": outcome})
    others = sorted(reasons - {rule.name for rule in known})
    return listed + [{"name": name, "level": "", "drops": "", "outcome": "dropped"} for name in others]


def samples(index: Index, question_id: str) -> dict[str, Any]:
    """All trajectories of a question, each with where it looked."""
    rows = index.of_question(question_id)[:LANES]
    if not rows:
        raise QueryError(f"there is no trajectory of question {question_id}")
    ids = [row["trajectory_id"] for row in rows]
    turns = (
        index.lake.scan("trajectories", sorted({row["partition"] for row in rows}), ["trajectory_id", "turns"])
        .filter(pl.col("trajectory_id").is_in(ids))
        .collect()
    )
    looked = {
        name: [_span(turn) for turn in all_turns if turn["action"] == "zoom"] for name, all_turns in turns.iter_rows()
    }
    names = (
        "kind", "player", "sample", "condition", "status", "verdict", "hit", "outcome", "reasons", "answer", "parent_id"
    )  # fmt: skip
    return {
        "question_id": question_id,
        "samples": [
            {
                "id": row["trajectory_id"],
                **{name: row[name] for name in names},
                "zooms": looked.get(row["trajectory_id"], []),
            }
            for row in rows
        ],
    }


def _span(turn: dict[str, Any]) -> list[float]:
    return [turn["start_s"], turn["end_s"], turn["fps"]]
