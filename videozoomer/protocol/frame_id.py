"""A frame's id: the hash of its JPEG, so that equal ids mean equal pictures everywhere."""

from __future__ import annotations

import hashlib


def frame_id_of(jpeg: bytes) -> str:
    """The first half of the SHA-256 of the JPEG's bytes: 32 hex digits."""
    return hashlib.sha256(jpeg).hexdigest()[:32]
