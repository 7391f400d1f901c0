"""One way to play a batch of episodes, used by every asset that asks a model: probes, exemplars, reflections, rollouts."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import polars as pl

from assets.items import playable, put_frames, put_overview_frames
from assets.workspace import Workspace, content_of, finish, partition_of, preview
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import QuestionRow

if TYPE_CHECKING:
    from distill.rollouts import EpisodeRunner
    from distill.storage.budget import Budget
    from distill.storage.frames import FrameStore
    from videozoomer.protocol.question import QuestionItem
    from videozoomer.settings.model import AdditionalTeacher, Endpoint


Play = Callable[[Sequence["QuestionItem"], "EpisodeRunner"], list[dict]]


def stage_partition(stage: str, batch: str) -> str:
    """Partition of `trajectories`, `grades` and `frames` that one stage writes for one batch."""
    return f"{stage}.{batch}"


@contextmanager
def spending(workspace: Workspace) -> Iterator[Budget | None]:
    """The run's one budget, shared by all its stages and processes; None where the recipe sets no cap."""
    from distill.storage.budget import Budget

    cap_usd = workspace.recipe.distill.budget_usd
    if cap_usd is None:
        yield None
    else:
        with Budget(workspace.home / "budget.sqlite", cap_usd) as budget:
            yield budget


def play_stage(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    stage: str,
    play: Play,
    *,
    endpoint: Endpoint,
    split: str | None,
    episodes: Callable[[int], int],
    frames_from: Iterable[str] = (),
    more: Sequence[AdditionalTeacher] = (),
    cut_off: Literal["fail", "play"] = "fail",
) -> dg.MaterializeResult:
    """Play a stage's episodes for this batch against a server and write `trajectories` and the frames they showed.

    `episodes` says how many at most there will be, of the number of questions; `frames_from` names stages whose frames
    the first messages already hold (a reflection shows the failed zoom again); `more` are servers beside `endpoint`;
    `cut_off` says whether a reply that reaches max_tokens fails the episode or is played as it stands.
    """
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.rollouts import EpisodeRunner
    from distill.storage.frames import FrameStore
    from distill.teachers import TeacherPool
    from videozoomer.protocol.prompts import load_prompts
    from videozoomer.video.reader import ReaderPool

    batch, lake, recipe = partition_of(context), workspace.lake, workspace.recipe
    scratch = workspace.scratch(stage, batch)
    items = playable(lake, batch, split)
    protocol = recipe.protocol.to_protocol()
    with (
        FrameStore(scratch / "frames.sqlite") as store,
        workspace.open_ledger(stage, batch) as ledger,
        ReaderPool(protocol.min_pixels, protocol.max_pixels, zoom_store_dir=workspace.zoom_store) as readers,
        spending(workspace) as budget,
        workspace.progress.task(f"{stage} of {batch}", episodes(len(items))) as advance,
    ):
        put_overview_frames(lake, batch, store)
        put_frames(lake, [stage_partition(name, batch) for name in frames_from], store)
        players = [
            ChatPlayer(server, ledger, store, cut_off=cut_off, budget=budget)
            for server in (endpoint, *(one.endpoint for one in more))
        ]
        shares = [1.0, *(one.share for one in more)]
        runner = EpisodeRunner(
            TeacherPool(list(zip(players, shares, strict=True))) if more else players[0],
            readers.frames_at,
            store,
            protocol,
            load_prompts(recipe.protocol.prompts),
            endpoint.concurrency,
            lambda row: advance(1),
        )
        try:
            rows = play(items, runner)
        except StepStopped as error:
            raise dg.Failure(
                f"{stage} of batch {batch} stopped: {error} What was answered is in the ledger and is not paid again."
            ) from error
        write_trajectories(workspace, stage, batch, rows, store)
        calls = sum((Counter(player.statistics()) for player in players), Counter())
    shutil.rmtree(scratch)
    return finish_playing(context, workspace, stage, batch, rows, calls, recipe.distill.failed_share)


def write_trajectories(workspace: Workspace, stage: str, batch: str, rows: list[dict], store: FrameStore) -> None:
    """Write a stage's rows, and the zoomed frames in them (overview frames are in the lake already)."""
    partition = stage_partition(stage, batch)
    shown = {frame_id for row in rows for turn in row["turns"] for frame_id in turn["frame_ids"]}
    workspace.lake.write("frames", list(store.rows(sorted(shown))), partition)
    workspace.lake.write("trajectories", rows, partition)


def finish_playing(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    stage: str,
    batch: str,
    rows: list[dict],
    calls: dict[str, Any],
    failed_share: float,
) -> dg.MaterializeResult:
    """Describe a played stage; fail the step when more than the recipe's share could not be done."""
    from distill.errors import RETRYABLE

    failures = Counter(row["failure"] for row in rows if row["status"] == "failed")
    failed = failures.total()
    if rows and failed > failed_share * len(rows):
        kind, count = failures.most_common(1)[0]
        raise dg.Failure(
            f"{failed} of {len(rows)} episodes of {stage} in batch {batch} could not be played, more than distill.failed_share "
            f"({failed_share:.0%}) allows; most often: {kind} ({count}). What was answered is in the ledger: run again, nothing is paid twice."
        )
    partition = stage_partition(stage, batch)
    facts = {
        "episodes": len(rows),
        "answered": sum(row["status"] == "answered" for row in rows),
        "exhausted": sum(row["status"] == "exhausted" for row in rows),
        "failed": failed,
        "retryable": sum(count for kind, count in failures.items() if kind in RETRYABLE),
        "zooms": sum(row["zooms"] for row in rows),
        "input_tokens": sum(row["input_tokens"] for row in rows),
        "output_tokens": sum(row["output_tokens"] for row in rows),
        "cost_usd": round(sum(row["cost_usd"] for row in rows), 4),
        **{f"calls_{name}": value for name, value in calls.items()},
    }
    table = workspace.lake.read("trajectories", [partition])
    shown = table.with_columns(pl.col("turns").list.len().alias("rounds"))
    return finish(
        context,
        workspace,
        content_of(workspace, [("trajectories", partition), ("frames", partition)]),
        facts=facts,
        metadata={
            "preview": preview(
                shown, ["trajectory_id", "question_id", "sample", "status", "answer", "rounds", "zooms", "failure"]
            )
        },
    )


def grade_stage(context: dg.AssetExecutionContext, workspace: Workspace, stage: str) -> dg.MaterializeResult:
    """Hold a stage's answers against the truth; the only place in distillation where the truth is read."""
    from filters.grading import grade_rows

    batch, lake = partition_of(context), workspace.lake
    partition = stage_partition(stage, batch)
    rows = lake.read("trajectories", [partition]).to_dicts()
    questions = rows_as(QuestionRow, lake.read("questions", [batch]))
    lake.write("grades", _judged(workspace, stage, batch, grade_rows(rows, questions), rows, questions), partition)
    grades = lake.read("grades", [partition])
    counted = dict(grades.group_by("verdict").len().iter_rows())
    valid = counted.get("correct", 0) + counted.get("wrong", 0)
    facts = {
        "graded": grades.height,
        **{verdict: counted.get(verdict, 0) for verdict in ("correct", "wrong", "unknown")},
    }
    return finish(
        context,
        workspace,
        content_of(workspace, [("grades", partition)]),
        facts=facts,
        metadata={
            "pass_rate": round(counted.get("correct", 0) / valid, 4) if valid else None,
            "preview": preview(grades, ["trajectory_id", "question_id", "verdict", "grader", "detail", "hit"]),
        },
    )


def _judged(
    workspace: Workspace, stage: str, batch: str, grades: list[dict], rows: list[dict], questions: list[QuestionRow]
) -> list[dict]:
    """The same grades, those that the rules left unknown decided by the recipe's judge, where it has one."""
    endpoint = workspace.recipe.filters.judge
    if endpoint is None:
        return grades
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.judge import Judge
    from distill.storage.frames import FrameStore
    from videozoomer.protocol.prompts import load_prompts

    scratch = workspace.scratch(f"judge_{stage}", batch)
    with (
        FrameStore(scratch / "frames.sqlite") as store,
        workspace.open_ledger(f"judge_{stage}", batch) as ledger,
        spending(workspace) as budget,
    ):
        judge = ChatPlayer(endpoint, ledger, store, budget=budget, purpose="judge")
        try:
            prompts = load_prompts(workspace.recipe.protocol.prompts)
            judged = Judge(judge, prompts, endpoint.concurrency).decide_unknown(grades, rows, questions)
        except StepStopped as error:
            raise dg.Failure(
                f"judging {stage} of batch {batch} stopped: {error} What was answered is in the ledger and is not paid again."
            ) from error
    shutil.rmtree(scratch)
    return judged
