"""Sections on the making of trajectories: funnel, pass rates, calls and cost, zoom behaviour."""

from __future__ import annotations

import polars as pl

from eval.charts import bars, dots, histogram, horizontal_steps
from eval.report.facts import ReportFacts
from eval.report.html import Section, count, figure, interval, note, number, share, table, words
from eval.statistics import estimate
from videozoomer.lake.lake import Lake

RATES = ((0, 1), (1, 2), (2, 4), (4, 8), (8, float("inf")))
"""Bins of zoom rates in frames per second, open below and closed above; those of the paper, and one more."""

FAULTS = {
    "nothing": "neither call nor answer", "both": "call and answer at once", "several": "several answers",
    "bad_json": "call is no JSON", "bad_fields": "call has wrong fields", "outside": "outside the video",
    "over_budget": "over the frame budget", "no_zoom_left": "no zoom left", "reversed": "ends before it starts",
}  # fmt: skip
"""Names of faults in words, where the name alone does not say it."""


def funnel(lake: Lake, facts: ReportFacts) -> Section:
    rows = lake.read("funnel").to_dicts()
    if not rows:
        return Section(
            "funnel", "Funnel", note("No rule was run."), ["The rules were not run, so nothing was kept or dropped."]
        )
    body = "<p>From all that was asked to what is kept. <em>Failed</em> could not be done and may be tried again; <em>rejected</em> was looked at and found wanting.</p>"
    for kind in sorted({row["kind"] for row in rows}, key=lambda name: (name != "question", name)):
        steps, adds_up = funnel_steps([row for row in rows if row["kind"] == kind])
        asked, kept = (
            sum(r["rows"] for r in rows if r["kind"] == kind and r["stage"] == stage) for stage in ("asked", "kept")
        )
        caption = f"{kind.capitalize()}s: {count(kept)} of {count(asked)} kept" + (
            f" ({share(kept / asked)})." if asked else "."
        )
        if not adds_up:
            caption += (
                " One may be dropped for several reasons at once, so the reasons add up to more than was dropped."
            )
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
    return "<h3>What the rules drop, and why</h3>" + table(["reason", "drops", "why"], listed) if listed else ""


def funnel_steps(rows: list[dict]) -> tuple[list[dict], bool]:
    """Steps of a waterfall for one kind, and whether they add up (each dropped row under one reason).

    Where they do not, every reason is drawn back from what was asked, so that its own length is right.
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
    title = "Pass rates of the teacher"
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
            "Mean over questions of correct over valid exemplars, by topic, with 95% intervals resampled by video.",
        )  # fmt: skip
    body += table(["topic", "questions", "valid exemplars", "correct", "mean pass rate", "95% interval"], listed)
    known = rows["pass_rate"].drop_nulls().to_list()
    if known:
        chart = histogram(known, title="pass rate of a question", y_title="questions", bins=10, limits=(0, 1))
        body += figure(
            chart,
            "pass-histogram",
            "How hard the questions are: questions at the far left or right teach little by themselves.",
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
    absent = [] if facts.calls else ["Counts of calls, replays and retries were not given."]
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
        "Episodes as the tables hold them; cost at the recipe's prices, whether paid now or replayed",
    )
    if facts.calls:
        names = list(dict.fromkeys(name for counts in facts.calls.values() for name in counts))
        body += table(
            ["stage", *(words(name) for name in names)],
            [(stage, *(counts.get(name) for name in names)) for stage, counts in facts.calls.items()],
            "Counts by stage, as each noted them when it ended",
        )
    return Section("calls", "Calls, tokens and cost", body, absent)


def zooms(lake: Lake, facts: ReportFacts) -> Section:
    turns = (
        lake.scan("trajectories", columns=["trajectory_id", "video_id", "kind", "turns"]).explode("turns")
        .with_columns(*(pl.col("turns").struct.field(name) for name in ("action", "fault", "start_s", "end_s", "fps"))).drop("turns").collect()
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
        ["kind", "zooms", "rate at the median (frames/s)", "length at the median (s)"],
        [(r["kind"], r["len"], number(r["fps"]), number(r["length"])) for r in by_kind.iter_rows(named=True)],
    )
    body += figure(
        bars(by_rate, "rate", "share", x_title="frames per second", y_title="share of zooms", percent=True), "rates",
        f"Rates asked for, over {count(len(rates))} zooms of all kinds. The paper's policy: 25%, 66%, 8%, 1%, and none above 8.",
    )  # fmt: skip
    lengths = (zoomed["end_s"] - zoomed["start_s"]).to_list()
    body += figure(
        histogram(lengths, title="length of the window in seconds", y_title="zooms"),
        "lengths",
        "How long the windows are.",
    )
    if places:
        chart = histogram(places, title="middle of the window, as a share of the video", y_title="zooms", limits=(0, 1))
        body += figure(chart, "places", "Where in the video zooms fall, from its start (0) to its end (1).")
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
        "Turns that broke the protocol, by kind of episode; each was answered in words and the episode went on",
    )


def _rate_bin(fps: float) -> str:
    return next(_rate_label(pair) for pair in RATES if pair[0] < fps <= pair[1])


def _rate_label(pair: tuple[float, float]) -> str:
    low, high = pair
    return f"above {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
