"""A run killed during the teacher's step, and what a changed recipe or a new video makes stale."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from chat_server import ChatServer
from graph_fixture import Recorder, write_recipe

from assets.workspace import Workspace
from pipelines.build import build_assets
from pipelines.plan import Plan
from pipelines.run import RunFailed, run
from videozoomer.settings import load_recipe
from videozoomer.sqlite import connect_read_only

pytestmark = pytest.mark.slow

CONCURRENCY = 4
PLAYED = ("sources", "questions", "videos", "shots", "overviews", "exemplars")


def answered(home: Path) -> int:
    """The number of calls in all ledgers of a run that may still be running."""
    count = 0
    for path in home.glob("ledger/exemplars/*.sqlite"):
        with closing(connect_read_only(path)) as connection:
            if connection.execute("select count(*) from sqlite_master where name = 'calls'").fetchone()[0]:
                count += connection.execute("select count(*) from calls").fetchone()[0]
    return count


def test_kill_in_the_middle_of_the_teacher_step_pays_nothing_twice(tmp_path, world, teacher):
    with Recorder(teacher.base_url.removesuffix("/v1")) as recorder:
        recipe_path = write_recipe(tmp_path / "recipe.yaml", world, recorder.url)
        command = [
            sys.executable,
            "-m",
            "pipelines.cli",
            "run",
            "-r",
            str(recipe_path),
            *(f"--only={name}" for name in PLAYED),
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while answered(tmp_path / "run") < 5:
            assert process.poll() is None, "the run ended before it could be interrupted"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1)  # let the teacher finish the calls it had begun
        paid, recorded = len(recorder.requests), answered(tmp_path / "run")
        assert paid - recorded <= CONCURRENCY
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        twice = len(recorder.requests) - len(set(recorder.requests))
        assert twice <= paid - recorded
        assert answered(tmp_path / "run") == len(set(recorder.requests))


@pytest.fixture
def copy_of_finished(tmp_path, finished, world):
    """A copy of the finished run that a test may change."""
    home = tmp_path / "run"
    shutil.copytree(finished.recipe.home_path, home)
    return home


def stale_assets(recipe) -> set[str]:
    workspace = Workspace(recipe)
    plan = Plan(build_assets(recipe), workspace)
    return {
        key.to_user_string()
        for level in plan.levels
        for part in plan.partitions(level)
        for key in level.keys
        if not plan.is_current(key, part)
    }


def test_a_setting_makes_stale_what_depends_on_it_and_nothing_else(finished, copy_of_finished, tmp_path, world):
    def stale_with(**changes):
        return stale_assets(
            load_recipe(write_recipe(tmp_path / "recipe.yaml", world, finished.recorder.url, **changes))
        )

    teacher = {
        "base_url": f"{finished.recorder.url}/v1",
        "identity": "local-teacher",
        "concurrency": 4,
        "max_tokens": 512,
    }
    assert stale_with() == set()
    assert (
        stale_with(teacher={**teacher, "base_url": "http://127.0.0.1:1/v1", "concurrency": 9, "timeout_s": 5}) == set()
    )
    assert stale_with(filters={"max_trajectories": 1}) == {"leaks", "verdicts", "question_stats", "funnel"}
    hotter = stale_with(teacher={**teacher, "temperature": 0.5})
    assert hotter == {"probes", "exemplars", "reflections", "teacher_evaluation"}
    evaluation = {"max_questions": 6, "policy_questions": 2, "max_new_tokens": 16, "bootstrap": 200}
    evaluations = {"teacher_evaluation", "policy_evaluation"}
    assert stale_with(evaluation={**evaluation, "seed": 1}) == evaluations
    assert "videos" in stale_with(video={"detectors": ["histogram"], "failed_share": 0.9})


def test_a_new_video_makes_a_new_batch_and_leaves_the_old_one_unchanged(finished, copy_of_finished, tmp_path, world):
    videos = tmp_path / "more"
    shutil.copytree(world / "train/videos", videos)
    recipe_path = write_recipe(tmp_path / "recipe.yaml", world, finished.recorder.url)
    changed = recipe_path.read_text().replace(str(world / "train/videos"), str(videos))
    recipe_path.write_text(changed)
    run(load_recipe(recipe_path), only=["sources", "questions"])
    before = set(Workspace(load_recipe(recipe_path)).batches())
    shutil.copy(videos / "tape-01.mp4", videos / "another.mp4")
    run(load_recipe(recipe_path), only=["sources", "questions"])
    workspace = Workspace(load_recipe(recipe_path))
    new = set(workspace.batches()) - before
    assert len(new) == 1
    assert workspace.lake.read("files", new)["uri"].to_list() == [str(videos / "another.mp4")]


def test_an_unknown_asset_is_named(finished):
    with pytest.raises(RunFailed, match="there is no asset 'exemplar'"):
        run(finished.recipe, only=["exemplar"])


def test_ctrl_c_keeps_the_replies_of_calls_in_flight_and_says_so(tmp_path, world):
    with ChatServer(latency_s=1.0) as server:
        recipe_path = write_recipe(
            tmp_path / "recipe.yaml", world, server.url.removesuffix("/v1"), distill={"samples": 8}
        )
        command = [sys.executable, "-m", "pipelines.cli", "run", "-r", str(recipe_path)]
        process = subprocess.Popen(
            [*command, *(f"--only={name}" for name in PLAYED)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while server.at_once < CONCURRENCY:
            assert process.poll() is None, "the run ended before it could be interrupted"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "Traceback" not in errors
        assert "stopped by Ctrl-C. Finished results are kept" in errors
        assert "awaiting 4 calls in flight" in errors
        assert answered(tmp_path / "run") == server.counts["calls"] >= CONCURRENCY
