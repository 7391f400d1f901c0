"""A small lake: four training videos, one evaluation video, kept and rejected trajectories, real JPEG bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.lake import Lake
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.messages import to_rows

ZOOM = '<think>closer</think><video_zoom>{"segment": [2, 4], "fps": 1}</video_zoom>'
ANSWER = "<think>red</think><answer>A</answer>"


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (56, 56), (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256)).save(out, "JPEG")
    return out.getvalue()


def row(table: str, **values) -> dict:
    return {column.name: values.get(column.name) for column in CATALOG[table].columns}


def frame_row(video_id: str, seed: int, time_s: float) -> dict:
    data = jpeg(seed)
    return {
        "frame_id": frame_id_of(data),
        "video_id": video_id,
        "time_s": time_s,
        "width": 56,
        "height": 56,
        "jpeg": data,
    }


def episode(frames: list[dict]) -> Episode:
    refs = [FrameRef(frame["frame_id"], frame["time_s"]) for frame in frames]
    played = Episode(Task("Which?", ("red", "blue"), "choice", 10.0), refs[:4], Protocol(), load_prompts())
    played.step(ZOOM)
    played.show(refs[4:6])
    played.step(ANSWER)
    return played


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(tmp_path / "tables")
    frames, videos, overviews, questions, trajectories, verdicts, stats = [], [], [], [], [], [], []
    for number in range(5):
        video, uri, split = f"video{number}", f"/videos/{number}.mp4", "evaluation" if number == 4 else "train"
        own = [frame_row(video, number * 10 + index, float(index)) for index in range(7)]
        frames += own
        videos.append(row("videos", uri=uri, video_id=video, source="s", batch="s-0000", status="ok", duration_s=10.0))
        overviews += [
            row(
                "overviews",
                video_id=video,
                index=i,
                requested_s=float(i),
                time_s=float(i),
                frame_id=own[i]["frame_id"],
                policy="uniform",
            )
            for i in range(4)
        ]
        for index in range(2):
            question = f"q{number}{index}"
            questions.append(
                row(
                    "questions",
                    question_id=question,
                    source="s",
                    video_uri=uri,
                    split=split,
                    question="Which?",
                    options=["red", "blue"],
                    answer="A",
                    answer_type="choice",
                    evidence=[{"start_s": 2.0, "end_s": 3.0}],
                    status="ok",
                )
            )
            if split == "evaluation":
                continue
            stats.append(
                row(
                    "question_stats",
                    question_id=question,
                    video_id=video,
                    split=split,
                    samples=2,
                    valid=2,
                    correct=1,
                    pass_rate=0.5,
                    reasons=["duplicate"] if question == "q01" else [],
                )
            )
            for kind, outcome in (("exemplar", "kept"), ("exemplar", "rejected"), ("student", "kept")):
                name = f"t-{question}-{kind}-{outcome}"
                trajectories.append(
                    row(
                        "trajectories",
                        trajectory_id=name,
                        question_id=question,
                        video_id=video,
                        batch="s-0000",
                        kind=kind,
                        player="p",
                        sample=0,
                        temperature=1.0,
                        max_zooms=4,
                        status="answered",
                        answer="A",
                        turns=[],
                        messages=to_rows(episode(own).transcript),
                        zooms=1,
                        frames_shown=6,
                        well_formed=True,
                        input_tokens=1,
                        output_tokens=1,
                        cost_usd=0.0,
                        protocol_version="1",
                        prompt_version="v1",
                    )
                )
                verdicts.append(
                    row(
                        "verdicts",
                        trajectory_id=name,
                        question_id=question,
                        video_id=video,
                        kind=kind,
                        outcome=outcome,
                        reasons=[] if outcome == "kept" else ["wrong"],
                    )
                )
    lake.write("frames", frames[:20], "s-0000")
    lake.write("frames", frames[18:], "s-0001")
    lake.write("videos", videos, "s-0000")
    lake.write("overviews", overviews, "s-0000")
    lake.write("questions", questions)
    lake.write("trajectories", trajectories, "s-0000")
    lake.write("verdicts", verdicts)
    lake.write("question_stats", stats)
    lake.write("funnel", [row("funnel", stage="rejected", kind="exemplar", reason="wrong", rows=8)])
    return lake
