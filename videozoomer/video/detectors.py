"""What looks for shots: PySceneDetect's detectors and TransNetV2, behind one face: pictures in, cuts with scores out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from scenedetect.detector import SceneDetector

TOGETHER = 64
"""Frames that detectors look at in one go: between decodes, their many small steps would each start cold."""
_MEASURES = {"adaptive": -1, "content": 0, "hash": 0, "histogram": 0}
"""Detector -> place of the number that it holds against its threshold among its metrics. `threshold` has none for a cut:
it lies between the two frames that crossed the threshold."""
_BEFORE, _AFTER = 3, 2
"""Frames around a cut that this number follows from, for the detector that looks furthest (adaptive)."""


class Look(NamedTuple):
    """The pictures that a detector takes."""

    width: int
    height: int
    pixels: str
    scaling: str


class Cut(NamedTuple):
    frame: int
    """Number of the first frame of the new shot."""
    score: float | None
    """The detector's own measure of this cut; None where it has none."""


class Detector(Protocol):
    look: Look
    told: str
    """Library, version and parameters."""

    def take(self, pictures: Sequence[np.ndarray]) -> list[Cut]:
        """Look at the next frames of the video, at most TOGETHER; tells the cuts that are certain by now."""

    def finish(self) -> list[Cut]:
        """The cuts that only the end of the video makes certain."""


class SceneDetect:
    """A detector of PySceneDetect, with its default thresholds. Pictures are small, whatever the shape of the video."""

    look = Look(64, 36, "bgr24", "FAST_BILINEAR")

    def __init__(self, name: str, fps: float, shortest_frames: int) -> None:
        from scenedetect import __version__

        self.told = f"scenedetect {__version__}, defaults, {self.look.width}x{self.look.height}"
        self._name, self._fps, self._shortest = name, fps, shortest_frames
        self._detector = self._make()
        self._taken = 0
        # A cut may be told half a shortest shot or so after it happened.
        self._recent: deque[np.ndarray] = deque(maxlen=TOGETHER + 2 * shortest_frames + _BEFORE)

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
        """Ask a detector of the same kind again, about the few frames around the cut and this time for its numbers.

        Had they been asked for all along, edges of every frame would be drawn too, at three times the cost.
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
    """TransNetV2. A shot begins after the last frame of a transition; the score is the transition's highest probability."""

    def __init__(self) -> None:
        from videozoomer.video.transnet import HEIGHT, PACKAGE, THRESHOLD, WIDTH, Probabilities

        self.look = Look(WIDTH, HEIGHT, "rgb24", "BICUBIC")
        self.told = f"{PACKAGE} {version(PACKAGE)}, threshold {THRESHOLD}, {WIDTH}x{HEIGHT}"
        self._threshold = THRESHOLD
        self._probabilities = Probabilities()
        self._decided = 0
        self._highest = 0.0
        """Highest probability of the transition under way; 0 between transitions."""

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
    """
    Raises:
        ImportError: the detector's package is not installed.
    """
    return Transnet() if name == "transnet" else SceneDetect(name, fps, shortest_frames)
