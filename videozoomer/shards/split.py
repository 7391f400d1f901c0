"""Splits rows into train and validation by source video, so that no video is in both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def validation_videos(video_ids: Iterable[str], share: float) -> set[str]:
    """Videos held out for the validation loss, chosen by a hash of their id alone.

    So a video stays on its side as others are added, with one exception: if the hash selects none, because there are
    few videos, the nearest one is selected. At least one video is left to train on.
    """
    ranked = sorted(set(video_ids), key=lambda video_id: (_position(video_id), video_id))
    chosen = [video_id for video_id in ranked if _position(video_id) < share]
    if share > 0 and not chosen:
        chosen = ranked[:1]
    return set(chosen[: max(0, len(ranked) - 1)])


def _position(video_id: str) -> float:
    """A number in [0, 1) that depends on the id alone."""
    return int.from_bytes(hashlib.sha256(f"validation:{video_id}".encode()).digest()[:8]) / 2**64
