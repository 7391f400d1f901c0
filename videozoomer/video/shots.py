"""Finds where shots begin: detectors get small copies of the frames that ingest decodes anyway."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from videozoomer.video.detectors import BATCH_FRAMES, Cut, Detector, InputFormat, make_detector
from videozoomer.video.scaling import Scaler
from videozoomer.video.stream_facts import UNTOLD, Colours
from videozoomer.video.types import Shot

if TYPE_CHECKING:
    import av
    import numpy as np

SHORTEST_S = 0.5
"""Shortest shot: a cut closer than this to another one counts as the same cut."""


class ShotFinder:
    """Takes every frame of a video in order, then returns its shots. Not thread-safe."""

    def __init__(self, detectors: Sequence[str], average_fps: float, declared: Colours = UNTOLD) -> None:
        """`declared` is what the container says about the colours, for frames that say nothing.

        Raises:
            ImportError: the package of a detector is not installed.
        """
        fps = max(1.0, average_fps)
        self._make = lambda: [make_detector(name, fps, max(1, round(SHORTEST_S * fps))) for name in detectors]
        self._detectors: list[Detector] = self._make()
        self._offset = 0
        """Number of the first frame that the present detectors got."""
        self._cuts: list[list[Cut]] = [[] for _ in self._detectors]
        self._times = array("d")
        self._waiting: dict[InputFormat, list[np.ndarray]] = {detector.input: [] for detector in self._detectors}
        self._scalers = {wanted: Scaler(declared) for wanted in self._waiting}
        described = dict.fromkeys(detector.description for detector in self._detectors)
        self.name = "; ".join(["+".join(detectors), *described, f"shortest {SHORTEST_S} s"]) if detectors else "none"
        """Detectors, their versions and parameters."""

    def take(self, frame: av.VideoFrame, time_s: float) -> None:
        import numpy as np

        self._times.append(time_s)
        for wanted, waiting in self._waiting.items():
            small = self._scalers[wanted].scaled(
                frame, wanted.width, wanted.height, wanted.pixel_format, wanted.interpolation
            )
            waiting.append(np.array(small))  # A copy, because the picture may be a view of a larger buffer.
        if len(self._times) % BATCH_FRAMES == 0:
            self._detect()

    def interrupt(self) -> None:
        """A bad span comes next: the frames on both sides of it are compared with nothing, so it makes no cut."""
        self._detect()
        for detector, cuts in zip(self._detectors, self._cuts, strict=True):
            cuts += [Cut(cut.frame + self._offset, cut.score) for cut in detector.finish()]
        self._offset = len(self._times)
        self._detectors = self._make()

    def shots(self, duration_s: float) -> tuple[Shot, ...]:
        """The shots of all frames taken so far; they cover the video from 0 to its end without gaps."""
        self._detect()
        found = []
        for detector, cuts in zip(self._detectors, self._cuts, strict=True):
            cuts += [Cut(cut.frame + self._offset, cut.score) for cut in detector.finish()]
            found.append([(self._times[cut.frame], cut.score) for cut in cuts])
        starts = [(0.0, None), *merged_cuts(found)]
        ends_s = [*(start_s for start_s, _ in starts[1:]), duration_s]
        return tuple(
            Shot(index, start_s, end_s, score)
            for index, ((start_s, score), end_s) in enumerate(zip(starts, ends_s, strict=True))
        )

    def _detect(self) -> None:
        for detector, cuts in zip(self._detectors, self._cuts, strict=True):
            cuts += [Cut(cut.frame + self._offset, cut.score) for cut in detector.take(self._waiting[detector.input])]
        for waiting in self._waiting.values():
            waiting.clear()


def merged_cuts(found: Sequence[Sequence[tuple[float, float | None]]]) -> list[tuple[float, float | None]]:
    """Merge the cuts of several detectors, each a (time, score), into one list in order of time.

    Of two cuts closer than SHORTEST_S, the one of the detector listed first is kept.
    """
    kept: list[tuple[float, float | None]] = []
    for cuts in found:
        for time_s, score in cuts:
            index = bisect_left(kept, time_s, key=itemgetter(0))
            near = [other_s for other_s, _ in kept[max(0, index - 1) : index + 1]]
            if time_s >= SHORTEST_S and all(abs(time_s - other_s) >= SHORTEST_S for other_s in near):
                kept.insert(index, (time_s, score))
    return kept
