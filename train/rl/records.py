"""What is written down of a round: every rollout as a row of table `trajectories`, and figures over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from train.rl.rollout_groups import RolloutGroup, RolloutSampler
from videozoomer.lake.atomic import replaced_file
from videozoomer.protocol.evidence import best_iou, looks_hit


def write_rows(path: Path, arena: RolloutSampler, played: Sequence[RolloutGroup], player: str) -> None:
    """Table `trajectories` with more columns: verdict, reward with its parts, advantage, overview_budget, overlap."""
    import polars as pl

    from videozoomer.lake.catalog import CATALOG

    rows, more = [], []
    for group in played:
        rows += arena.rows(group, player)
        advantages = iter(group.advantages or [])
        for rollout, verdict, reward in zip(group.rollouts, group.verdicts, group.rewards, strict=True):
            gain = next(advantages, None) if reward is not None else None
            parts = (
                {
                    "reward": reward.total,
                    "reward_correct": reward.correct,
                    "reward_format": reward.format,
                    "reward_tool": reward.tool,
                }
                if reward
                else {}
            )
            more.append(
                {
                    **dict.fromkeys(EXTRA),
                    **parts,
                    "verdict": verdict,
                    "advantage": gain,
                    "overview_budget": group.overview_budget,
                    "overlap": best_iou(rollout.episode.looks, group.question.evidence),
                    "evidence_known": bool(group.question.evidence),
                }
            )
    # A question that was drawn twice in a round is played twice; its second group is numbered on.
    seen: Counter[str] = Counter()
    for row in rows:
        times = seen[row["trajectory_id"]]
        seen[row["trajectory_id"]] += 1
        row["trajectory_id"] += f"-{times}" if times else ""
    table = CATALOG["trajectories"].conform(rows)
    types = {"verdict": pl.String, "overview_budget": pl.Int64, "evidence_known": pl.Boolean}
    extra = pl.DataFrame(more, schema={name: types.get(name, pl.Float64) for name in EXTRA})
    with replaced_file(path) as partial:
        table.hstack(extra).write_parquet(partial)


EXTRA = (
    "verdict",
    "reward",
    "reward_correct",
    "reward_format",
    "reward_tool",
    "advantage",
    "overview_budget",
    "overlap",
    "evidence_known",
)
"""Columns of a round's file beside those of the table."""


def round_metrics(played: Sequence[RolloutGroup]) -> dict[str, float | None]:
    """What a round was like, over all its groups; null where there is nothing to count."""
    rewards = [reward for group in played for reward in group.rewards if reward is not None]
    episodes = [rollout.episode for group in played for rollout in group.learnt]
    verdicts = [verdict for group in played for verdict in group.verdicts]
    judged = [verdict == "correct" for verdict in verdicts if verdict in ("correct", "wrong")]
    looked = [
        looks_hit(rollout.episode.looks, group.question.evidence)
        for group in played
        if group.question.evidence
        for rollout in group.learnt
        if rollout.episode.zooms
    ]

    def mean(values: Sequence[float]) -> float | None:
        return float(np.mean(values)) if len(values) else None

    return {
        "reward": mean([reward.total for reward in rewards]),
        "reward_correct": mean([reward.correct for reward in rewards]),
        "reward_format": mean([reward.format for reward in rewards]),
        "reward_tool": mean([reward.tool for reward in rewards]),
        "needless_frames": mean([reward.needless_frames for reward in rewards]),
        "accuracy": mean(judged),
        "zoom_rate": mean([episode.zooms > 0 for episode in episodes]),
        "zooms": mean([episode.zooms for episode in episodes]),
        "hit_rate": mean(looked),
        "frames": mean([episode.frames_shown for episode in episodes]),
        "groups": len(played),
        "groups_dropped": sum(group.advantages is None for group in played),
        "rollouts": len(verdicts),
        "unknown": verdicts.count("unknown"),
        "failed": verdicts.count("failed"),
        "cut": sum(rollout.cut for group in played for rollout in group.rollouts),
    }
