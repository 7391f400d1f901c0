"""Pictures and small tables for asset pages: a contact sheet, a loss curve, the funnel in Markdown."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STAGES = ("asked", "failed", "rejected", "kept")


def contact_sheet(frames: Sequence[tuple[float, bytes]], columns: int, *, width: int = 160) -> bytes:
    """A JPEG of all frames in rows, each scaled to `width` pixels with its time in seconds burnt in.

    `frames` are (time_s, JPEG bytes).

    Raises:
        ValueError: there is no frame, or no column to put it in.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not frames or columns < 1:
        raise ValueError(f"a contact sheet needs frames and columns, not {len(frames)} frames in {columns} columns")
    pictures = []
    for time_s, jpeg in frames:
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        pictures.append((time_s, picture.resize((width, max(1, round(picture.height * width / picture.width))))))
    columns, gap = min(columns, len(pictures)), 4
    height = max(picture.height for _, picture in pictures)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), "#20252b")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(10, width // 13))
    for index, (time_s, picture) in enumerate(pictures):
        left, top = gap + index % columns * (width + gap), gap + index // columns * (height + gap)
        sheet.paste(picture, (left, top))
        label = f"{time_s:.2f} s"
        box = pen.textbbox((left + 5, top + 4), label, font=font)
        pen.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill="#14181d")
        pen.text((left + 5, top + 4), label, fill="white", font=font)
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=85)
    return out.getvalue()


def loss_curve_png(metrics: Sequence[Mapping[str, Any]]) -> bytes:
    """Loss by step from the rows of metrics.jsonl; rows without a loss (an evaluation, say) are not drawn.

    Raises:
        ValueError: no row has a step and a loss.
    """
    from eval.charts import loss_curve, to_png

    return to_png(loss_curve(_with_loss(metrics)))


RL_CURVES = (
    "reward",
    "reward_correct",
    "reward_format",
    "reward_tool",
    "accuracy",
    "zoom_rate",
    "zooms",
    "hit_rate",
    "kl",
    "entropy",
    "clip_share",
    "groups_dropped",
    "draws",
    "sampling_gap",
    "importance",
    "needless_frames",
    "tokens_per_second",
    "generation_share",
    "vision_share",
    "reference_share",
    "forward_share",
    "backward_share",
)
"""What is drawn of a training by reinforcement, as metrics.jsonl names it."""


def curves_png(metrics: Sequence[Mapping[str, Any]], names: Sequence[str] = RL_CURVES) -> bytes:
    """A small plot for each name that has values, by step.

    Raises:
        ValueError: none has.
    """
    from eval.charts import curves, to_png

    if not has_values(metrics, names):
        raise ValueError(f"none of the {len(metrics)} rows of the training metrics has one of {list(names)}")
    return to_png(curves(metrics, names))


def has_values(metrics: Sequence[Mapping[str, Any]], names: Sequence[str] = RL_CURVES) -> bool:
    """Whether there is anything to draw."""
    return any(row.get(name) is not None for row in metrics for name in names)


def loss_curve_svg(metrics: Sequence[Mapping[str, Any]]) -> bytes:
    """The same as an SVG."""
    from eval.charts import loss_curve, to_svg

    return to_svg(loss_curve(_with_loss(metrics)), "loss", "Loss by optimiser step").encode()


def _with_loss(metrics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    rows = [row for row in metrics if has_loss(row)]
    if not rows:
        raise ValueError(f"none of the {len(metrics)} rows of the training metrics has a step and a loss")
    return rows


def has_loss(row: Mapping[str, Any]) -> bool:
    """Whether a row of metrics.jsonl is an optimiser step with its loss."""
    return row.get("loss") is not None and row.get("step") is not None


def funnel_markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows of table `funnel` as a Markdown table, kind by kind, from what was asked to what is kept."""
    ordered = sorted(rows, key=lambda row: (row["kind"], STAGES.index(row["stage"]), -row["rows"], row["reason"]))
    lines = ["| kind | stage | reason | rows |", "| --- | --- | --- | ---: |"]
    lines += [
        f"| {row['kind']} | {row['stage']} | {row['reason'].replace('_', ' ').replace('|', ' ')} | {row['rows']} |"
        for row in ordered
    ]
    return "\n".join(lines)
