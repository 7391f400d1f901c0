"""Report sections about making trajectories: funnel, pass rates, calls and cost, zoom behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from eval.charts import bars, dots, histogram, horizontal_steps
from eval.report.facts import ReportFacts
from eval.report.html import Section, count, figure, interval, note, number, share, table, words
from eval.statistics import estimate
from videozoomer.lake.lake import Lake
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import FunnelRow
from videozoomer.reviews.counting import sentence, summary

RATES = ((0, 1), (1, 2), (2, 4), (4, 8), (8, float("inf")))
"""Bins of zoom rates in frames per second: those of the paper and one for higher rates. Each excludes its lower bound
and includes its upper one."""

FAULTS = {
    "nothing": "neither call nor answer", "both": "both call and answer", "several": "several answers",
    "bad_json": "call is not valid JSON", "bad_fields": "call has wrong fields", "outside": "outside the video",
    "unreadable": "into a damaged span of the video",
    "over_budget": "over the frame budget", "no_zoom_left": "no zoom left", "unclosed": "tag is not closed",
    "reversed": "ends before it starts",
}  # fmt: skip
"""Fault -> a description, for faults whose name is not clear enough."""


def funnel(lake: Lake, facts: ReportFacts) -> Section:
    rows = rows_as(FunnelRow, lake.read("funnel"))
    if not rows:
        return Section(
            "funnel", "Funnel", note("No rule was run."), ["The rules did not run, so nothing was kept or rejected."]
        )
    body = (
        "<p>From everything asked to everything kept. <em>Failed</em> items could not be played and may be retried; "
        "<em>rejected</em> items were dropped by a rule.</p>"
    )
    for kind in sorted({row["kind"] for row in rows}, key=lambda name: (name != "question", name)):
        steps, adds_up = funnel_steps([row for row in rows if row["kind"] == kind])
        asked, kept = (
            sum(r["rows"] for r in rows if r["kind"] == kind and r["stage"] == stage) for stage in ("asked", "kept")
        )
        caption = f"{kind.capitalize()}s: {count(kept)} of {count(asked)} kept" + (
            f" ({share(kept / asked)})." if asked else "."
        )
        if not adds_up:
            caption += " Some were dropped for several reasons, so the reasons add up to more than the number dropped."
        body += f"<h3>{kind.capitalize()}s</h3>" + figure(
            horizontal_steps(steps, f"{kind}s"), f"funnel-{kind}", caption
        )
    return Section("funnel", "Funnel", body + _rules_table({row["reason"] for row in rows}))


def _rules_table(reasons: set[str]) -> str:
    from filters.rules import load_rules

    listed = [
        (words(rule.name), rule.drops.replace("`", ""), rule.why.replace("`", ""))
        for rule in load_rules()
        if rule.name in reasons
    ]
    return "<h3>What each rule drops and why</h3>" + table(["reason", "drops", "why"], listed) if listed else ""


def reviews(lake: Lake, facts: ReportFacts) -> Section:
    """What people decided, and the precision of the kept set that they measured."""
    counted = summary(lake)
    if not counted:
        return Section("reviews", "Reviews", note("Nobody has reviewed trajectories; videozoomer view does."))
    rows = [*counted["decisions"].items(), ("no longer applies: the content changed", counted["stale"])]
    measured = note(sentence(counted["precision"]) + ".") if "precision" in counted else ""
    return Section("reviews", "Reviews", measured + table(["decision that applies", "number"], rows))


def funnel_steps(rows: Sequence[FunnelRow]) -> tuple[list[dict[str, Any]], bool]:
    """The waterfall steps of one kind, and whether they add up (every dropped item counted under one reason).

    If they do not add up, every reason's bar starts from the number asked, so that its length is still right.
    """
    of = {stage: [row for row in rows if row["stage"] == stage] for stage in ("asked", "failed", "rejected", "kept")}
    asked, kept = (sum(row["rows"] for row in of[stage]) for stage in ("asked", "kept"))
    dropped = sorted(of["failed"], key=lambda row: -row["rows"]) + sorted(of["rejected"], key=lambda row: -row["rows"])
    adds_up = asked - sum(row["rows"] for row in dropped) == kept
    steps = [{"label": "asked", "from": 0, "to": asked, "end": asked, "text": count(asked), "role": "asked"}]
    left = asked
    for row in dropped:
        lower = max(0, left - row["rows"])
        label = words(row["reason"] or row["stage"])
        steps.append(
            {
                "label": label,
                "from": lower,
                "to": left,
                "end": left,
                "text": f"−{count(row['rows'])}",
                "role": row["stage"],
            }
        )
        left = lower if adds_up else asked
    return [*steps, {"label": "kept", "from": 0, "to": kept, "end": kept, "text": count(kept), "role": "kept"}], adds_up


def pass_rates(lake: Lake, facts: ReportFacts) -> Section:
    stats = lake.read(
        "question_stats", columns=["question_id", "video_id", "samples", "valid", "correct", "pass_rate"]
    ).filter(pl.col("samples") > 0)
    title = "The teacher's pass rates"
    if not stats.height:
        return Section("pass", title, note("No question has graded exemplars."), ["No exemplar was graded."])
    topics = lake.scan("questions", columns=["question_id", "topic"]).unique("question_id").collect()
    rows = stats.join(topics, on="question_id", how="left").with_columns(
        pl.col("topic").fill_null("no topic").str.replace_all("_", " ")
    )
    drawn, listed = [], []
    for name, group in [
        ("all", rows),
        *((key[0], part) for key, part in sorted(rows.group_by("topic"), key=lambda pair: pair[0])),
    ]:
        videos = dict(group.select("question_id", "video_id").iter_rows())
        found = estimate(dict(group.select("question_id", "pass_rate").iter_rows()), videos, within=(0.0, 1.0))
        if found.value is not None:
            drawn.append({"topic": name, "who": "teacher", "value": found.value, "low": found.low, "high": found.high})
        listed.append(
            (
                name,
                group.height,
                group["valid"].sum(),
                group["correct"].sum(),
                share(found.value),
                interval(found.low, found.high),
            )
        )
    body = ""
    if drawn:
        body += figure(
            dots(drawn, label="topic", color="who", title="mean pass rate"), "pass-rates",
            "Share of valid exemplars that are correct, averaged over questions; 95% intervals resampled by video.",
        )  # fmt: skip
    body += table(["topic", "questions", "valid exemplars", "correct", "mean pass rate", "95% interval"], listed)
    known = rows["pass_rate"].drop_nulls().to_list()
    if known:
        chart = histogram(known, title="pass rate of a question", y_title="questions", bins=10, limits=(0, 1))
        body += figure(
            chart,
            "pass-histogram",
            "Difficulty of the questions. Those that the teacher always or never answers correctly teach little.",
        )
    return Section("pass", title, body)


def calls(lake: Lake, facts: ReportFacts) -> Section:
    rows = (
        lake.scan("trajectories", columns=["kind", "player", "status", "input_tokens", "output_tokens", "cost_usd"])
        .group_by("kind", "player")
        .agg(
            pl.len().alias("episodes"),
            (pl.col("status") == "failed").sum().alias("failed"),
            pl.col("input_tokens").sum(), pl.col("output_tokens").sum(), pl.col("cost_usd").sum(),
        )
        .sort("kind", "player").collect()
    )  # fmt: skip
    absent = [] if facts.calls else ["The counts of calls, replays and retries are not known."]
    if not rows.height:
        return Section(
            "calls", "Calls, tokens and cost", note("No episode was played."), ["No episode was played.", *absent]
        )
    body = table(
        ["kind", "player", "episodes", "failed", "input tokens", "output tokens", "cost"],
        [
            (
                r["kind"],
                r["player"],
                r["episodes"],
                r["failed"],
                r["input_tokens"],
                r["output_tokens"],
                f"${r['cost_usd']:,.4f}",
            )
            for r in rows.iter_rows(named=True)
        ],
        "All episodes in the tables; cost at the recipe's prices, for sent and replayed calls alike",
    )
    if facts.calls:
        names = list(dict.fromkeys(name for counts in facts.calls.values() for name in counts))
        body += table(
            ["stage", *(words(name) for name in names)],
            [(stage, *(counts.get(name) for name in names)) for stage, counts in facts.calls.items()],
            "Counts that each stage recorded when it finished",
        )
    return Section("calls", "Calls, tokens and cost", body, absent)


def zooms(lake: Lake, facts: ReportFacts) -> Section:
    turns = (
        lake.scan("trajectories", columns=["trajectory_id", "video_id", "kind", "turns"]).explode("turns")
        .with_columns(*(pl.col("turns").struct.field(name) for name in ("action", "fault", "start_s", "end_s", "fps")))
        .drop("turns").collect()
    )  # fmt: skip
    zoomed = turns.filter(pl.col("action") == "zoom")
    if not zoomed.height:
        return Section("zooms", "How players zoom", note("No zoom was made."), ["No zoom was made."])
    rates = [_rate_bin(fps) for fps in zoomed["fps"]]
    labels = [_rate_label(pair) for pair in RATES]
    by_rate = [{"rate": label, "share": rates.count(label) / len(rates)} for label in labels]
    by_kind = (
        zoomed.group_by("kind")
        .agg(pl.len(), pl.col("fps").median(), (pl.col("end_s") - pl.col("start_s")).median().alias("length"))
        .sort("kind")
    )
    durations = dict(lake.read("videos", columns=["video_id", "duration_s"]).drop_nulls().iter_rows())
    places = [
        (row["start_s"] + row["end_s"]) / 2 / durations[row["video_id"]]
        for row in zoomed.iter_rows(named=True) if row["video_id"] in durations
    ]  # fmt: skip
    body = table(
        ["kind", "zooms", "median rate (frames/s)", "median length (s)"],
        [(r["kind"], r["len"], number(r["fps"]), number(r["length"])) for r in by_kind.iter_rows(named=True)],
    )
    body += figure(
        bars(by_rate, "rate", "share", x_title="frames per second", y_title="share of zooms", percent=True), "rates",
        f"Requested rates of all {count(len(rates))} zooms. The paper's policy: 25%, 66%, 8%, 1%, none above 8.",
    )  # fmt: skip
    lengths = (zoomed["end_s"] - zoomed["start_s"]).to_list()
    body += figure(
        histogram(lengths, title="length of the window in seconds", y_title="zooms"),
        "lengths",
        "Lengths of the zoom windows.",
    )
    if places:
        chart = histogram(places, title="middle of the window, as a share of the video", y_title="zooms", limits=(0, 1))
        body += figure(chart, "places", "Position of zooms in the video, from its start (0) to its end (1).")
    return Section("zooms", "How players zoom", body + "<h3>Faults</h3>" + _faults_table(turns))


def _faults_table(turns: pl.DataFrame) -> str:
    faults = turns.filter(pl.col("action") == "fault")
    if not faults.height:
        return note("No turn broke the protocol.")
    counts = {(fault, kind): rows for fault, kind, rows in faults.group_by("fault", "kind").len().iter_rows()}
    kinds, names = sorted({kind for _, kind in counts}), sorted({fault for fault, _ in counts})
    return table(
        ["fault", *kinds],
        [(FAULTS.get(fault, words(fault)), *(counts.get((fault, kind), 0) for kind in kinds)) for fault in names],
        "Turns that broke the protocol, by kind of episode; the player got an error message and the episode continued",
    )


def _rate_bin(fps: float) -> str:
    return next(_rate_label(pair) for pair in RATES if pair[0] < fps <= pair[1])


def _rate_label(pair: tuple[float, float]) -> str:
    low, high = pair
    return f"above {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
