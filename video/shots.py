"""Where shots begin: PySceneDetect's detectors, fed with small copies of frames that are decoded anyway."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from video.types import Shot

if TYPE_CHECKING:
    import av
    import numpy as np
    from scenedetect.detector import SceneDetector

SMALL_WIDTH, SMALL_HEIGHT = 64, 36
"""Size at which detectors look, whatever the shape of the video."""
TOGETHER = 64
"""Frames that detectors look at in one go: between decodes, their many small steps would each start cold."""
SHORTEST_S = 0.5
"""Shortest shot: a cut closer to another one is taken for the same."""


class ShotFinder:
    """Takes every frame of a video in order, then tells its shots. Not thread-safe."""

    def __init__(self, detectors: Sequence[str], average_fps: float, transnet_model: str | None = None) -> None:
        """
        Raises:
            ImportError: the detector transnet is wanted and onnxruntime is not installed.
        """
        from av.video.reformatter import VideoReformatter

        self.name = describe(detectors)
        self._fps = max(1.0, average_fps)
        self._detectors = [
            _detector(name, max(1, round(SHORTEST_S * self._fps)), transnet_model) for name in detectors
        ]
        self._cuts: list[list[int]] = [[] for _ in self._detectors]
        self._times = array("d")
        self._waiting: list[np.ndarray] = []
        self._scaler = VideoReformatter()

    def take(self, frame: av.VideoFrame, time_s: float) -> None:
        small = self._scaler.reformat(
            frame, width=SMALL_WIDTH, height=SMALL_HEIGHT, format="bgr24", interpolation="FAST_BILINEAR", threads=1
        ).to_ndarray()
        self._times.append(time_s)
        self._waiting.append(small)
        if len(self._waiting) == TOGETHER:
            self._detect()

    def shots(self, duration_s: float) -> tuple[Shot, ...]:
        """The shots of all frames taken; they cover the video from 0 to its end without gaps."""
        from scenedetect import FrameTimecode

        self._detect()
        if self._times:
            last = FrameTimecode(len(self._times) - 1, self._fps)
            for detector, cuts in zip(self._detectors, self._cuts, strict=True):
                cuts.extend(found.frame_num for found in detector.post_process(last))
        starts = [0.0, *merged_cuts([[self._times[number] for number in cuts] for cuts in self._cuts])]
        ends = [*starts[1:], duration_s]
        return tuple(Shot(index, start, end) for index, (start, end) in enumerate(zip(starts, ends, strict=True)))

    def _detect(self) -> None:
        from scenedetect import FrameTimecode

        first = len(self._times) - len(self._waiting)
        codes = [FrameTimecode(first + index, self._fps) for index in range(len(self._waiting))]
        for detector, cuts in zip(self._detectors, self._cuts, strict=True):
            for code, small in zip(codes, self._waiting, strict=True):
                cuts.extend(found.frame_num for found in detector.process_frame(code, small))
        self._waiting.clear()


def merged_cuts(found_s: Sequence[Sequence[float]]) -> list[float]:
    """Cut times of several detectors as one list; where two are closer than SHORTEST_S the earlier detector's stays."""
    kept: list[float] = []
    for cuts in found_s:
        for cut in cuts:
            if cut >= SHORTEST_S and all(abs(cut - other) >= SHORTEST_S for other in kept):
                kept.append(cut)
    return sorted(kept)


def describe(detectors: Sequence[str]) -> str:
    from scenedetect import __version__

    if not detectors:
        return "none"
    return f"{'+'.join(detectors)}; scenedetect {__version__}, defaults, {SMALL_WIDTH}x{SMALL_HEIGHT}, shortest {SHORTEST_S} s"


def _detector(name: str, shortest_frames: int, transnet_model: str | None) -> SceneDetector:
    from scenedetect import detectors

    if name == "transnet":
        from scenedetect.detectors.transnet_v2 import TransnetV2Detector

        return TransnetV2Detector(model_path=transnet_model, min_scene_len=shortest_frames)
    classes = {
        "adaptive": detectors.AdaptiveDetector,
        "content": detectors.ContentDetector,
        "hash": detectors.HashDetector,
        "histogram": detectors.HistogramDetector,
        "threshold": detectors.ThresholdDetector,
    }
    return classes[name](min_scene_len=shortest_frames)
