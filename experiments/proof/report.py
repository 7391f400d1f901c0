"""The proof's report: stages, accuracy over zooms, training curves; as text, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.charts import curves, dots, loss_curve
from eval.report.html import Section, figure, note, table
from eval.report.page import write_page
from experiments.proof.figures import METRICS, Summary, summary
from experiments.proof.plan import Plan
from experiments.proof.stages import MAX_ZOOMS
from videozoomer.lake.atomic import write_text

STAGES = {
    "student": "student",
    "sft": "SFT, reflections too",
    "rl": "GRPO",
    "uniform": "uniform frames, trained",
    "uniform-teacher": "uniform frames, teacher",
}
"""Stage -> title. The last two answer in one turn from as many uniform frames as the last policy saw; the
teacher's row is an upper bound.
"""
CHANCE = 1 / 8
RL_CURVES = (
    "reward",
    "accuracy",
    "hit_rate",
    "zoom_rate",
    "zooms",
    "frames",
    "loss",
    "kl",
    "entropy",
    "clip_share",
    "groups_dropped",
    "tokens_per_second",
)


Stage = dict[str, Summary | None]
"""Metric -> its summary; None where no question has the metric."""


@dataclass(frozen=True, slots=True)
class Report:
    text: str
    page: Path


def write_report(home: Path, plan: Plan, *, seconds: float) -> Report:
    """Write the report from the stages' results.

    Raises:
        FileNotFoundError: no seed has finished.
    """
    ended = [seed for seed in plan.seeds if (home / f"seed-{seed}" / f"{plan.baselines[-1]}.json").is_file()]
    if not ended:
        raise FileNotFoundError(f"no seed has finished in {home}; run the proof again to resume")
    stages = {
        name: _stage(home, ended, name) for name in STAGES if name in ("student", "sft", plan.last, *plan.baselines)
    }
    budgets = {most: _stage(home, ended, f"at-most-{most}") for most in range(MAX_ZOOMS)} | {
        MAX_ZOOMS: stages[plan.last]
    }
    results = {"stages": stages, "at_most_zooms": budgets, "seconds": seconds}
    write_text(home / "results.json", json.dumps(results, indent=1) + "\n")
    accuracy = {name: _known(stage, "accuracy") for name, stage in stages.items()}
    gained = accuracy[plan.last]["value"] - accuracy["sft"]["value"]
    ahead = {name: accuracy[plan.last]["value"] - accuracy[name]["value"] for name in plan.baselines}
    against = ", ".join(f"{points * 100:+.1f} against {STAGES[name]}" for name, points in ahead.items())
    facts = (
        f"{len(ended)} of {len(plan.seeds)} seeds, {plan.test_films * plan.test_each} held-out questions on "
        f"{plan.test_films} held-out films, chance {CHANCE:.1%}. "
        + (f"GRPO adds {gained * 100:+.1f} points; " if plan.rl_rounds else "GRPO was not run; ")
        + f"{against}."
    )
    first = [
        (STAGES[name], f"{found['value']:.1%}", f"95% interval {_interval(found)}") for name, found in accuracy.items()
    ]
    page = write_page(
        home / "report.html", "Learning to zoom: a tiny policy", first, _sections(home, ended, stages, budgets, facts)
    )
    return Report("\n".join([_text(stages, budgets), facts]), page)


def _known(stage: Stage, metric: str) -> Summary:
    found = stage[metric]
    if found is None:
        raise ValueError(f"no question of the stage has the metric {metric}")
    return found


def _stage(home: Path, seeds: Sequence[int], name: str) -> Stage:
    played = {seed: json.loads((home / f"seed-{seed}" / f"{name}.json").read_text())["played"] for seed in seeds}
    return {metric: summary(played, metric) for metric in METRICS}


def _interval(figure: Summary) -> str:
    return "not known" if figure["low"] is None else f"{figure['low']:.1%} to {figure['high']:.1%}"


def _rows(stages: dict[str, Stage]) -> list[list[str]]:
    rows = []
    for name, stage in stages.items():
        cells = [STAGES[name], f"{_known(stage, 'accuracy')['value']:.1%} ({_interval(_known(stage, 'accuracy'))})"]
        for metric in ("hit_rate", "first_zoom_hits", "recovery"):
            found = stage[metric]
            cells.append("–" if found is None or name.startswith("uniform") else f"{found['value']:.1%}")
        zooms, frames = _known(stage, "zooms"), _known(stage, "frames")
        cells += [f"{zooms['value']:.2f}", f"{frames['value']:.1f}", _seeds(_known(stage, "accuracy"))]
        rows.append(cells)
    return rows


def _seeds(figure: Summary) -> str:
    return ", ".join(f"{value:.1%}" for value in figure["seeds"].values())


HEAD = ("stage", "correct", "zoom hit", "first zoom hit", "recovered", "zooms", "frames", "correct, each seed")


def _text(stages: dict[str, Stage], budgets: dict[int, Stage]) -> str:
    lines = [list(HEAD), *_rows(stages)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    curve = ", ".join(f"{most}: {_known(stage, 'accuracy')['value']:.1%}" for most, stage in sorted(budgets.items()))
    return "\n".join([*shown, f"accuracy of the last policy by zooms allowed: {curve}"])


def _sections(
    home: Path, seeds: Sequence[int], stages: dict[str, Stage], budgets: dict[int, Stage], facts: str
) -> Sequence[Section]:
    spans = [
        {"label": STAGES[name], "color": "accuracy", **_span(_known(stage, "accuracy"))}
        for name, stage in stages.items()
    ]
    rising = [
        {"label": f"at most {most} zooms", "color": "accuracy", **_span(_known(stage, "accuracy"))}
        for most, stage in sorted(budgets.items())
    ]
    explained = note(
        "The warm-up (naming what a frame shows, giving a time inside a named scene, on separate films) stands in for "
        "the pre-training of a real model. All seeds and the uniform baseline share it. The student is fine-tuned on "
        "exemplars alone. The uniform baselines see as many frames as the last policy, in one turn: the same network "
        "trained on them, and the teacher as an upper bound. Intervals come from a bootstrap over films; intervals of "
        "the other metrics are in results.json."
    )
    sections = [
        Section(
            "stages",
            "Stage by stage",
            note(facts)
            + table(HEAD, _rows(stages))
            + figure(
                dots(spans, label="label", color="color", title="accuracy"),
                "stages",
                "Accuracy of each stage, with 95% intervals.",
            )
            + explained,
        ),
        Section(
            "zooms",
            "Accuracy by number of zooms",
            figure(
                dots(rising, label="label", color="color", title="accuracy of the last policy"),
                "zooms",
                "Accuracy of the last policy when zooms are limited.",
            ),
        ),
    ]
    rounds = [(f"seed-{seed}/rl", f"GRPO, seed {seed}", RL_CURVES) for seed in seeds] if "rl" in stages else []
    for name, title, parts in (("warm-up", "Warm-up", None), *rounds):
        rows = [json.loads(line) for line in (home / name / "metrics.jsonl").read_text().splitlines()]
        chart = curves(rows, parts) if parts else loss_curve(rows)
        place = name.replace("/", "-")
        sections.append(Section(place, title, figure(chart, place, f"{title}: {len(rows)} steps.")))
    return sections


def _span(figure: Summary) -> dict:
    return {"value": figure["value"], "low": figure["low"], "high": figure["high"]}
