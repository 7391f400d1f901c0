"""Shot detectors behind one interface, PySceneDetect's and TransNetV2: pictures in, cuts with scores out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from scenedetect.detector import SceneDetector

BATCH_FRAMES = 64
"""Frames that a detector gets at once. One by one between decodes, its small steps would start with cold caches."""
_MEASURES = {"adaptive": -1, "content": 0, "hash": 0, "histogram": 0}
"""Detector -> index, among its metrics, of the number it compares with its threshold. `threshold` has no number for a
cut, because the cut is between the two frames that cross the threshold."""
_BEFORE, _AFTER = 3, 2
"""Frames before and after a cut that this number depends on, for the detector with the widest window (adaptive)."""


class InputFormat(NamedTuple):
    """The pictures that a detector takes, in FFmpeg's names."""

    width: int
    height: int
    pixel_format: str
    interpolation: str


class Cut(NamedTuple):
    frame: int
    """Number of the first frame of the new shot."""
    score: float | None
    """The detector's own measure at this cut; None where it has none."""


class Detector(Protocol):
    @property
    def input(self) -> InputFormat: ...

    @property
    def description(self) -> str:
        """Library, version and parameters, as stored with the shots."""
        ...

    def take(self, pictures: Sequence[np.ndarray]) -> list[Cut]:
        """Take the next frames of the video, at most BATCH_FRAMES; returns the cuts that are certain by now."""
        ...

    def finish(self) -> list[Cut]:
        """The cuts that become certain only at the end of the video."""
        ...


class SceneDetect:
    """A detector of PySceneDetect with its default thresholds. Its pictures are small for videos of any shape."""

    input = InputFormat(64, 36, "bgr24", "FAST_BILINEAR")

    def __init__(self, name: str, fps: float, shortest_frames: int) -> None:
        from scenedetect import __version__

        self.description = f"scenedetect {__version__}, defaults, {self.input.width}x{self.input.height}"
        self._name, self._fps, self._shortest = name, fps, shortest_frames
        self._detector = self._make()
        self._taken = 0
        # A detector may report a cut up to about a shortest shot after it happened.
        self._recent: deque[np.ndarray] = deque(maxlen=BATCH_FRAMES + 2 * shortest_frames + _BEFORE)

    def take(self, pictures: Sequence[np.ndarray]) -> list[Cut]:
        from scenedetect import FrameTimecode

        found = []
        for number, picture in enumerate(pictures, self._taken):
            found += self._detector.process_frame(FrameTimecode(number, self._fps), picture)
        self._recent.extend(pictures)
        self._taken += len(pictures)
        return [Cut(cut.frame_num, self._score(cut.frame_num)) for cut in found]

    def finish(self) -> list[Cut]:
        from scenedetect import FrameTimecode

        if not self._taken:
            return []
        found = self._detector.post_process(FrameTimecode(self._taken - 1, self._fps))
        return [Cut(cut.frame_num, self._score(cut.frame_num)) for cut in found]

    def _score(self, frame: int) -> float | None:
        """Run a second detector of the same kind over the few frames around the cut, this time with its metrics.

        Collecting metrics for every frame costs three times as much, because it computes the edges of every frame.
        """
        from scenedetect import FrameTimecode, StatsManager

        oldest = self._taken - len(self._recent)
        if self._name not in _MEASURES or frame <= oldest:
            return None
        again = self._make()
        again.stats_manager = StatsManager()
        first = max(oldest, frame - _BEFORE)
        for number in range(first, min(self._taken, frame + _AFTER + 1)):
            again.process_frame(FrameTimecode(number, self._fps), self._recent[number - oldest])
        key = again.get_metrics()[_MEASURES[self._name]]
        return float(again.stats_manager.get_metrics(FrameTimecode(frame, self._fps), [key])[0])

    def _make(self) -> SceneDetector:
        from scenedetect import detectors

        kinds = {
            "adaptive": detectors.AdaptiveDetector,
            "content": detectors.ContentDetector,
            "hash": detectors.HashDetector,
            "histogram": detectors.HistogramDetector,
            "threshold": detectors.ThresholdDetector,
        }
        return kinds[self._name](min_scene_len=self._shortest)


class Transnet:
    """TransNetV2. A shot begins after the last frame of a transition; its score is the highest probability there."""

    def __init__(self) -> None:
        from videozoomer.video.transnet import HEIGHT, PACKAGE, THRESHOLD, WIDTH, Probabilities

        self.input = InputFormat(WIDTH, HEIGHT, "rgb24", "BICUBIC")
        self.description = f"{PACKAGE} {version(PACKAGE)}, threshold {THRESHOLD}, {WIDTH}x{HEIGHT}"
        self._threshold = THRESHOLD
        self._probabilities = Probabilities()
        self._decided = 0
        self._highest = 0.0
        """Highest probability of the current transition; 0 between transitions."""

    def take(self, pictures: Sequence[np.ndarray]) -> list[Cut]:
        return self._cuts(self._probabilities.take(pictures))

    def finish(self) -> list[Cut]:
        return self._cuts(self._probabilities.finish())

    def _cuts(self, probabilities: Sequence[float]) -> list[Cut]:
        cuts = []
        for frame, probability in enumerate(probabilities, self._decided):
            if probability > self._threshold:
                self._highest = max(self._highest, probability)
            elif self._highest:
                cuts.append(Cut(frame, self._highest))
                self._highest = 0.0
        self._decided += len(probabilities)
        return cuts


def make_detector(name: str, fps: float, shortest_frames: int) -> Detector:
    """A detector of this name, for frames at this average rate.

    Raises:
        ImportError: the detector's package is not installed.
    """
    return Transnet() if name == "transnet" else SceneDetect(name, fps, shortest_frames)
