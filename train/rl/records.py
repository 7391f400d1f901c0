"""Records of a round: every rollout as a row of table `trajectories`, and metrics over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from train.policy.episode_tokens import Rollout
from train.rl.rewards import Reward
from train.rl.rollout_groups import RolloutGroup, RolloutSampler
from videozoomer.lake.atomic import replaced_file
from videozoomer.lake.rows import TrajectoryRow
from videozoomer.protocol.evidence import best_iou, looks_hit


class RewardColumns(TypedDict):
    """Columns that a round's file adds to those of the table; None where a rollout was not graded."""

    verdict: str
    reward: float | None
    reward_correct: float | None
    reward_format: float | None
    reward_tool: float | None
    advantage: float | None
    overview_budget: int
    overlap: float | None
    """Best intersection over union of a zoom with the evidence."""
    evidence_known: bool


class RoundRow(TrajectoryRow, RewardColumns):
    """One rollout in a round's file."""


EXTRA = tuple(RewardColumns.__annotations__)


def write_rows(path: Path, sampler: RolloutSampler, groups: Sequence[RolloutGroup], player: str) -> None:
    """Write all rollouts of a round as rows of table `trajectories`, with `RewardColumns`."""
    import polars as pl

    from videozoomer.lake.catalog import CATALOG

    rows: list[TrajectoryRow] = []
    more: list[RewardColumns] = []
    for group in groups:
        rows += sampler.rows(group, player)
        advantages = iter(group.advantages or [])
        for rollout, verdict, reward in zip(group.rollouts, group.verdicts, group.rewards, strict=True):
            advantage = next(advantages, None) if reward is not None else None
            more.append(_reward_columns(group, rollout, verdict, reward, advantage))
    # A question drawn twice in a round is played twice; ids of the second group get a number.
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


def _reward_columns(
    group: RolloutGroup, rollout: Rollout, verdict: str, reward: Reward | None, advantage: float | None
) -> RewardColumns:
    evidence = group.question.evidence
    return {
        "verdict": verdict,
        "reward": reward.total if reward else None,
        "reward_correct": reward.correct if reward else None,
        "reward_format": reward.format if reward else None,
        "reward_tool": reward.tool if reward else None,
        "advantage": advantage,
        "overview_budget": group.overview_budget,
        "overlap": best_iou(rollout.episode.looks, evidence),
        "evidence_known": bool(evidence),
    }


def round_metrics(groups: Sequence[RolloutGroup]) -> dict[str, float | None]:
    """Metrics over all groups of a round; None where there is nothing to average."""
    rewards = [reward for group in groups for reward in group.rewards if reward is not None]
    episodes = [rollout.episode for group in groups for rollout in group.graded]
    verdicts = [verdict for group in groups for verdict in group.verdicts]
    judged = [verdict == "correct" for verdict in verdicts if verdict in ("correct", "wrong")]
    hit = [
        bool(looks_hit(rollout.episode.looks, group.question.evidence))
        for group in groups
        if group.question.evidence
        for rollout in group.graded
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
        "hit_rate": mean(hit),
        "frames": mean([episode.frames_shown for episode in episodes]),
        "groups": len(groups),
        "groups_dropped": sum(group.advantages is None for group in groups),
        "rollouts": len(verdicts),
        "unknown": verdicts.count("unknown"),
        "failed": verdicts.count("failed"),
        "cut": sum(rollout.truncated for group in groups for rollout in group.rollouts),
    }
