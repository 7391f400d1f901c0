"""Sections on what came out: shards, training, evaluations, leaks, and what was not run."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eval.charts import curves, dots, loss_curve
from eval.conditions import CONDITIONS
from eval.figures import RL_CURVES, has_loss, has_values
from eval.metrics import ALL, GAIN, MEANINGS
from eval.report.facts import ReportFacts, read_json, read_json_lines
from eval.report.html import Raw, Section, escape, facts_list, figure, interval, note, number, share, size, table, words
from videozoomer.lake.lake import Lake

SHARES = ("accuracy", "hit_rate", "zoomed", "well_formed", "unanswered", GAIN)
"""Metrics written in percent."""
STAGES = (("sft", "supervised fine-tuning"), ("rl", "reinforcement learning"), ("evaluation", "evaluation"))
"""Kinds of data sets and what they are for."""


def shards(lake: Lake, facts: ReportFacts) -> Section:
    from videozoomer.shards.manifest import FILE, read_manifest

    rows, absent = [], []
    for kind in dict.fromkeys([*(kind for kind, _ in STAGES), *facts.shard_folders]):
        folder = facts.shard_folders.get(kind)
        if folder is None or not (folder / FILE).is_file():
            absent.append(f"The {kind} data set was not written.")
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
        return Section("training", title, note("No policy was trained."), ["The policy was not trained."])
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
        absent.append("There is no summary.json of a training run.")
    if rows := [row for row in metrics or [] if has_loss(row)]:
        caption = f"Loss over {len(rows)} optimiser steps: {rows[0]['loss']:.3f} at the first, {rows[-1]['loss']:.3f} at the last."
        body += figure(loss_curve(rows), "loss", caption)
    else:
        absent.append("There is no metrics.jsonl of a training run, or it holds no loss.")
    return Section("training", title, body or note("No policy was trained."), absent)


def reinforcement(lake: Lake, facts: ReportFacts) -> Section:
    title = "Reinforcement learning"
    summary = read_json(facts.rl_folder / "summary.json") if facts.rl_folder else None
    if summary is None:
        return Section("reinforcement", title, note("Not run."), ["Reinforcement learning was not run."])
    body = facts_list({name: value for name, value in summary.items() if isinstance(value, int | float | str)})
    metrics = read_json_lines(facts.rl_folder / "metrics.jsonl") or []
    if not has_values(metrics):
        return Section(
            "reinforcement",
            title,
            body,
            ["There is no metrics.jsonl of the reinforcement learning, or it holds no figure."],
        )
    caption = f"Over {len(metrics)} rounds of play. " + note_of_figures(metrics[0], metrics[-1])
    return Section("reinforcement", title, body + figure(curves(metrics, RL_CURVES), "rl-curves", caption))


def note_of_figures(first: dict, last: dict) -> str:
    """The plots in words, for who cannot see them."""
    told = [
        f"{words(name)} {first[name]:.3g} at first, {last[name]:.3g} at last"
        for name in ("reward", "accuracy", "zoom_rate", "hit_rate")
        if first.get(name) is not None and last.get(name) is not None
    ]
    return "; ".join(told) + "." if told else ""


def evaluations(lake: Lake, facts: ReportFacts) -> Section:
    rows = lake.read("evaluations").to_dicts()
    if not rows:
        return Section("evaluations", "Evaluations", note("No player was evaluated."), ["No player was evaluated."])
    order = {name: n for n, name in enumerate(CONDITIONS)}
    rows.sort(key=lambda row: (row["player"], order.get(row["setting"], len(order)), row["slice"] != ALL, row["slice"]))
    overall = [row for row in rows if row["slice"] == ALL]
    body = "<p>" + "; ".join(f"<em>{escape(name)}</em>: {escape(what)}" for name, what in CONDITIONS.items()) + ".</p>"
    if accuracy := _drawn(overall, "accuracy"):
        body += figure(
            dots(accuracy, label="player", color="setting", title="accuracy"), "accuracy",
            "Accuracy with 95% intervals, resampled by video, for each player and setting: " + _spoken(overall) + ".",
        )  # fmt: skip
    if gains := [row for row in overall if row["metric"] == GAIN]:
        body += "<h3>What zooming adds</h3>" + table(
            ["player", "points gained", "95% interval", "questions"],
            [(r["player"], _signed(r["value"]), interval(r["low"], r["high"], _signed), r["questions"]) for r in gains],
            "Accuracy with zoom less accuracy from the overview alone, paired by question",
        )
    body += "<h3>All figures</h3>" + _by_setting(overall)
    body += "<details><summary>Each figure with its interval and the questions it rests on</summary>" + table(
        ["player", "setting", "metric", "value", "95% interval", "questions", "unknown"],
        [_row(r, words(r["metric"])) for r in overall if r["metric"] != GAIN],
    )
    body += note(
        "Unknown questions could not be played or judged; they are left out of the value. A dash instead of an interval: "
        "it would rest on one video, or the videos do not differ. With few videos the intervals are wide, as they must be."
    )
    body += "</details><details><summary>What each metric means</summary>" + facts_list(MEANINGS) + "</details>"
    if any(row["slice"] != ALL for row in rows):
        body += "<h3>Accuracy by topic</h3>" + _by_topic([row for row in rows if row["slice"] != ALL])
    played = {row["setting"] for row in rows}
    absent = [
        f"The setting '{name}' ({what}) was not evaluated." for name, what in CONDITIONS.items() if name not in played
    ]
    return Section("evaluations", "Evaluations", body, absent)


def _by_setting(rows: Sequence[dict]) -> str:
    """One row for each player and setting, one column for each metric."""
    values = {(row["player"], row["setting"], row["metric"]): row["value"] for row in rows if row["metric"] != GAIN}
    metrics = [name for name in MEANINGS if any(key[2] == name for key in values)]

    def cell(pair: tuple[str, str], metric: str) -> str:
        return (share if metric in SHARES else number)(values.get((*pair, metric)))

    pairs = dict.fromkeys((row["player"], row["setting"]) for row in rows)
    return table(
        ["player", "setting", *(words(name) for name in metrics)],
        [(*pair, *(cell(pair, metric) for metric in metrics)) for pair in pairs],
    )


def _by_topic(rows: Sequence[dict]) -> str:
    """One row for each player and topic, one column for each setting and one for what zooming adds."""
    found = {(row["player"], row["slice"], row["metric"], row["setting"]): row for row in rows}
    columns = [
        ("accuracy", setting, setting)
        for setting in CONDITIONS
        if any(key[2:] == ("accuracy", setting) for key in found)
    ]
    columns += [(GAIN, "zoom", "gain by zooming")] if any(key[2] == GAIN for key in found) else []

    def cell(row: dict | None) -> str | None:
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
                *(cell(found.get((player, topic, metric, setting))) for metric, setting, _ in columns),
            )
            for player, topic in pairs
        ],
    )


def _drawn(rows: Sequence[dict], metric: str) -> list[dict]:
    return [row for row in rows if row["metric"] == metric and row["value"] is not None]


def _spoken(rows: Sequence[dict]) -> str:
    return "; ".join(f"{row['player']}, {row['setting']} {share(row['value'])}" for row in _drawn(rows, "accuracy"))


def _row(row: dict, name: str) -> tuple:
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
            note("Leaks were not looked for."),
            ["Training data was not checked against the evaluation sets."],
        )
    rows = lake.read("leaks").sort("kind", "train_id", "evaluation_id")
    if not rows.height:
        return Section(
            "leaks",
            title,
            note("Training videos and questions were held against every evaluation set; none was found in one."),
        )
    counted = rows.group_by("kind").agg(pl.len(), pl.col("train_id").n_unique().alias("items")).sort("kind")
    body = table(["kind", "pairs", "training items"], ((words(k), n, m) for k, n, m in counted.iter_rows()))
    body += "<p>What was found on both sides is left out of the training data.</p>" + table(
        ["kind", "training side", "evaluation side", "likeness"],
        (
            (words(r["kind"]), r["train_id"], r["evaluation_id"], f"{r['score']:.2f}")
            for r in rows.iter_rows(named=True)
        ),
    )
    return Section("leaks", title, body)


def not_run(sections: Sequence[Section]) -> Section:
    """What the other sections could not show, in one place."""
    listed = [sentence for section in sections for sentence in section.absent]
    body = "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in dict.fromkeys(listed)) + "</ul>"
    return Section("absent", "What was not run", body)
