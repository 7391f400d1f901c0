"""Pictures for asset pages: a contact sheet of frames, the loss curve, the curves of reinforcement learning."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any


def contact_sheet(frames: Sequence[tuple[float, bytes]], columns: int, *, width: int = 160) -> bytes:
    """A JPEG grid of `frames` (time_s, JPEG bytes), each scaled to `width` pixels and labelled with its time.

    Raises:
        ValueError: there are no frames, or no columns.
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
    """A PNG of the loss by step from rows of metrics.jsonl; skips rows without a loss, such as evaluations.

    Raises:
        ValueError: no row has both a step and a loss.
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
"""Metrics of reinforcement learning that are plotted, by their names in metrics.jsonl."""


def curves_png(metrics: Sequence[Mapping[str, Any]], names: Sequence[str] = RL_CURVES) -> bytes:
    """A PNG with one small plot by step for each of `names` that has values.

    Raises:
        ValueError: none of them has values.
    """
    from eval.charts import curves, to_png

    if not has_values(metrics, names):
        raise ValueError(f"none of the {len(metrics)} rows of the training metrics has one of {list(names)}")
    return to_png(curves(metrics, names))


def has_values(metrics: Sequence[Mapping[str, Any]], names: Sequence[str] = RL_CURVES) -> bool:
    """Whether any row has a value for any of `names`."""
    return any(row.get(name) is not None for row in metrics for name in names)


def _with_loss(metrics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    rows = [row for row in metrics if has_loss(row)]
    if not rows:
        raise ValueError(f"none of the {len(metrics)} rows of the training metrics has both a step and a loss")
    return rows


def has_loss(row: Mapping[str, Any]) -> bool:
    """Whether a row of metrics.jsonl is an optimiser step with a loss."""
    return row.get("loss") is not None and row.get("step") is not None
