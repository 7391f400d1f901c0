"""Report sections about the inputs: settings and versions, videos, shots, questions."""

from __future__ import annotations

import platform
from importlib import metadata
from statistics import median

import polars as pl

from eval.charts import bars, histogram
from eval.report.facts import ReportFacts
from eval.report.html import Section, count, facts_list, figure, note, number, size, table, words
from videozoomer.lake.lake import Lake

PACKAGES = (
    "videozoomer", "dagster", "polars", "duckdb", "av", "scenedetect-headless", "openai", "torch", "transformers",
    "deepspeed", "trl",
)  # fmt: skip
"""Packages whose versions the report lists."""
NOT_NAMED = "not named"


def what_ran(lake: Lake, facts: ReportFacts) -> Section:
    played = (
        lake.scan("trajectories", columns=["protocol_version", "prompt_version", "player", "kind"]).unique().collect()
    )
    body, absent = "", []
    if facts.recipe_name:
        body += facts_list({"recipe": facts.recipe_name} | ({"created": facts.made_at} if facts.made_at else {}))
    else:
        absent.append("The recipe's name is not known.")
    if played.height:
        body += facts_list(
            {
                "players": ", ".join(sorted(set(played["player"]))),
                "kinds of episodes": ", ".join(sorted(set(played["kind"]))),
                "protocol version": ", ".join(sorted(set(played["protocol_version"]))),
                "prompt version": ", ".join(sorted(set(played["prompt_version"]))),
            }
        )
        served = _served(lake)
        body += "<h3>Models</h3>" + table(["player", "model that its replies name", "trajectories"], served)
        if any(model != player and model != NOT_NAMED for player, model, _ in served):
            body += note(
                "Where the two names differ, the server has an alias or a release for the model, or a gateway answered "
                "with another one; another_model: refuse takes no other."
            )
    for name, values in (("Teacher", facts.teacher), ("Protocol", facts.protocol)):
        if values:
            body += f"<h3>{name}</h3>" + facts_list(values)
        else:
            absent.append(f"The {name.lower()}'s settings are not known.")
    return Section("ran", "What ran", body + "<h3>Versions</h3>" + facts_list(_versions()), absent)


def _served(lake: Lake) -> list[tuple[str, str, int]]:
    """Trajectories of each player by the model that its replies name; one whose replies name two counts for both."""
    named = lake.read("trajectories", columns=["player", "served_models"]).explode("served_models")
    counted = named.with_columns(pl.col("served_models").fill_null(NOT_NAMED)).group_by("player", "served_models").len()
    return counted.sort("player", "served_models").rows()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def videos(lake: Lake, facts: ReportFacts) -> Section:
    columns = ["uri", "source", "status", "reason", "detail", "codec", "duration_s", "unreadable_s", "bytes"]
    columns += ["variable_rate"]
    rows = lake.read("videos", columns=columns)
    if not rows.height:
        return Section("videos", "Videos", note("No video was ingested."), ["No video was ingested."])
    by_source = rows.group_by("source").agg(
        pl.len().alias("files"),
        (pl.col("status") == "ok").sum().alias("ok"),
        (pl.col("status") != "ok").sum().alias("quarantined"),
        (pl.col("duration_s").sum() / 3600).alias("hours"),
        pl.col("bytes").sum(),
        pl.col("codec").drop_nulls().unique().sort().str.join(", ").alias("codecs"),
        (pl.col("variable_rate").fill_null(False)).sum().alias("variable"),
    ).sort("source")  # fmt: skip
    body = table(
        ["source", "files", "ingested", "quarantined", "hours", "size", "codecs", "variable frame rate"],
        [
            (
                r["source"],
                r["files"],
                r["ok"],
                r["quarantined"],
                number(r["hours"]),
                size(r["bytes"]),
                r["codecs"],
                r["variable"],
            )
            for r in by_source.iter_rows(named=True)
        ],
    )
    lengths = rows.filter(pl.col("status") == "ok")["duration_s"].drop_nulls()
    if len(lengths) > 1:
        minutes = [value / 60 for value in lengths]
        body += figure(
            histogram(minutes, title="duration in minutes", y_title="videos"), "durations",
            f"Durations: {min(minutes):.1f} to {max(minutes):.1f} minutes, {sum(minutes) / 60:.2f} hours in total.",
        )  # fmt: skip
    lost = rows.filter(pl.col("status") != "ok").sort("reason", "uri")
    if lost.height:
        body += "<h3>Quarantined files</h3>" + table(
            ["file", "reason", "what to do"],
            lost.select("uri", pl.col("reason").str.replace_all("_", " "), "detail").iter_rows(),
        )
    else:
        body += note("No file was quarantined.")
    salvaged = rows.filter((pl.col("status") == "ok") & (pl.col("unreadable_s") > 0)).sort("uri")
    if salvaged.height:
        body += "<h3>Salvaged files</h3>" + note(
            "Damaged files of which a part is used. The rest is in the table bad_spans: no frame is shown there."
        )
        body += table(
            ["file", "unreadable (s)", "of (s)", "why"],
            [
                (row["uri"], number(row["unreadable_s"]), number(row["duration_s"]), row["detail"])
                for row in salvaged.iter_rows(named=True)
            ],
        )
    return Section("videos", "Videos", body)


def shots(lake: Lake, facts: ReportFacts) -> Section:
    rows = lake.read("shots", columns=["video_id", "start_s", "end_s", "detector"])
    if not rows.height:
        return Section("shots", "Shots", note("No shot was detected."), ["Shot detection did not run."])
    lengths = (rows["end_s"] - rows["start_s"]).to_list()
    per_video = rows.group_by("video_id").len()["len"].to_list()
    body = facts_list(
        {
            "shots": rows.height,
            "median shots per video": number(median(per_video), 0),
            "median length": f"{median(lengths):.1f} s",
            "detectors": ", ".join(sorted(set(rows["detector"]))),
        }
    )
    chart = histogram(lengths, title="length of a shot in seconds", y_title="shots")
    caption = f"Lengths of {count(len(lengths))} shots in {count(len(per_video))} videos."
    return Section("shots", "Shots", body + figure(chart, "shots", caption))


def questions(lake: Lake, facts: ReportFacts) -> Section:
    rows = lake.read("questions", columns=["split", "topic", "answer_type", "evidence", "status", "reason"])
    if not rows.height:
        return Section("questions", "Questions", note("No question was read."), ["No question was read."])
    rows = rows.with_columns(pl.col("topic").fill_null("no topic").str.replace_all("_", " "))
    good = rows.filter(pl.col("status") == "ok")
    by_topic = good.group_by("topic", "split").len().sort(["split", "topic"], descending=[True, False])
    body = facts_list(
        {
            "questions": rows.height,
            "for training": good.filter(pl.col("split") == "train").height,
            "for evaluation": good.filter(pl.col("split") == "evaluation").height,
            "quarantined": rows.height - good.height,
            "with known evidence": good.filter(pl.col("evidence").list.len() > 0).height,
            "answer types": ", ".join(
                f"{name.replace('_', ' ')} {n}"
                for name, n in good.group_by("answer_type").len().sort("answer_type").iter_rows()
            ),
        }
    )
    if by_topic.height:
        body += figure(
            bars(by_topic.to_dicts(), "topic", "len", x_title="topic", y_title="questions", color="split"), "topics",
            "Questions by topic and split. All questions about a video are in the same split.",
        )  # fmt: skip
    lost = rows.filter(pl.col("status") != "ok")
    if lost.height:
        reasons = lost.group_by(pl.col("reason").fill_null("no reason given")).len().sort("len", descending=True)
        body += "<h3>Quarantined questions</h3>" + table(
            ["reason", "questions"], ((words(reason), number_of) for reason, number_of in reasons.iter_rows())
        )
    return Section("questions", "Questions", body)
