"""One trajectory for a terminal: question, time line, every turn with its thought, call and frames, verdict and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distill.records import overview_of
from eval.conditions import condition_of
from videozoomer.protocol.options import lettered
from videozoomer.protocol.parsing import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = 72
"""Characters of the time line."""
STYLES = {
    "kept": "green",
    "correct": "green",
    "rejected": "red",
    "wrong": "red",
    "failed": "yellow",
    "unknown": "yellow",
    "exhausted": "yellow",
}


def render(
    row: Mapping[str, Any],
    question: Mapping[str, Any] | None,
    grade: Mapping[str, Any] | None,
    verdict: Mapping[str, Any] | None,
) -> RenderableType:
    """A row of `trajectories` with its rows of `questions`, `grades` and `verdicts`; None for those there are not."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_head(row, question, grade, verdict), Text(), _timeline(row, question), Text()]
    trained = [message["train"] for message in row["messages"] if message["role"] == "assistant"]
    for number, turn in enumerate(row["turns"]):
        parts.append(_turn(number + 1, turn, trained[number] if number < len(trained) else True))
    if row["status"] == "failed":
        parts.append(Text(f"The episode could not be finished: {row['failure']}. It may be tried again.", "yellow"))
    if row["status"] == "exhausted":
        parts.append(Text("The rounds were used up without an answer.", "yellow"))
    return Group(*parts)


def _head(
    row: Mapping[str, Any],
    question: Mapping[str, Any] | None,
    grade: Mapping[str, Any] | None,
    verdict: Mapping[str, Any] | None,
) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    # Everything below goes in as Text: square brackets in a question are not markup.
    if question is None:
        facts.add_row("question", Text(f"{row['question_id']} (not in table questions)"))
    else:
        facts.add_row("question", Text(question["question"], "bold"))
        for letter, option in lettered(question["options"]):
            facts.add_row("", Text(f"{letter}. {option}", "green" if letter == question["answer"] else ""))
        facts.add_row("truth", Text(question["answer"]))
    facts.add_row("answer", Text(row["answer"] if row["answer"] is not None else "none"))
    if grade is None:
        facts.add_row("grade", Text("not graded"))
    else:
        detail = f" ({grade['detail']})" if grade["detail"] else ""
        hit = {True: "; a zoom showed the evidence", False: "; no zoom showed the evidence", None: ""}[grade["hit"]]
        facts.add_row("grade", Text(f"{grade['verdict']}{detail}{hit}", STYLES.get(grade["verdict"], "")))
    if verdict is not None:
        why = f": {', '.join(reason.replace('_', ' ') for reason in verdict['reasons'])}" if verdict["reasons"] else ""
        facts.add_row("outcome", Text(verdict["outcome"] + why, STYLES.get(verdict["outcome"], "")))
    facts.add_row(
        "played",
        Text(
            f"{row['kind']} by {row['player']}, sample {row['sample']}, setting {condition_of(dict(row))}, temperature {row['temperature']:g}"
        ),
    )
    facts.add_row(
        "used",
        Text(
            f"{row['zooms']} zooms, {row['frames_shown']} frames, {row['input_tokens']:,} + {row['output_tokens']:,} tokens, ${row['cost_usd']:.4f}"
        ),
    )
    facts.add_row("video", Text(question["video_uri"] if question else row["video_id"]))
    if row["parent_id"]:
        facts.add_row("repairs", Text(row["parent_id"]))
    facts.add_row("id", Text(row["trajectory_id"]))
    return facts


def _timeline(row: Mapping[str, Any], question: Mapping[str, Any] | None) -> RenderableType:
    """Overview frames, evidence and every zoom as lines of one scale."""
    from rich.text import Text

    glance = [frame.time_s for frame in overview_of(dict(row))]
    evidence = [(window["start_s"], window["end_s"]) for window in (question or {}).get("evidence") or []]
    zooms = [(turn["start_s"], turn["end_s"]) for turn in row["turns"] if turn["action"] == "zoom"]
    end_s = max([1.0, *glance, *(end for _, end in [*evidence, *zooms])])
    lines = [("overview", _marks([(t, t) for t in glance], end_s, "|"), "dim")]
    lines += [("evidence", _marks(evidence, end_s, "="), "green")] if evidence else []
    lines += [(f"zoom {n}", _marks([zoom], end_s, "#"), "cyan") for n, zoom in enumerate(zooms, 1)]
    out = Text(no_wrap=True, overflow="crop")
    for name, marks, style in lines:
        out.append(f"{name:<9}").append(marks, style).append("\n")
    end = f"{end_s:.1f} s"
    return out.append(" " * 9 + "0 s" + end.rjust(COLUMNS - 3), "dim")


def _marks(windows: Sequence[tuple[float, float]], end_s: float, mark: str) -> str:
    line = ["·"] * COLUMNS
    for start_s, stop_s in windows:
        first, last = (min(COLUMNS - 1, max(0, int(time_s / end_s * COLUMNS))) for time_s in (start_s, stop_s))
        line[first : last + 1] = mark * (last - first + 1)
    return "".join(line)


def _turn(number: int, turn: Mapping[str, Any], trained: bool) -> RenderableType:
    from rich.panel import Panel
    from rich.text import Text

    body = Text(parse_reply(turn["reply"]).thought or turn["reply"], "" if trained else "dim")
    if turn["action"] == "zoom":
        body.append(
            f"\n→ zoom {turn['start_s']:.2f} s to {turn['end_s']:.2f} s at {turn['fps']:g} frames per second", "cyan"
        )
        times = ", ".join(f"{time_s:.2f}" for time_s in turn["frame_times_s"] or [])
        body.append(f"\n  {len(turn['frame_ids'] or [])} frames at {times} s" if times else "\n  no frames", "dim")
    elif turn["action"] == "answer":
        body.append(f"\n→ answer: {turn['answer']}", "bold")
    else:
        body.append(f"\n→ fault {turn['fault']}: {turn['fault_text'] or ''}", "yellow")
    notes = [
        note for note, holds in (("not trained on", not trained), ("not well formed", not turn["well_formed"])) if holds
    ]
    return Panel(
        body, title=Text(", ".join([f"turn {number}", turn["author"], *notes])), title_align="left", border_style="dim"
    )
