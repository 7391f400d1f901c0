"""What a run leaves on the screen: counts that come from the tables, paths, and what to try next."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from assets.reporting import call_statistics
from assets.workspace import Workspace
from pipelines.run import Outcome
from videozoomer.settings import Recipe


def print_summary(recipe: Recipe, outcome: Outcome, console: Console, recipe_path: Path) -> None:
    workspace = Workspace(recipe)
    made, kept = len(outcome.materialized), len(outcome.current)
    if not made:
        console.print(f"\nEverything is up to date: {kept} results were current, nothing was done again.")
    else:
        console.print(f"\n{made} results made, {kept} were current.")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(workspace):
        table.add_row(name, text)
    console.print(table, highlight=False)
    shown, command = _short(recipe_path), _command()
    console.print(
        f"\nNext:\n  {command} trajectories list --kind reflection -r {shown}\n  {command} ui -r {shown}\n"
        f"  {command} init my.yaml    (then fill in your videos and server)",
        highlight=False,
        soft_wrap=True,
    )


def _lines(workspace: Workspace) -> list[tuple[str, str]]:
    lake = workspace.lake
    lines: list[tuple[str, str]] = []
    videos = lake.read("videos", columns=["status", "reason", "uri", "duration_s"])
    lost = videos.filter(pl.col("status") != "ok")
    lines.append(
        (
            "videos",
            f"{videos.height - lost.height} taken ({(videos['duration_s'].sum() or 0) / 60:.0f} min), {lost.height} quarantined"
            + "".join(f"\n  {Path(row['uri']).name}: {row['reason']}" for row in lost.iter_rows(named=True)),
        )
    )
    lines.append(("shots", str(lake.read("shots", columns=["video_id"]).height)))
    questions = lake.read("questions", columns=["status", "split"])
    usable = questions.filter(pl.col("status") == "ok")
    splits = Counter(usable["split"].to_list())
    lines.append(
        (
            "questions",
            f"{splits['train']} for training, {splits['evaluation']} for evaluation, {questions.height - usable.height} quarantined",
        )
    )
    lines += _funnel(lake.read("funnel"))
    for stage, calls in call_statistics(workspace).items():
        lines.append((f"calls, {stage}", _calls(calls)))
    for kind in ("sft", "rl", "evaluation"):
        stamp = workspace.stamps.read(f"{kind}_shards")
        if stamp:
            facts = stamp.facts
            lines.append(
                (
                    f"{kind} shards",
                    f"{facts['rows']} rows, {facts['frames']} frames, {facts['bytes'] / 1e6:.1f} MB in {_short(workspace.shards(kind))}",
                )
            )
    summary = workspace.training("sft") / "summary.json"
    if summary.exists():
        told = json.loads(summary.read_text())
        lines.append(
            (
                "training",
                f"loss {told['loss_before']:.3f} before, {told['loss_after']:.3f} after {told['steps']} steps; checkpoint in {_short(summary.parent / 'checkpoint')}",
            )
        )
    lines += _accuracy(lake.read("evaluations"))
    for name, page in (("report", "index.html"), ("trajectories", "trajectories.html")):
        if (workspace.report / page).exists():
            lines.append((name, _short(workspace.report / page)))
    return lines


def _funnel(funnel: pl.DataFrame) -> list[tuple[str, str]]:
    lines = []
    for kind in ("exemplar", "reflection"):
        rows = funnel.filter(pl.col("kind") == kind)
        if rows.is_empty():
            continue
        by_stage = dict(rows.group_by("stage").agg(pl.col("rows").sum()).iter_rows())
        reasons = rows.filter(pl.col("stage").is_in(["rejected", "failed"])).sort("rows", descending=True)
        text = ", ".join(f"{by_stage.get(stage, 0)} {stage}" for stage in ("asked", "kept", "rejected", "failed"))
        text += "".join(f"\n  {row['rows']:>4} {row['reason']}" for row in reasons.iter_rows(named=True) if row["rows"])
        lines.append((f"{kind}s", text))
    return lines


def _calls(calls: dict) -> str:
    text = f"{calls.get('calls_made', 0)} made, {calls.get('calls_replayed', 0)} replayed; {calls.get('input_tokens', 0):,} tokens in, {calls.get('output_tokens', 0):,} out"
    return text + (f", {calls['cost_usd']:.2f} USD" if calls.get("cost_usd") else "")


def _accuracy(evaluations: pl.DataFrame) -> list[tuple[str, str]]:
    rows = evaluations.filter((pl.col("metric") == "accuracy") & (pl.col("slice") == "all")).sort("player", "setting")
    by_player: dict[str, list[str]] = {}
    for row in rows.iter_rows(named=True):
        interval = f" [{row['low']:.0%}, {row['high']:.0%}]" if row["low"] is not None else ""
        by_player.setdefault(row["player"], []).append(
            f"{row['setting']} {row['value']:.0%}{interval} of {row['questions']}"
        )
    return [(f"accuracy, {player}", "; ".join(found)) for player, found in by_player.items()]


def _command() -> str:
    """How `videozoomer` is called from here: by name where the shell would find this one."""
    own = Path(sys.executable).with_name("videozoomer")
    found = shutil.which("videozoomer")
    if found and Path(found).resolve() == own.resolve():
        return "videozoomer"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)


def _short(path: Path) -> str:
    """The path as one would type it from here."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
