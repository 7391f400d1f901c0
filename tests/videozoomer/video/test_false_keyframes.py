"""Pictures that a container marks as keyframes but that refer to others: decoding from there shows wrong pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_samples import code_picture, read_code

from benchmarks.exactness import check
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.source import VideoSource
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


def test_far_keyframes_are_found_without_a_decode_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 180 s of film every second is marked as a keyframe, and every fortieth is one."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as out:
        options = {"g": "200", "bf": "0", "sc_threshold": "1000000000"}
        stream = out.add_stream("mpeg4", rate=5, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(900):
            frame = av.VideoFrame.from_ndarray(code_picture(number, 320, 180), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            for packet in stream.encode(frame):
                packet.is_keyframe = packet.is_keyframe or number % 5 == 0
                out.mux(packet)
        out.mux(stream.encode(None))
    decoded: list[int | None] = []
    frames_of = VideoSource._decoded

    def counted(self: VideoSource, packets: Iterator[av.Packet]) -> Iterator[av.VideoFrame]:
        for frame in frames_of(self, packets):
            decoded.append(frame.pts)
            yield frame

    with ReaderPool(25_088, 100_352) as pool:
        pool.frames_at(str(path), [0.0])
        monkeypatch.setattr(VideoSource, "_decoded", counted)
        tried = []
        for time_s in (159.1, 158.9, 119.9, 179.9, 39.9, 0.5):
            decoded.clear()
            (frame,) = pool.frames_at(str(path), [time_s])
            assert read_code(frame.jpeg) == int(time_s * 5)
            tried.append(len(decoded))
    # A group of 200 pictures, and once each picture that is falsely marked in it; then only the group.
    assert all(count <= 200 + 45 for count in tried), tried
    assert tried[1] <= 200, tried
