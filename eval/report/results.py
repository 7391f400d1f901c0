"""Report sections about the results: data sets, training, evaluations, leaks, and what did not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from eval.charts import curves, dots, loss_curve
from eval.conditions import CONDITIONS
from eval.figures import RL_CURVES, has_loss, has_values
from eval.metrics import ALL, GAIN, MEANINGS
from eval.report.facts import ReportFacts, evaluations_of, read_json, read_json_lines
from eval.report.html import Raw, Section, escape, facts_list, figure, interval, note, number, share, size, table, words
from videozoomer.lake.lake import Lake
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import EvaluationRow

SHARES = ("accuracy", "hit_rate", "zoomed", "well_formed", "unanswered", GAIN)
"""Metrics shown in percent."""
STAGES = (("sft", "supervised fine-tuning"), ("rl", "reinforcement learning"), ("evaluation", "evaluation"))
"""Kind of data set -> the stage that uses it."""


def shards(lake: Lake, facts: ReportFacts) -> Section:
    from videozoomer.shards.manifest import FILE, read_manifest

    rows, absent = [], []
    for kind in dict.fromkeys([*(kind for kind, _ in STAGES), *facts.shard_folders]):
        folder = facts.shard_folders.get(kind)
        if folder is None or not (folder / FILE).is_file():
            absent.append(f"The data set for {dict(STAGES).get(kind, kind)} was not written.")
            continue
        manifest = read_manifest(folder)
        counts = ", ".join(
            f"{words(name.rpartition(':')[2])} {value:,}"
            for name, value in manifest.counts.items()
            if name not in ("rows", "frames")
        )
        rows.append(
            (kind, manifest.rows, manifest.frames, len(manifest.files), size(manifest.bytes), counts, str(folder))
        )
    body = (
        table(["data set", "rows", "frames", "files", "size", "counts", "folder"], rows)
        if rows
        else note("No data set was written.")
    )
    return Section("shards", "Data sets", body, absent)


def training(lake: Lake, facts: ReportFacts) -> Section:
    title = "Supervised fine-tuning"
    if facts.training_folder is None:
        why = f": {facts.untrained.rstrip('.')}" if facts.untrained else ""
        return Section("training", title, note(f"No policy was trained{why}."), [f"The policy was not trained{why}."])
    summary = read_json(facts.training_folder / "summary.json")
    metrics = read_json_lines(facts.training_folder / "metrics.jsonl")
    body, absent = "", []
    if summary:
        first = {name: summary[name] for name in ("loss_before", "loss_after") if name in summary}
        rest = {
            name: value for name, value in summary.items() if name not in first and isinstance(value, int | float | str)
        }
        body += facts_list(first | rest)
    else:
        absent.append("The fine-tuning has no summary.json.")
    if rows := [row for row in metrics or [] if has_loss(row)]:
        first_loss, last_loss = rows[0]["loss"], rows[-1]["loss"]
        caption = (
            f"Loss over {len(rows)} optimiser steps, from {first_loss:.3f} at the first to {last_loss:.3f} at the last."
        )
        body += figure(loss_curve(rows), "loss", caption)
    else:
        absent.append("The fine-tuning has no metrics.jsonl with a loss.")
    return Section("training", title, body or note("No policy was trained."), absent)


def reinforcement(lake: Lake, facts: ReportFacts) -> Section:
    title = "Reinforcement learning"
    summary = read_json(facts.rl_folder / "summary.json") if facts.rl_folder else None
    if facts.rl_folder is None or summary is None:
        return Section("reinforcement", title, note("Not run."), ["Reinforcement learning did not run."])
    body = facts_list({name: value for name, value in summary.items() if isinstance(value, int | float | str)})
    metrics = read_json_lines(facts.rl_folder / "metrics.jsonl") or []
    if not has_values(metrics):
        return Section(
            "reinforcement",
            title,
            body,
            ["Reinforcement learning has no metrics.jsonl with values."],
        )
    caption = f"Over {len(metrics)} rounds. " + _first_and_last(metrics[0], metrics[-1])
    return Section("reinforcement", title, body + figure(curves(metrics, RL_CURVES), "rl-curves", caption))


def _first_and_last(first: dict[str, Any], last: dict[str, Any]) -> str:
    """The plots in words, for readers who cannot see them."""
    changes = [
        f"{words(name)} from {first[name]:.3g} to {last[name]:.3g}"
        for name in ("reward", "accuracy", "zoom_rate", "hit_rate")
        if first.get(name) is not None and last.get(name) is not None
    ]
    return ("Change from the first to the last round: " + ", ".join(changes) + ".") if changes else ""


def evaluations(lake: Lake, facts: ReportFacts) -> Section:
    rows = rows_as(EvaluationRow, evaluations_of(lake, facts))
    if not rows:
        return Section("evaluations", "Evaluations", note("No player was evaluated."), ["No player was evaluated."])
    order: dict[str, int] = {name: n for n, name in enumerate(CONDITIONS)}
    rows.sort(key=lambda row: (row["player"], order.get(row["setting"], len(order)), row["slice"] != ALL, row["slice"]))
    overall = [row for row in rows if row["slice"] == ALL]
    body = "<p>" + "; ".join(f"<em>{escape(name)}</em>: {escape(what)}" for name, what in CONDITIONS.items()) + ".</p>"
    if accuracy := [row for row in overall if row["metric"] == "accuracy" and row["value"] is not None]:
        listed = "; ".join(f"{row['player']}, {row['setting']} {share(row['value'])}" for row in accuracy)
        body += figure(
            dots(accuracy, label="player", color="setting", title="accuracy"), "accuracy",
            f"Accuracy of each player in each condition, with 95% intervals resampled by video: {listed}.",
        )  # fmt: skip
    if gains := [row for row in overall if row["metric"] == GAIN]:
        body += "<h3>What zooming adds</h3>" + table(
            ["player", "percentage points gained", "95% interval", "questions"],
            [(r["player"], _signed(r["value"]), interval(r["low"], r["high"], _signed), r["questions"]) for r in gains],
            "Accuracy with zoom minus accuracy from the overview alone, paired by question",
        )
    body += "<h3>All metrics</h3>" + _by_condition(overall)
    body += "<details><summary>Every metric with its interval and its number of questions</summary>" + table(
        ["player", "condition", "metric", "value", "95% interval", "questions", "unknown"],
        [_row(r, words(r["metric"])) for r in overall if r["metric"] != GAIN],
    )
    body += note(
        "Unknown questions could not be played or judged and are left out of the value. A dash instead of an interval "
        "means that there is only one video or that the videos do not differ. With few videos the intervals are wide."
    )
    body += "</details><details><summary>What each metric means</summary>" + facts_list(MEANINGS) + "</details>"
    if any(row["slice"] != ALL for row in rows):
        body += "<h3>Accuracy by topic</h3>" + _by_topic([row for row in rows if row["slice"] != ALL])
    played = {row["setting"] for row in rows}
    absent = [
        f"No player was evaluated in condition '{name}' ({text})."
        for name, text in CONDITIONS.items()
        if name not in played
    ]
    return Section("evaluations", "Evaluations", body, absent)


def _by_condition(rows: Sequence[EvaluationRow]) -> str:
    """One row per player and condition, one column per metric."""
    values = {(row["player"], row["setting"], row["metric"]): row["value"] for row in rows if row["metric"] != GAIN}
    metrics = [name for name in MEANINGS if any(key[2] == name for key in values)]

    def cell(pair: tuple[str, str], metric: str) -> str:
        return (share if metric in SHARES else number)(values.get((*pair, metric)))

    pairs = dict.fromkeys((row["player"], row["setting"]) for row in rows)
    return table(
        ["player", "condition", *(words(name) for name in metrics)],
        [(*pair, *(cell(pair, metric) for metric in metrics)) for pair in pairs],
    )


def _by_topic(rows: Sequence[EvaluationRow]) -> str:
    """One row per player and topic, one column per condition and one for the gain from zooming."""
    found = {(row["player"], row["slice"], row["metric"], row["setting"]): row for row in rows}
    measured = {(metric, condition) for _, _, metric, condition in found}
    columns = [("accuracy", str(name), str(name)) for name in CONDITIONS if ("accuracy", name) in measured]
    columns += [(GAIN, "zoom", "gain from zooming")] if (GAIN, "zoom") in measured else []

    def cell(row: EvaluationRow | None) -> str | None:
        if row is None:
            return None
        write = _signed if row["metric"] == GAIN else share
        small = [f"{row['questions']} question{'' if row['questions'] == 1 else 's'}"] + (
            [interval(row["low"], row["high"], write)] if row["low"] is not None else []
        )
        small += [f"{row['unknown']} unknown"] if row["unknown"] else []
        return Raw(f"{write(row['value'])}<br><small>{escape('; '.join(small))}</small>")

    pairs = dict.fromkeys((row["player"], row["slice"]) for row in rows)
    return table(
        ["player", "topic", *(title for _, _, title in columns)],
        [
            (
                player,
                words(topic),
                *(cell(found.get((player, topic, metric, condition))) for metric, condition, _ in columns),
            )
            for player, topic in pairs
        ],
    )


def _row(row: EvaluationRow, name: str) -> tuple:
    write = share if row["metric"] in SHARES else number
    return (
        row["player"], row["setting"], name, write(row["value"]), interval(row["low"], row["high"], write),
        row["questions"], row["unknown"],
    )  # fmt: skip


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def leaks(lake: Lake, facts: ReportFacts) -> Section:
    title = "Leaks between training and evaluation"
    if not lake.partitions("leaks"):
        return Section(
            "leaks",
            title,
            note("The training data was not checked for leaks."),
            ["The training data was not checked against the evaluation sets."],
        )
    rows = lake.read("leaks").sort("kind", "train_id", "evaluation_id")
    waiting = _near_misses(lake.read("copies").filter(pl.col("status") == "listed").sort("evidence", descending=True))
    waiting += _alike_questions(lake.read("question_leaks").filter(pl.col("status") == "listed")["train_id"].n_unique())
    if not rows.height:
        return Section("leaks", title, note("No training video or question appears in an evaluation set.") + waiting)
    counted = rows.group_by("kind").agg(pl.len(), pl.col("train_id").n_unique().alias("items")).sort("kind")
    body = table(["kind", "pairs", "training items"], ((words(k), n, m) for k, n, m in counted.iter_rows()))
    body += "<p>These training items are left out of the data sets.</p>" + table(
        ["kind", "training side", "evaluation side", "likeness"],
        (
            (words(r["kind"]), r["train_id"], r["evaluation_id"], f"{r['score']:.2f}")
            for r in rows.iter_rows(named=True)
        ),
    )
    return Section("leaks", title, body + waiting)


def _alike_questions(count: int) -> str:
    """How many training questions wait for a person."""
    if not count:
        return ""
    what = "question is" if count == 1 else "questions are"
    return note(
        f"{count:,} training {what} like an evaluation question, not certainly the same, and used in training: table "
        "question_leaks, status `listed`."
    )


def _near_misses(listed: pl.DataFrame) -> str:
    """Pairs of videos that a person should look at."""
    if not listed.height:
        return ""
    return "<p>These videos have something in common and are kept; look at them.</p>" + table(
        ["training video", "evaluation video", "seconds", "share", "evidence"],
        (
            (r["train_id"], r["evaluation_id"], f"{r['length_s']:.1f}", f"{r['share']:.2f}", f"{r['evidence']:.0f}")
            for r in listed.iter_rows(named=True)
        ),
    )


def not_run(sections: Sequence[Section]) -> Section:
    """A list of what the other sections could not show."""
    listed = [sentence for section in sections for sentence in section.absent]
    body = "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in dict.fromkeys(listed)) + "</ul>"
    return Section("absent", "What did not run", body)
