"""Pictures that a container marks as keyframes but that refer to others: decoding from there shows wrong pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_samples import code_picture

from benchmarks.exactness import check
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

FRAMES = 120


def falsely_marked(path: Path, codec: str, options: dict[str, str]) -> Path:
    """A film whose true keyframes are 0 and 60, and whose every tenth packet is marked as one."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options | {"g": "60", "bf": "0", "sc_threshold": "1000000000"})
        stream.width, stream.height, stream.pix_fmt = 352, 288, "yuv420p"
        sent = 0
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(code_picture(number, 352, 288), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for packet in stream.encode(frame):
                packet.is_keyframe = packet.is_keyframe or sent % 10 == 0
                sent += 1
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        ("mp4", "mpeg4", {}),
        ("3gp", "h263", {}),
        ("mp4", "libx264", {"preset": "veryfast", "tune": "zerolatency"}),
    ],
)
def test_frames_are_those_of_a_straight_decode(
    suffix: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = falsely_marked(tmp_path / f"film.{suffix}", codec, options)
    with av.open(str(path)) as container:
        marked = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe]
    assert len(marked) >= FRAMES // 10
    settings = IngestSettings(zoom_store_fps=8.0, zoom_store_dir=str(tmp_path / "stores"))
    found = check(ingest_one(str(path), settings), settings, samples=20)
    assert (found.reason, found.wrong, found.refused) == ("ok", [], [])
    quick = check(ingest_one(str(path), IngestSettings(shots=False)), IngestSettings(shots=False), samples=4)
    assert (quick.reason, quick.wrong, quick.refused) == ("ok", [], [])
