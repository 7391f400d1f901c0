"""The summary of a run: counts from the tables, paths, and what to try next."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assets.reporting import call_statistics
from assets.training import why_untrained
from assets.workspace import Workspace
from pipelines.run import RunResult
from videozoomer.lake import Lake
from videozoomer.places.uris import short_name
from videozoomer.settings import Recipe

Line = tuple[str, str]
"""A name and the text beside it."""


def print_summary(
    recipe: Recipe, result: RunResult, console: Console, recipe_path: Path, *, demo: bool = False
) -> None:
    """Print the counts and what to do next. After the demo that is a recipe of one's own."""
    made, kept = len(result.materialized), len(result.current)
    stale = sorted({asset for asset, _ in result.passed_over})
    if stale:
        console.print(
            f"\n{made} results made. Stale, but left out by --only: {', '.join(stale)}. What is made from them is "
            "made from their last version; run without --only to remake them."
        )
    elif not made:
        console.print(f"\nEverything is up to date: all {kept} results were current, nothing was remade.")
    else:
        console.print(f"\n{made} results made, {kept} were current.")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(Workspace(recipe).at_once()):
        table.add_row(Text(name), Text(text))
    console.print(table)
    steps = "".join(f"\n  {line}" for line in _next(Workspace(recipe).lake, _short(recipe_path), demo))
    console.print(f"\nNext:{steps}", markup=False, highlight=False, soft_wrap=True)


def _next(lake: Lake, recipe_path: str, demo: bool) -> Iterator[str]:
    """Commands that fit what there is: no list of reflections where none was played."""
    command = _command()
    kinds = set(lake.read("trajectories", columns=["kind"])["kind"].to_list())
    if kinds:
        kind = next((f"--kind {kind} " for kind in ("reflection", "exemplar") if kind in kinds), "")
        yield f"{command} trajectories list {kind}-r {recipe_path}"
    yield f"{command} ui -r {recipe_path}"
    if demo:
        yield f"{command} init my.yaml --videos FOLDER --questions FILE --server URL    (your own)"


def _lines(workspace: Workspace) -> Iterator[Line]:
    lake = workspace.lake
    yield from _inputs(lake)
    yield from _funnel(lake.read("funnel"))
    if warnings := lake.read("shifts", columns=["warning"]).drop_nulls().height:
        yield "balance", f"{warnings} warnings; `videozoomer balance` shows them"
    for stage, calls in call_statistics(workspace).items():
        yield f"calls, {stage}", _calls(calls)
    yield from _data_sets(workspace)
    yield from _training(workspace)
    yield from _accuracy(lake.read("evaluations"))
    for name, page in (("report", "index.html"), ("trajectories", "trajectories.html")):
        if (workspace.report / page).exists():
            yield name, _short(workspace.report / page)


def _inputs(lake: Lake) -> Iterator[Line]:
    videos = lake.read("videos", columns=["status", "reason", "uri", "duration_s", "unreadable_s"])
    lost = videos.filter(pl.col("status") != "ok")
    minutes = (videos["duration_s"].sum() or 0) / 60
    reasons = "".join(f"\n  {short_name(row['uri'])}: {row['reason']}" for row in lost.iter_rows(named=True))
    yield "videos", f"{videos.height - lost.height} readable ({minutes:.0f} min), {lost.height} quarantined{reasons}"
    salvaged = videos.filter((pl.col("status") == "ok") & (pl.col("unreadable_s") > 0)).sort("uri")
    if salvaged.height:
        spans = "".join(
            f"\n  {Path(row['uri']).name}: {row['unreadable_s']:.1f} of {row['duration_s']:.1f} s unreadable"
            for row in salvaged.iter_rows(named=True)
        )
        yield "salvaged", f"{salvaged.height} damaged, the rest of them is used{spans}"
    yield "shots", str(lake.read("shots", columns=["video_id"]).height)
    questions = lake.read("questions", columns=["status", "split"])
    usable = questions.filter(pl.col("status") == "ok")
    splits = Counter(usable["split"].to_list())
    yield (
        "questions",
        f"{splits['train']} for training, {splits['evaluation']} for evaluation, "
        f"{questions.height - usable.height} quarantined",
    )


def _funnel(funnel: pl.DataFrame) -> Iterator[Line]:
    for kind in ("exemplar", "reflection"):
        rows = funnel.filter(pl.col("kind") == kind)
        if rows.is_empty():
            continue
        by_stage = dict(rows.group_by("stage").agg(pl.col("rows").sum()).iter_rows())
        reasons = rows.filter(pl.col("stage").is_in(["rejected", "failed"])).sort("rows", descending=True)
        text = ", ".join(f"{by_stage.get(stage, 0)} {stage}" for stage in ("asked", "kept", "rejected", "failed"))
        text += "".join(f"\n  {row['rows']:>4} {row['reason']}" for row in reasons.iter_rows(named=True) if row["rows"])
        yield f"{kind}s", text


def _calls(calls: dict[str, float]) -> str:
    text = (
        f"{calls.get('calls_made', 0)} made, {calls.get('calls_replayed', 0)} replayed; "
        f"{calls.get('input_tokens', 0):,} tokens in, {calls.get('output_tokens', 0):,} out"
    )
    return text + (f", {calls['cost_usd']:.2f} USD" if calls.get("cost_usd") else "")


def _data_sets(workspace: Workspace) -> Iterator[Line]:
    for kind in ("sft", "rl", "evaluation"):
        stamp = workspace.stamps.read(f"{kind}_shards")
        if stamp:
            facts = stamp.facts
            yield (
                f"{kind} shards",
                f"{facts['rows']} rows, {facts['frames']} frames, {facts['bytes'] / 1e6:.1f} MB in "
                f"{_short(workspace.shards(kind))}",
            )


def nothing_kept(workspace: Workspace) -> str | None:
    """One sentence if the teacher played and nothing was kept, or a stage had nothing to train on; otherwise None."""
    rows = workspace.lake.read("funnel").filter(pl.col("kind") != "question")
    counted = dict(rows.group_by("stage").agg(pl.col("rows").sum()).iter_rows())
    if counted.get("asked", 0) and not counted.get("kept", 0):
        lost = rows.filter(pl.col("stage").is_in(["rejected", "failed"])).group_by("reason").agg(pl.col("rows").sum())
        largest = lost.sort("rows", "reason", descending=[True, False]).head(3)
        listed = ", ".join(f"{reason} ({count})" for reason, count in largest.iter_rows())
        return (
            f"none of {counted['asked']} trajectories was kept; most often: {listed}. `videozoomer trajectories list "
            "--outcome rejected` lists them, docs/filters.md explains each reason"
        )
    why = why_untrained(workspace, "sft") if workspace.recipe.trains else None
    return f"there was nothing to train on: {why}" if why else None


def _training(workspace: Workspace) -> Iterator[Line]:
    if not workspace.recipe.trains or why_untrained(workspace, "sft"):
        return
    path = workspace.training("sft") / "summary.json"
    if path.exists():
        summary = json.loads(path.read_text())
        yield (
            "training",
            f"loss {summary['loss_before']:.3f} before, {summary['loss_after']:.3f} after {summary['steps']} steps; "
            f"checkpoint in {_short(path.parent / 'checkpoint')}",
        )


def _accuracy(evaluations: pl.DataFrame) -> Iterator[Line]:
    rows = evaluations.filter((pl.col("metric") == "accuracy") & (pl.col("slice") == "all")).sort("player", "setting")
    by_player: dict[str, list[str]] = {}
    for row in rows.iter_rows(named=True):
        interval = f" [{row['low']:.0%}, {row['high']:.0%}]" if row["low"] is not None else ""
        by_player.setdefault(row["player"], []).append(
            f"{row['setting']} {row['value']:.0%}{interval} of {row['questions']}"
        )
    for player, found in by_player.items():
        yield f"accuracy, {player}", "; ".join(found)


def _command() -> str:
    """How to call `videozoomer` from here: by name if the shell would find this installation, otherwise by path."""
    own = Path(sys.executable).with_name("videozoomer")
    found = shutil.which("videozoomer")
    if found and Path(found).resolve() == own.resolve():
        return "videozoomer"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)


def _short(path: Path) -> str:
    """The path as one would type it from here."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
