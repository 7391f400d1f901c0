"""Renders one trajectory for a terminal: question, time line, every turn with its thought and frames, grade, outcome.

Models and data sets write most of these texts, so every one becomes a rich `Text`: square brackets are never markup,
and control characters, which could move the cursor or clear the screen, appear as escapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distill.records import overview_of
from eval.conditions import condition_of
from videozoomer.protocol.options import LETTERS
from videozoomer.protocol.parsing import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

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
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def literal(text: str, style: str = "") -> Text:
    """The text as it is, without markup; control characters appear as escapes, except tabs and line feeds."""
    from rich.text import Text

    return Text(_CONTROL.sub(lambda found: ascii(found[0])[1:-1], text), style)


def render(
    row: Mapping[str, Any],
    question: Mapping[str, Any] | None,
    grade: Mapping[str, Any] | None,
    verdict: Mapping[str, Any] | None,
) -> RenderableType:
    """A row of `trajectories` with its rows of `questions`, `grades` and `verdicts` (None if missing)."""
    from rich.console import Group

    parts = [_head(row, question, grade, verdict), literal(""), _timeline(row, question), literal("")]
    trained = [message["train"] for message in row["messages"] if message["role"] == "assistant"]
    as_written = row.get("as_written") or [""] * len(row["turns"])
    for number, turn in enumerate(row["turns"]):
        in_loss = trained[number] if number < len(trained) else True
        parts.append(_turn(number + 1, turn, in_loss, as_written[number]))
    if row["status"] == "failed":
        parts.append(literal(f"The episode could not be finished: {row['failure']}. It may be retried.", "yellow"))
    if row["status"] == "exhausted":
        parts.append(literal("The rounds ran out without an answer.", "yellow"))
    return Group(*parts)


def _head(
    row: Mapping[str, Any],
    question: Mapping[str, Any] | None,
    grade: Mapping[str, Any] | None,
    verdict: Mapping[str, Any] | None,
) -> RenderableType:
    from rich.table import Table

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")

    def add(name: str, text: str, style: str = "") -> None:
        facts.add_row(name, literal(text, style))

    if question is None:
        add("question", f"{row['question_id']} (not in table questions)")
    else:
        add("question", question["question"], "bold")
        for letter, option in zip(LETTERS, question["options"], strict=False):
            add("", f"{letter}. {option}", "green" if letter == question["answer"] else "")
        add("right answer", question["answer"])
    add("answer", row["answer"] if row["answer"] is not None else "none")
    if grade is None:
        add("grade", "not graded")
    else:
        detail = f" ({grade['detail']})" if grade["detail"] else ""
        hit = {True: "; a zoom showed the evidence", False: "; no zoom showed the evidence", None: ""}[grade["hit"]]
        add("grade", f"{grade['verdict']}{detail}{hit}", STYLES.get(grade["verdict"], ""))
    if verdict is not None:
        reasons = ", ".join(reason.replace("_", " ") for reason in verdict["reasons"])
        add("outcome", verdict["outcome"] + (f": {reasons}" if reasons else ""), STYLES.get(verdict["outcome"], ""))
    add(
        "played",
        f"{row['kind']} by {row['player']}, sample {row['sample']}, condition {condition_of(row)}, temperature "
        f"{row['temperature']:g}",
    )
    add(
        "used",
        f"{row['zooms']} zooms, {row['frames_shown']} frames, {row['input_tokens']:,} + {row['output_tokens']:,} "
        f"tokens, ${row['cost_usd']:.4f}",
    )
    add("video", question["video_uri"] if question else row["video_id"])
    if row["parent_id"]:
        add("probes" if row["kind"] == "evidence" else "repairs", row["parent_id"])
    add("id", row["trajectory_id"])
    return facts


def _timeline(row: Mapping[str, Any], question: Mapping[str, Any] | None) -> RenderableType:
    """Overview frames, evidence and zooms as lines on one time scale."""
    from rich.text import Text

    overview = [frame.time_s for frame in overview_of(dict(row))]
    evidence = [(window["start_s"], window["end_s"]) for window in (question or {}).get("evidence") or []]
    zooms = [(turn["start_s"], turn["end_s"]) for turn in row["turns"] if turn["action"] == "zoom"]
    end_s = max([1.0, *overview, *(end for _, end in [*evidence, *zooms])])
    lines = [("overview", _marks([(t, t) for t in overview], end_s, "|"), "dim")]
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


def _turn(number: int, turn: Mapping[str, Any], trained: bool, as_written: str) -> RenderableType:
    from rich.panel import Panel

    body = literal(parse_reply(turn["reply"]).thought or turn["reply"], "" if trained else "dim")
    if turn["action"] == "zoom":
        window = f"{turn['start_s']:.2f} s to {turn['end_s']:.2f} s at {turn['fps']:g} frames per second"
        body.append(f"\n→ zoom {window}", "cyan")
        times = ", ".join(f"{time_s:.2f}" for time_s in turn["frame_times_s"] or [])
        body.append(f"\n  {len(turn['frame_ids'] or [])} frames at {times} s" if times else "\n  no frames", "dim")
    elif turn["action"] == "answer":
        body.append_text(literal(f"\n→ answer: {turn['answer']}", "bold"))
    else:
        body.append_text(literal(f"\n→ fault {turn['fault']}: {turn['fault_text'] or ''}", "yellow"))
    notes = [] if trained else ["not trained on"]
    notes += [] if turn["well_formed"] else ["not well formed"]
    if as_written:
        notes.append("not to the letter")
        body.append_text(literal(f"\n  written as {as_written[len(_thought_of(as_written)) :].strip()}", "dim"))
    title = literal(", ".join([f"turn {number}", turn["author"], *notes]))
    return Panel(body, title=title, title_align="left", border_style="dim")


def _thought_of(reply: str) -> str:
    """The beginning of a reply up to the end of its thought."""
    head, closed, _ = reply.partition("</think>")
    return head + closed if closed else ""
