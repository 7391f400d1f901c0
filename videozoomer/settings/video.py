"""The section `video`: reading the films."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from videozoomer.settings.base import OPERATIONAL, Amount, Count, Positive, PositiveNumber, Settings, Share

Detector = Literal["adaptive", "content", "hash", "histogram", "threshold", "transnet"]

_UNREADABLE_SHARE = 0.5


class VideoSettings(Settings):
    batch_size: Annotated[Positive, OPERATIONAL] = 100
    """Maximum videos of a new ingest batch, which is one Dagster partition; batches that exist keep their videos."""
    workers: Annotated[Positive, OPERATIONAL] = 2
    """Videos read at the same time, each by a process of its own; set it to the number of CPU cores."""
    timeout_s: Annotated[PositiveNumber | None, OPERATIONAL] = None
    """CPU seconds that reading one video may take before it is quarantined; by default the limit grows with the number
    and size of its pictures."""
    memory_mb: Annotated[Positive, OPERATIONAL] = 2048
    """Megabytes of memory that reading one video may take before it is quarantined."""
    stream: Literal["auto"] | Count = "auto"
    """Which video stream of a file to read: `auto` takes the default one, then the best, as FFmpeg does. A number is a
    position among all streams of the file, as `videozoomer video probe` shows it; a file without a video stream there
    is quarantined."""
    shots: bool = True
    """Whether to find shots. `false` decodes only what the overview shows: an hour of film takes seconds instead of
    minutes. It gives up shots, the signature (so a re-encoded copy of an evaluation video is no longer found as a
    leak; the same file still is), and the check that every picture decodes (damage between the overview's frames shows
    only when a zoom meets it). It allows neither `zoom_store_fps` nor `overview: shot_aware`, which need every
    picture."""
    salvage: bool = True
    """Whether to use what is certain of a damaged or cut-off file. What cannot be read is marked as bad spans: no frame
    is shown there, and a zoom into one is refused with an error text. `false` quarantines the file."""
    unreadable_share: Share = _UNREADABLE_SHARE
    """Largest share of a salvaged film that bad spans may cover; above it the film is quarantined."""
    detectors: tuple[Detector, ...] = ("adaptive", "threshold")
    """Shot detectors, run together in one pass. `transnet` is a neural network: it takes about 20 ms of CPU a frame and
    needs `pip install videozoomer[transnet]`."""
    overview: Literal["uniform", "shot_aware"] = "uniform"
    """Times of the overview: `uniform` spaces them evenly, as the paper does; `shot_aware` shows every shot at least
    once."""
    zoom_store_fps: Amount = 0
    """Frames per second stored at ingest, so that zooms need no decoding; 0 stores none, 2 takes about 70 MB an hour of
    video, 8 about 290 MB."""
    failed_share: Annotated[Share, OPERATIONAL] = 0.5
    """Share of a batch's videos that may be unreadable; above it the batch fails, because then the source is at
    fault."""

    def _left_out(self) -> frozenset[str]:
        """What came later and has its default is left out, so that a new setting makes no result stale."""
        as_before = {"shots"} if self.shots else set()
        if self.stream == "auto":
            as_before.add("stream")
        if self.salvage:
            as_before.add("salvage")
        if not self.salvage or self.unreadable_share == _UNREADABLE_SHARE:
            as_before.add("unreadable_share")
        return super()._left_out() | as_before

    @property
    def stream_index(self) -> int | None:
        """Position of the video stream to read; None where it is chosen for each file."""
        return None if self.stream == "auto" else self.stream

    @model_validator(mode="after")
    def _without_shots(self) -> VideoSettings:
        if not self.shots and (self.zoom_store_fps > 0 or self.overview == "shot_aware"):
            raise ValueError(
                "shots: false decodes only the overview, so it allows neither zoom_store_fps nor overview: shot_aware; "
                "set zoom_store_fps: 0 and overview: uniform, or shots: true"
            )
        return self
