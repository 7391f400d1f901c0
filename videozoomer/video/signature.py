"""A video's signature: 64-bit perceptual hashes at one-second spacing, which find copies of the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videozoomer.video.scaling import Scaler
from videozoomer.video.stream_facts import UNTOLD, Colours

if TYPE_CHECKING:
    import av

SPACING_S = 1.0
SIDE = 64
"""Side in pixels of the grey square that is hashed."""


class SignatureMaker:
    """Not thread-safe."""

    def __init__(self, declared: Colours = UNTOLD) -> None:
        """`declared` is what the container says about the colours, for frames that say nothing."""
        self._scaler = Scaler(declared)

    def hash(self, frame: av.VideoFrame) -> int:
        """DCT hash of a frame (imagehash's `phash`) as an unsigned 64-bit integer, most significant bit first."""
        import imagehash
        import numpy as np
        from PIL import Image

        grey = np.ascontiguousarray(self._scaler.scaled(frame, SIDE, SIDE, "gray", "BILINEAR"))
        bits = imagehash.phash(Image.fromarray(grey)).hash.flatten()
        return int("".join("1" if bit else "0" for bit in bits), 2)
