"""Real rollouts, frame store, graders and episodes; only the model is scripted."""

from collections.abc import Sequence

import pytest
from builders import answer_reply, frames_at, zoom_reply
from hypothesis import given
from hypothesis import strategies as st

from distill.client.calls import Reply
from distill.client.errors import CallFailed
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from eval.harness import Evaluated, draw, evaluate, evaluation_jobs
from eval.metrics import GAIN
from videozoomer.lake.catalog import CATALOG
from videozoomer.protocol import FrameRef, Message, Protocol, load_prompts
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import EvalSettings
from videozoomer.video.types import Frame

EVIDENCE_S = 37.0


def item(number: int, overview: Sequence[Frame]) -> QuestionItem:
    refs = tuple(FrameRef(f.frame_id, f.time_s) for f in overview)
    return QuestionItem(
        f"q{number}",
        f"v{number % 3}",
        f"v{number % 3}.mp4",
        "b-0000",
        f"Question {number}?",
        ("red", "blue"),
        "choice",
        60.0,
        refs,
    )


def question(number: int) -> dict:
    return {
        "question_id": f"q{number}", "question": f"Question {number}?", "options": ["red", "blue"], "answer": "B",
        "answer_type": "choice",
        "topic": "which", "video_uri": f"v{number % 3}.mp4", "split": "evaluation",
        "evidence": [{"start_s": EVIDENCE_S, "end_s": EVIDENCE_S + 1}],
    }  # fmt: skip


class Looker:
    """Answers correctly only after zooming, and refuses one question."""

    name = "looker"

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        text = "".join(message.text for message in messages)
        self.seen[text] = sum(len(message.frame_ids) for message in messages)
        assert temperature == 0.0
        if "Question 5?" in text:
            raise CallFailed("refused", "the provider declined", False)
        if "<tool_response>" in text:
            return Reply(answer_reply("B"), "stop", 10, 5)
        if "<video_zoom>" in text.split("Question ")[0] and "Question 4?" not in text:
            return Reply(zoom_reply(EVIDENCE_S - 1, EVIDENCE_S + 2, 2), "stop", 10, 5)
        return Reply(answer_reply("A"), "stop", 10, 5)


def evaluated(store: FrameStore, player: Looker, **settings) -> Evaluated:
    """Six questions about three videos, played and graded."""
    overview = frames_at("overview", [10.0 * n for n in range(6)])
    for video in range(3):
        store.put(overview, f"v{video}")
    runner = EpisodeRunner(player, frames_at, store, Protocol(), load_prompts())
    items, rows = [item(n, overview) for n in range(6)], [question(n) for n in range(6)]
    return evaluate(items, rows, runner, settings=EvalSettings(bootstrap=50, **settings))


def test_conditions_differ_in_what_the_player_sees_and_the_metrics_reflect_it(tmp_path):
    player = Looker()
    with FrameStore(tmp_path / "frames.sqlite") as store:
        found = evaluated(store, player, settings=("zoom", "overview", "blind"))
        for row in found.trajectories:
            for turn in row["turns"]:
                assert all(store.jpeg(name) for name in turn["frame_ids"])
    CATALOG["trajectories"].conform(found.trajectories)
    CATALOG["grades"].conform(found.grades)
    figures = CATALOG["evaluations"].conform(found.evaluations).to_dicts()
    of = {(r["setting"], r["metric"]): r for r in figures if r["slice"] == "all"}
    assert len(found.trajectories) == 18
    assert [of[s, "accuracy"]["value"] for s in ("zoom", "overview", "blind")] == [4 / 5, 0.0, 0.0]
    assert [(of[s, "accuracy"]["questions"], of[s, "accuracy"]["unknown"]) for s in ("zoom", "overview", "blind")] == [
        (5, 1)
    ] * 3
    assert (of["zoom", GAIN]["value"], of["zoom", GAIN]["questions"]) == (4 / 5, 5)
    assert of["zoom", "hit_rate"]["value"] == of["zoom", "zoomed"]["value"] == 4 / 5
    assert [of[s, "frames"]["value"] for s in ("overview", "blind")] == [6, 0]
    assert of["zoom", "frames"]["value"] == pytest.approx(6 + 6 * 4 / 5)
    assert set(player.seen.values()) == {0, 6, 12}


def test_the_seed_sets_the_resampling(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as store:
        found = [evaluated(store, Looker(), settings=("zoom",), seed=seed).evaluations for seed in (0, 0, 1)]
    lows = [next(row["low"] for row in rows if row["metric"] == "frames") for rows in found]
    assert lows[0] == lows[1] != lows[2]


def test_impossible_and_unknown_conditions_are_errors():
    with pytest.raises(ValueError, match="max_zooms"):
        list(evaluation_jobs([], ["zoom"], max_zooms=0, temperature=0))
    with pytest.raises(ValueError, match="'sideways' is unknown"):
        list(evaluation_jobs([], ["sideways"], max_zooms=4, temperature=0))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_a_smaller_draw_is_part_of_a_larger_one(small, large, seed):
    items = [item(n, []) for n in range(20)]
    first, second = draw(items, min(small, large), seed), draw(list(reversed(items)), max(small, large), seed)
    assert first == second[: len(first)] and len(first) == min(20, small, large)
    assert {i.question_id for i in draw(items, None, seed)} == {i.question_id for i in items}


def test_every_seed_draws_other_questions():
    items = [item(n, []) for n in range(20)]
    drawn = {tuple(i.question_id for i in draw(items, 5, seed)) for seed in range(10)}
    assert len(drawn) == 10
