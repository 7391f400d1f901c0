"""A zoom into a span of a damaged video that cannot be read is refused, for everyone who plays."""

from __future__ import annotations

import dataclasses

import pytest

from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.question import PlayableQuestion, bad_spans_by_video
from videozoomer.protocol.unreadable import unreadable_at

SPANS = (Window(4.0, 6.0), Window(20.0, 21.5))
TASK = Task("What?", (), "text", 30.0, SPANS)


def played(start_s: float, end_s: float, fps: float, task: Task = TASK) -> Episode:
    episode = Episode(task, (FrameRef("f", 0.0),), Protocol(), load_prompts("v1"))
    call = f'{{"segment": [{start_s}, {end_s}], "fps": {fps}}}'
    episode.step(f"<think>Look.</think><video_zoom>{call}</video_zoom>")
    return episode


@pytest.mark.parametrize(
    ("zoom", "named"),
    [
        ((3.0, 5.0, 2.0), "4.00 to 6.00 s"),
        ((4.0, 5.0, 1.0), "4.00 to 6.00 s"),
        ((2.0, 22.0, 0.5), "4.00 to 6.00 s"),
        ((19.0, 21.0, 1.0), "20.00 to 21.50 s"),
    ],
)
def test_a_zoom_into_a_bad_span_is_a_fault_that_names_the_span(zoom: tuple[float, float, float], named: str) -> None:
    (turn,) = played(*zoom).turns
    assert turn.action == "fault" and turn.fault == "unreadable"
    assert turn.fault_text == (
        f"The video is damaged and cannot be read from {named}. Choose a segment that does not reach into it."
    )


@pytest.mark.parametrize("zoom", [(2.0, 4.0, 2.0), (6.0, 8.0, 4.0), (3.0, 7.0, 0.25), (19.0, 22.0, 0.3)])
def test_a_zoom_that_shows_no_frame_in_a_bad_span_is_served(zoom: tuple[float, float, float]) -> None:
    (turn,) = played(*zoom).turns
    assert turn.action == "zoom"


def test_other_faults_come_first_and_keep_their_texts() -> None:
    whole = dataclasses.replace(TASK, bad_spans=())
    for zoom in [(5.0, 4.0, 1.0), (4.0, 4.0, 1.0), (4.0, 6.0, 100.0), (4.0, 60.0, 0.1), (4.0, 6.0, 0.0)]:
        assert played(*zoom).turns == played(*zoom, whole).turns


def test_an_edge_belongs_to_the_frame_that_begins_there() -> None:
    assert unreadable_at(SPANS, 4.0) == SPANS[0] and unreadable_at(SPANS, 3.9999999) == SPANS[0]
    assert unreadable_at(SPANS, 6.0) is unreadable_at(SPANS, 5.9999999) is unreadable_at(SPANS, 3.999) is None


def test_bad_spans_travel_with_a_data_set() -> None:
    question = PlayableQuestion(
        question_id="q", video_uri="a.mp4", split="train", question="What?", answer="1", answer_type="number",
        video_id="v", batch="b", duration_s=30.0, overview=(FrameRef("f", 0.0),), bad_spans=SPANS,
    )  # fmt: skip
    row = question.to_shard_row()
    assert PlayableQuestion.from_shard_row(row) == question and question.item.task.bad_spans == SPANS
    assert bad_spans_by_video([question, dataclasses.replace(question, video_uri="b.mp4", bad_spans=())]) == {
        "a.mp4": SPANS
    }
    older = {name: value for name, value in row.items() if name != "bad_spans"}
    assert PlayableQuestion.from_shard_row(older).bad_spans == ()  # type: ignore[arg-type]
