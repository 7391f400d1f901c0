"""A video's signature: 64-bit perceptual hashes at one-second spacing, which find copies of the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

SPACING_S = 1.0
SIDE = 64
"""Side in pixels of the grey square that is hashed."""


class SignatureMaker:
    """Not thread-safe."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()

    def hash(self, frame: av.VideoFrame) -> int:
        """DCT hash of a frame (imagehash's `phash`) as an unsigned 64-bit integer, most significant bit first."""
        import imagehash
        from PIL import Image

        grey = self._scaler.reformat(frame, width=SIDE, height=SIDE, format="gray", interpolation="BILINEAR", threads=1)
        bits = imagehash.phash(Image.fromarray(grey.to_ndarray())).hash.flatten()
        return int("".join("1" if bit else "0" for bit in bits), 2)
