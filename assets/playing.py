"""Play a batch of episodes against a server: what probes, exemplars, reflections and a student's rollouts share."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import dagster as dg
import polars as pl

from assets.items import playable, put_frames, put_overview_frames
from assets.paying_again import ask_before_paying_again
from assets.videos import PARTITION as OVERVIEW_FRAMES
from assets.workspace import Workspace, content_of, finish, partition_of, preview

if TYPE_CHECKING:
    from distill.rollouts import EpisodeRunner
    from distill.storage.budget import Budget
    from distill.storage.frames import FrameStore
    from videozoomer.lake.rows import TrajectoryRow
    from videozoomer.protocol.question import QuestionItem
    from videozoomer.settings.model import AdditionalTeacher, Endpoint

Play = Callable[[Sequence["QuestionItem"], "EpisodeRunner"], "list[TrajectoryRow]"]
"""From the questions of a batch to rows of the table `trajectories`."""


def stage_partition(stage: str, batch: str) -> str:
    """Partition of `trajectories`, `grades` and `frames` that one stage writes for one batch."""
    return f"{stage}.{batch}"


@contextmanager
def spending(workspace: Workspace) -> Iterator[Budget | None]:
    """The run's budget, shared by all its stages and processes; None where the recipe sets no cap."""
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
    frames_from: Sequence[str] = (),
    more: Sequence[AdditionalTeacher] = (),
    cut_off: Literal["fail", "play"] = "fail",
    read_as_meant: bool = False,
    also_written: Sequence[str] = (),
) -> dg.MaterializeResult:
    """Play a stage's episodes for this batch against a server; write `trajectories` and the frames they showed.

    `episodes` gives the maximum number of episodes for a number of questions. `frames_from` names stages whose frames
    the first messages already contain (a reflection shows the failed zoom again). `more` are further teachers.
    `cut_off` decides whether a reply that reaches max_tokens fails the episode or is played as it is.
    `read_as_meant`: see `Episode`. `also_written` are further tables whose partition of this stage `play` writes.

    Raises:
        dagster.Failure: the server stopped answering, too many episodes could not be played, or replies that were paid
            for are gone.
    """
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.rollouts import EpisodeRunner
    from distill.storage.frames import FrameStore
    from distill.teachers import TeacherPool
    from videozoomer.protocol.prompts import load_prompts

    batch, lake, recipe = partition_of(context), workspace.lake, workspace.recipe
    ask_before_paying_again(workspace, stage, batch)
    scratch = workspace.scratch(stage, batch)
    items = playable(lake, batch, split)
    protocol = recipe.protocol.to_protocol()
    with (
        FrameStore(scratch / "frames.sqlite") as store,
        workspace.open_ledger(stage, batch) as ledger,
        workspace.readers(items) as readers,
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
            read_as_meant=read_as_meant,
        )
        try:
            rows = play(items, runner)
        except StepStopped as error:
            raise stopped(f"{stage} of batch {batch}", error) from error
        write_trajectories(workspace, stage, batch, rows, store, frames_from)
        counted = sum((Counter(player.statistics()) for player in players), Counter())
        # Of all runs, also of killed ones: a replay must not make the stage look free.
        calls = {**counted, "made": ledger.attempts(), "paid_usd": round(ledger.paid_usd(), 6)}
    shutil.rmtree(scratch)
    return finish_stage(context, workspace, stage, batch, rows, calls, also_written)


def stopped(work: str, error: Exception) -> dg.Failure:
    """The failure of a step whose calls ended early; a rerun replays the answers that it already has."""
    return dg.Failure(f"{work} stopped: {error} Answers received so far are in the ledger and are not paid for again.")


def write_trajectories(
    workspace: Workspace,
    stage: str,
    batch: str,
    rows: Sequence[TrajectoryRow],
    store: FrameStore | None,
    shown_by: Iterable[str] = (),
) -> None:
    """Write a stage's rows and the frames that their zooms returned (overview frames are in the lake already, as are
    those that the stages `shown_by` returned)."""
    partition = stage_partition(stage, batch)
    shown = {frame_id for row in rows for turn in row["turns"] for frame_id in turn["frame_ids"]}
    shown |= _probed_frames(workspace, batch, rows, [name for name in shown_by if name != stage])
    workspace.lake.write("frames", list(store.rows(sorted(shown))) if store else [], partition)
    workspace.lake.write("trajectories", rows, partition)


def _probed_frames(workspace: Workspace, batch: str, rows: Sequence[TrajectoryRow], stages: Iterable[str]) -> set[str]:
    """Frames that probes of evidence take from elsewhere in a film: of all that they show, those that neither the
    overview nor these stages showed before."""
    messages = [message for row in rows if row["kind"] == "evidence" for message in row["messages"]]
    seen = {part["frame_id"] for message in messages for part in message["parts"] if part["frame_id"] is not None}
    if not seen:
        return seen
    known = [OVERVIEW_FRAMES.format(batch=batch), *(stage_partition(stage, batch) for stage in stages)]
    return seen - set(workspace.lake.read("frames", known, ["frame_id"])["frame_id"])


def finish_stage(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    stage: str,
    batch: str,
    rows: Sequence[TrajectoryRow],
    calls: Mapping[str, float],
    also_written: Sequence[str] = (),
) -> dg.MaterializeResult:
    """Record a played stage; fail the step if more than `distill.failed_share` of its episodes failed."""
    from distill.errors import RETRYABLE

    failures = Counter(row["failure"] for row in rows if row["status"] == "failed")
    failed, failed_share = failures.total(), workspace.recipe.distill.failed_share
    if rows and failed > failed_share * len(rows):
        kind, count = failures.most_common(1)[0]
        raise dg.Failure(
            f"{failed} of {len(rows)} episodes of {stage} in batch {batch} could not be played, more than "
            f"distill.failed_share ({failed_share:.0%}) allows; most often: {kind} ({count}). Run again to retry them; "
            "answers received so far are in the ledger and are not paid for again."
        )
    partition = stage_partition(stage, batch)
    facts = {
        "episodes": len(rows),
        "answered": sum(row["status"] == "answered" for row in rows),
        "exhausted": sum(row["status"] == "exhausted" for row in rows),
        "failed": failed,
        "not_to_the_letter": sum(row["as_written"] is not None for row in rows),
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
        content_of(workspace, [(table, partition) for table in ("trajectories", "frames", *also_written)]),
        facts=facts,
        metadata={
            "preview": preview(
                shown, ["trajectory_id", "question_id", "sample", "status", "answer", "rounds", "zooms", "failure"]
            )
        },
    )
