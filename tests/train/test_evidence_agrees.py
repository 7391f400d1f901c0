"""Grading, RL rewards and harvest must agree on every episode, at the edges of a window most of all."""

import random
from types import SimpleNamespace

import polars as pl
import pytest

from distill.items import EpisodeJob
from distill.records import Spent, to_row
from filters.grading import grade_rows
from train.rl.records import round_metrics, write_rows
from train.rl.rewards import group_rewards
from train.rl.rollout_groups import RolloutGroup
from videozoomer.protocol import Episode, FrameRef, Protocol, load_prompts
from videozoomer.protocol.evidence import windows_of
from videozoomer.protocol.question import Question, QuestionItem
from videozoomer.settings.model import RlSettings

ITEM = QuestionItem("q", "v", "v.mp4", "b", "What?", (), "text", 60.0, (FrameRef("o", 0.0),))
OFFSETS_S = (-0.002, -0.001, -0.0005, 0.0, 0.0005, 0.001, 0.002)


def an_episode(draw: random.Random, evidence: list[dict]) -> Episode:
    """Up to two zooms whose frames lie near the edges of the evidence."""
    edges = [edge for window in evidence for edge in window.values()] or [10.0, 20.0]
    episode = Episode(ITEM.task, ITEM.overview, Protocol(), load_prompts())
    for _ in range(draw.randint(0, 2)):
        start_s = draw.uniform(0, 40)
        end_s = start_s + draw.uniform(2, 8)
        call = f'{{"segment": [{start_s}, {end_s}], "fps": 0.5}}'
        times_s = episode.step(f"<think>a</think><video_zoom>{call}</video_zoom>")
        episode.show([FrameRef("z", draw.choice(edges) + draw.choice(OFFSETS_S)) for _ in times_s])
    episode.step("<think>b</think><answer>red</answer>")
    return episode


@pytest.fixture(scope="module")
def groups() -> list[tuple[Question, Episode]]:
    draw = random.Random(3)
    found = []
    for number in range(300):
        starts_s = [draw.choice([10.0, 30.0, 45.5]) for _ in range(draw.randint(0, 2))]
        evidence = [{"start_s": start_s, "end_s": start_s + draw.choice([0.0, 0.4, 2.0])} for start_s in starts_s]
        question = Question(
            question_id=f"q{number}",
            video_uri="v.mp4",
            split="train",
            question="What?",
            answer="red",
            answer_type="text",
            evidence=windows_of(evidence),
        )
        found.append((question, an_episode(draw, evidence)))
    return found


def test_grading_reward_and_harvest_agree(groups, tmp_path):
    rows, played, paid = [], [], []
    for question, episode in groups:
        job = EpisodeJob(ITEM, "rollout")
        row = to_row(job, episode, "policy", Spent(), None, Protocol(), load_prompts())
        rows.append(row | {"trajectory_id": question.question_id, "question_id": question.question_id})
        rewards = group_rewards([episode], [True], question.evidence, RlSettings())
        paid.append(rewards[0].tool > 0)
        rollout = SimpleNamespace(episode=episode, truncated=False, failure=None)
        played.append(RolloutGroup(0, question, 1, [rollout], ["correct"], rewards, None))
    grades = grade_rows(rows, [question.to_row("films") for question, _ in groups])
    by_question = {row["question_id"]: row for row in rows}
    sampler = SimpleNamespace(rows=lambda group, player: [by_question[group.question.question_id]])
    write_rows(tmp_path / "round.parquet", sampler, played, "policy")
    overlaps = pl.read_parquet(tmp_path / "round.parquet")["overlap"].to_list()

    assert overlaps == [grade["best_iou"] for grade in grades]
    for (question, episode), grade, tool in zip(groups, grades, paid, strict=True):
        assert tool == (grade["hit"] if question.evidence else episode.zooms > 0)
    looked = [grade["hit"] for (_, episode), grade in zip(groups, grades, strict=True) if episode.zooms]
    known = [hit for hit in looked if hit is not None]
    assert round_metrics(played)["hit_rate"] == pytest.approx(sum(known) / len(known))
    assert 0 < sum(known) < len(known), "the episodes must hold hits and misses"
