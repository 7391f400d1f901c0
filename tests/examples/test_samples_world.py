"""The sample world is what it says: the same bytes from the same seed, and events where the truth puts them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from examples.palette import GLYPH_COLOURS, SCENE_COLOURS
from examples.world import FULL_PLAN, World, WorldError, ask_about, make_world, plan_videos
from examples.world.plan import glance_times, stands_out


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("samples") / "world", size="small")


def _digests(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


@pytest.mark.slow
def test_same_seed_gives_same_bytes_and_another_seed_does_not(small: World, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    again = make_world(tmp_path / "again", size="small", progress=lambda *step: seen.append(step))
    assert _digests(again.root) == _digests(small.root)
    assert sorted(step[1:] for step in seen) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    other = make_world(tmp_path / "other", seed=1, size="small")
    assert _digests(other.root)["train/videos/tape-01.mp4"] != _digests(small.root)["train/videos/tape-01.mp4"]


@pytest.mark.slow
def test_a_finished_world_is_left_alone_and_a_broken_one_is_made_again(small: World, tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    shutil.copytree(small.root, world.root)
    video = world.train_videos / "tape-01.mp4"
    before, written = video.read_bytes(), video.stat().st_mtime_ns
    make_world(world.root, size="small")
    assert video.stat().st_mtime_ns == written
    video.write_bytes(before[:1000])
    make_world(world.root, size="small")
    assert video.read_bytes() == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(WorldError, match="empty folder"):
        make_world(tmp_path, size="small")


def _decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


@pytest.mark.slow
def test_events_are_on_the_screen_exactly_when_stated(small: World) -> None:
    checked = 0
    for name, video in small.truth()["videos"].items():
        if video["copy_of"]:
            continue
        frames = _decoded(small.root / video["split"] / "videos" / name)
        assert frames[-1][0] + 1 / video["fps"] == pytest.approx(video["duration_s"], abs=0.11)
        for scene in video["scenes"]:
            for event in scene["events"]:
                if event["strength"] < 1:
                    continue
                inside = [frame for time, frame in frames if event["start_s"] - 1e-3 <= time < event["end_s"] - 1e-3]
                before = [frame for time, frame in frames if event["start_s"] - 0.2 <= time < event["start_s"] - 1e-3]
                colour = np.array(GLYPH_COLOURS[event["colour"]]) * scene["light"]

                def close(frame: np.ndarray, colour: np.ndarray = colour) -> int:
                    return int((np.abs(frame.astype(float) - colour).max(-1) < 30).sum())

                assert inside and min(map(close, inside)) > 0.04 * event["size"] ** 2 > max(
                    map(close, before), default=0
                ), event
                checked += 1
    assert checked >= 6


@pytest.mark.slow
def test_the_variable_rate_video_varies_and_the_others_do_not(small: World) -> None:
    for name, video in small.truth()["videos"].items():
        times = [time for time, _ in _decoded(small.root / video["split"] / "videos" / name)]
        steps = np.diff(times)
        assert (steps.max() > 2.5 * steps.min()) == video["variable_rate"], name


@pytest.mark.slow
def test_one_file_is_damaged_one_is_no_video_and_one_is_missing(small: World) -> None:
    with pytest.raises(av.error.FFmpegError):
        av.open(str(small.train_videos / "notes.mp4"))
    with av.open(str(small.train_videos / "damaged.mp4")) as container:
        assert not container.streams.video
    rows = [json.loads(line) for line in small.train_questions.read_text().splitlines()]
    missing = {row["video"] for row in rows} - {path.name for path in small.train_videos.iterdir()}
    assert missing == {"lost.mp4"}


@pytest.fixture(scope="module")
def plans() -> list:
    return plan_videos(FULL_PLAN, seed=0)


def test_brief_events_lie_mostly_between_overview_frames(plans: list) -> None:
    brief = hidden = 0
    for plan in plans:
        glances = glance_times(plan.outline.duration_s, plan.outline.fps)
        for scene in plan.scenes:
            for event in scene.events:
                assert scene.start_s < event.start_s < event.end_s < scene.end_s
                assert stands_out(scene.colour, event.colour)
                if scene.programme != "long":
                    brief += 1
                    hidden += not any(event.start_s <= glance < event.end_s for glance in glances)
                    assert 0.35 <= event.end_s - event.start_s <= 1.55
    assert brief > 150 and hidden / brief > 0.75


def test_questions_are_many_of_many_kinds_and_well_formed(plans: list) -> None:
    questions = ask_about(plans, 0, most=10)
    assert len({question.id for question in questions}) == len(questions) >= 100
    assert {question.topic for question in questions} >= {"what", "which", "how_many", "when", "order", "yes_no"}
    assert {question.needs for question in questions} == {"zoom", "overview", "nothing"}
    by_id = {question.id: question for question in questions}
    lengths = {plan.outline.name: plan.outline.duration_s for plan in plans}
    twins = [question for question in questions if question.twin_of]
    assert {question.question == by_id[question.twin_of].question for question in twins} == {True, False}
    for question in questions:
        if question.answer_type == "choice":
            assert len(set(question.options)) == 4 and question.answer in "ABCD"
        else:
            assert not question.options
        for start_s, end_s in question.evidence:
            assert 0 <= start_s < end_s <= lengths[question.video]


@pytest.mark.parametrize("seed", range(1, 6))
def test_other_seeds_make_whole_worlds_too(seed: int) -> None:
    plans = plan_videos(FULL_PLAN, seed)
    for plan in plans:
        assert plan.scenes[0].start_s == 0 and plan.scenes[-1].end_s == plan.outline.duration_s
        for one, two in zip(plan.scenes, plan.scenes[1:], strict=False):
            assert one.end_s == two.start_s and one.colour != two.colour
            assert one.colour in SCENE_COLOURS
    assert len(ask_about(plans, seed, most=10)) >= 90
