"""A small lake: four training videos, one evaluation video, kept and rejected trajectories, and real JPEGs."""

from __future__ import annotations

import pytest
from builders import answer_reply, frame_row, played, refs_of, row, zoom_reply

from videozoomer.lake.lake import Lake
from videozoomer.protocol import Episode, Task
from videozoomer.protocol.message_rows import to_rows

SIZE = (56, 56)


def episode(frames: list[dict]) -> Episode:
    shown = refs_of(frames)
    task = Task("Which?", ("red", "blue"), "choice", 10.0)
    return played(task, shown[:4], zoom_reply(2, 4), shown[4:6], answer_reply("A"))


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(tmp_path / "tables")
    frames, videos, overviews, questions, trajectories, verdicts, stats = [], [], [], [], [], [], []
    for number in range(5):
        video, uri, split = f"video{number}", f"/videos/{number}.mp4", "evaluation" if number == 4 else "train"
        own = [frame_row(video, float(index), number * 10 + index, SIZE) for index in range(7)]
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
