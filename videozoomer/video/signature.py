"""A film's signature, from the small grey pictures that ingest takes four times a second."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from videozoomer.video.hashing import RATE_HZ, SIDE, hash_tracks
from videozoomer.video.picture import UPRIGHT, Orientation
from videozoomer.video.scaling import Scaler
from videozoomer.video.stream_facts import UNTOLD, Colours
from videozoomer.video.types import SignatureTrack

if TYPE_CHECKING:
    import av
    import numpy as np

SPACING_S = 1 / RATE_HZ
_SPOOL_BYTES = 32 << 20
"""Pictures beyond this, some 34 minutes of them, go to disk until the film's end, where its borders are known."""


class SignatureMaker:
    """Takes pictures in order. Not thread-safe."""

    def __init__(self, declared: Colours = UNTOLD, orientation: Orientation = UPRIGHT) -> None:
        """`declared` is what the container says about the colours, for frames that say nothing."""
        self._scaler, self._orientation = Scaler(declared), orientation
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  `close` closes it.
        self._last: tuple[int, bytes] | None = None

    def add(self, pts: int, frame: av.VideoFrame) -> None:
        """The next picture; the same frame again costs nothing."""
        if self._last is None or self._last[0] != pts:
            grey = self._scaler.scaled(frame, SIDE, SIDE, "gray", "BILINEAR")
            self._last = pts, self._orientation.apply(grey[..., None])[..., 0].tobytes()
        self._file.write(self._last[1])

    def finish(self, aspect: float) -> tuple[SignatureTrack, ...]:
        """The signature; `aspect` is the displayed width over height."""
        import numpy as np

        picture = SIDE * SIDE

        def read(start: int, stop: int) -> np.ndarray:
            self._file.seek(start * picture)
            return np.frombuffer(self._file.read((stop - start) * picture), np.uint8).reshape(-1, SIDE, SIDE)

        count = self._file.seek(0, 2) // picture
        tracks = hash_tracks(read, count, aspect)
        return tuple(
            SignatureTrack(name, found.pictures.astype("<u8").tobytes(), found.motions.astype("<u8").tobytes())
            for name, found in tracks.items()
        )

    def close(self) -> None:
        self._file.close()
