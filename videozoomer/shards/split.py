"""Train and validation by source video, so that no video is ever on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def validation_videos(video_ids: Iterable[str], share: float) -> set[str]:
    """Videos held back to watch the loss, chosen by a hash of their id alone.

    A video's side does not change as others come, but for one exception: where the hash holds back none (few
    videos), the one nearest to the limit is; and one is always left to train on.
    """
    ranked = sorted(set(video_ids), key=lambda video_id: (_place(video_id), video_id))
    chosen = [video_id for video_id in ranked if _place(video_id) < share]
    if share > 0 and not chosen:
        chosen = ranked[:1]
    return set(chosen[: max(0, len(ranked) - 1)])


def _place(video_id: str) -> float:
    """A number in [0, 1) that is the video's own."""
    return int.from_bytes(hashlib.sha256(f"validation:{video_id}".encode()).digest()[:8]) / 2**64
