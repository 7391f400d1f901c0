"""Why an episode can fail, beyond a failed call (`distill.client.errors`)."""

from __future__ import annotations

from distill.client.errors import PASSING_KINDS, WAITING_KINDS

EPISODE_KINDS = {
    "frame_unreadable": "the video has no readable frame at a time that the player asked for",
    "frame_missing": "a frame of a message is not in the frame store",
    "parent_unusable": "the failed episode that a reflection continues cannot be rebuilt or has no round left",
    "unexpected": "an error without a name here; the log has its traceback",
}

RETRYABLE: frozenset[str] = frozenset(PASSING_KINDS) | frozenset(WAITING_KINDS) | {"unexpected"}
"""Failures of an episode that a later run retries; the others would fail the same way again."""
