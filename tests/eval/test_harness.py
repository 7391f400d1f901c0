"""Players of flesh and bone: the real rollouts, frame store, graders and episodes; only the model is scripted."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from distill.client.calls import Reply
from distill.client.errors import CallFailed
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from eval.harness import draw, evaluate, evaluation_jobs
from eval.metrics import GAIN
from videozoomer.lake.catalog import CATALOG
from videozoomer.protocol import FrameRef, Message, Protocol, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import EvalSettings
from videozoomer.video.types import Frame

EVIDENCE_S = 37.0


def frame(time_s: float) -> Frame:
    """A picture whose brightness tells its time."""
    out = io.BytesIO()
    Image.new("L", (32, 18), int(time_s * 2) % 256).save(out, "JPEG")
    return Frame(frame_id_of(out.getvalue()), time_s, time_s, 32, 18, out.getvalue())


def frames_at(uri: str, times_s: Sequence[float]) -> list[Frame]:
    return [frame(time_s) for time_s in times_s]


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
        "question_id": f"q{number}", "question": f"Question {number}?", "options": ["red", "blue"], "answer": "B", "answer_type": "choice",
        "topic": "which", "video_uri": f"v{number % 3}.mp4", "split": "evaluation",
        "evidence": [{"start_s": EVIDENCE_S, "end_s": EVIDENCE_S + 1}],
    }  # fmt: skip


class Looker:
    """Right only after it has looked closely, and sometimes not to be reached."""

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
            return Reply("<think>there it is</think><answer>B</answer>", "stop", 10, 5)
        if "<video_zoom>" in text.split("Question ")[0] and "Question 4?" not in text:
            call = f'{{"segment": [{EVIDENCE_S - 1}, {EVIDENCE_S + 2}], "fps": 2}}'
            return Reply(f"<think>closer</think><video_zoom>{call}</video_zoom>", "stop", 10, 5)
        return Reply("<think>a guess</think><answer>A</answer>", "stop", 10, 5)


def test_settings_differ_in_what_is_shown_and_figures_follow(tmp_path):
    overview, player, done = [frame(10.0 * n) for n in range(6)], Looker(), []
    with FrameStore(tmp_path / "frames.sqlite") as store:
        for video in range(3):
            store.put(overview, f"v{video}")
        found = evaluate(
            [item(n, overview) for n in range(6)],
            [question(n) for n in range(6)],
            EpisodeRunner(player, frames_at, store, Protocol(), load_prompts(), on_done=done.append),
            settings=EvalSettings(settings=("zoom", "overview", "blind"), bootstrap=50),
        )
        for row in found.trajectories:
            for turn in row["turns"]:
                assert all(store.jpeg(name) for name in turn["frame_ids"])
    CATALOG["trajectories"].conform(found.trajectories)
    CATALOG["grades"].conform(found.grades)
    figures = CATALOG["evaluations"].conform(found.evaluations).to_dicts()
    of = {(r["setting"], r["metric"]): r for r in figures if r["slice"] == "all"}
    assert len(found.trajectories) == len(done) == 18
    assert [of[s, "accuracy"]["value"] for s in ("zoom", "overview", "blind")] == [4 / 5, 0.0, 0.0]
    assert [(of[s, "accuracy"]["questions"], of[s, "accuracy"]["unknown"]) for s in ("zoom", "overview", "blind")] == [
        (5, 1)
    ] * 3
    assert (of["zoom", GAIN]["value"], of["zoom", GAIN]["questions"]) == (4 / 5, 5)
    assert of["zoom", "hit_rate"]["value"] == of["zoom", "zoomed"]["value"] == 4 / 5
    assert [of[s, "frames"]["value"] for s in ("overview", "blind")] == [6, 0]
    assert of["zoom", "frames"]["value"] == pytest.approx(6 + 6 * 4 / 5)
    assert set(player.seen.values()) == {0, 6, 12}


def test_zoom_without_zooms_is_refused():
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
