"""Files whose packets carry unusual times: a zoom and the zoom store return what a straight decode of the file does."""

from __future__ import annotations

import random
import subprocess
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import fsspec
import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_samples import even_pts, read_code, write_video

from videozoomer.video.inspection import inspect_one
from videozoomer.video.leading import head_of, leading_of, leads
from videozoomer.video.packets import FastReadFailed, with_successors
from videozoomer.video.picture import FrameEncoder
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

LIMITS = (25_088, 100_352)
PYRAMID = {"preset": "veryfast", "crf": "18", "bf": "8", "b-pyramid": "normal", "g": "60", "sc_threshold": "0"}


def straight_decode(path: Path) -> list[tuple[float, int]]:
    """Time from the first frame, in seconds, and number of every frame: FFmpeg's own decode from beginning to end."""
    encoder = FrameEncoder(*LIMITS)
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream) and stream.time_base is not None
        found = [(frame.pts, read_code(encoder.encode(frame, 1.0).jpeg)) for frame in container.decode(stream)]
        first = min(pts for pts, _ in found if pts is not None)
        return [(float((pts - first) * stream.time_base), number) for pts, number in found if pts is not None]


def assert_exact(path: Path, tmp_path: Path) -> None:
    """Zooms one by one, all at once and from the zoom store show the frame that the straight decode has on screen."""
    truth = straight_decode(path)
    starts_s = [start_s for start_s, _ in truth]
    assert starts_s == sorted(starts_s)
    settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=str(tmp_path / "stores"))
    result = ingest_one(str(path), settings)
    assert result.record.status == "ok", f"{result.record.reason}: {result.record.detail}"
    assert result.record.frames == len(truth)
    rng = random.Random(path.name)
    times_s = [start_s + 0.0015 for start_s in starts_s] + [rng.uniform(0, starts_s[-1]) for _ in range(50)]
    with ReaderPool(*LIMITS) as direct, ReaderPool(*LIMITS, zoom_store_dir=tmp_path / "stores") as stored:
        together = direct.frames_at(str(path), times_s)
        for time_s, frame in zip(times_s, together, strict=True):
            number = truth[bisect_right(starts_s, time_s) - 1][1]
            assert read_code(frame.jpeg) == number, f"at {time_s} s"
            (alone,) = direct.frames_at(str(path), [time_s])
            assert alone == frame
        assert stored.frames_at(str(path), times_s) == together


def ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments], check=True)


def _written(tmp_path: Path, name: str, **arguments: object) -> Path:
    return write_video(tmp_path / name, pts=even_pts(150, 25), options=PYRAMID, **arguments)  # type: ignore[arg-type]


def _earlier_in_flv(data: bytearray, by_ms: int) -> None:
    """Subtract from the composition offset of every picture in an FLV file."""
    at = 9 + 4
    while at + 11 < len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        body = at + 11
        if kind == 9 and data[body + 1] == 1:  # A video tag with a picture.
            offset = int.from_bytes(data[body + 2 : body + 5], "big", signed=True)
            data[body + 2 : body + 5] = (offset - by_ms).to_bytes(3, "big", signed=True)
        at = body + size + 4


@pytest.mark.parametrize("by_ms", [40, 160, 400])
def test_flv_with_negative_composition_offsets(by_ms: int, tmp_path: Path) -> None:
    path = _written(tmp_path, "negative.flv")
    data = bytearray(path.read_bytes())
    _earlier_in_flv(data, by_ms)
    path.write_bytes(data)
    assert_exact(path, tmp_path)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mkv", ["copy"]), ("webm", ["libvpx", "-deadline", "realtime", "-b:v", "1M"]), ("wmv", ["msmpeg4", "-q:v", "2"])],
)
def test_a_file_that_does_not_start_at_zero_is_whole(suffix: str, codec: list[str], tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", pts=even_pts(150, 25), options={"g": "25", "preset": "veryfast"})
    path = tmp_path / f"late.{suffix}"
    ffmpeg("-ss", "3", "-copyts", "-i", str(source), "-c:v", *codec, str(path))
    assert_exact(path, tmp_path)
    fsspec.filesystem("memory").pipe(f"/{path.name}", path.read_bytes())
    here, there = inspect_one(str(path)), inspect_one(f"memory://{path.name}")
    assert here.status == there.status == "ok", there.detail
    assert there.duration_s == pytest.approx(here.duration_s, abs=0.1)


def test_a_file_that_starts_late_and_is_cut_off_is_truncated(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", pts=even_pts(250, 25), options={"g": "25", "preset": "veryfast"})
    path = tmp_path / "late.mkv"
    ffmpeg("-ss", "2", "-copyts", "-i", str(source), "-c:v", "copy", str(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert ingest_one(str(path), IngestSettings(salvage=False)).reason == "truncated"


def _cut_off_front(path: Path, before_keyframe: int) -> None:
    """Remove everything before a keyframe of an MPEG-TS, as a recording that begins in the middle."""
    with av.open(str(path)) as container:
        keyframes = [packet.pos for packet in container.demux(video=0) if packet.is_keyframe]
    data = path.read_bytes()
    # The first packets hold the tables of programs.
    path.write_bytes(data[: 3 * 188] + data[keyframes[before_keyframe] :])


MPEG2_OPEN = {"g": "12", "bf": "2", "b": "3000000", "b_strategy": "0"}
X265_RADL = "log-level=none:keyint=40:min-keyint=40:scenecut=0:bframes=4:open-gop=0:radl=2:b-adapt=0"
X265_OPEN = "log-level=none:keyint=40:scenecut=0:bframes=4:open-gop=1:b-adapt=0"


@pytest.mark.parametrize(
    ("codec", "options", "leading"),
    [
        pytest.param("libx265", {"preset": "ultrafast", "crf": "18", "x265-params": X265_RADL}, True, id="hevc-radl"),
        pytest.param("libx265", {"preset": "ultrafast", "crf": "18", "x265-params": X265_OPEN}, False, id="hevc-open"),
        pytest.param("mpeg2video", MPEG2_OPEN, False, id="mpeg2-open"),
    ],
)
def test_leading_pictures_at_the_beginning(codec: str, options: dict[str, str], leading: bool, tmp_path: Path) -> None:
    """Those that decode are shown, and time zero is the first of them; the others are left out."""
    path = write_video(
        tmp_path / "recording.ts",
        pts=even_pts(150, 25, Fraction(1, 25)),
        codec=codec,
        options=options,
        time_base=Fraction(1, 25),
    )
    _cut_off_front(path, 1)
    with av.open(str(path)) as container:
        head = head_of(container.demux(video=0))
    with av.open(str(path)) as container:
        found = leading_of(container, container.streams.video[0])
    assert leads(head)
    assert bool(found.shown) == leading
    assert_exact(path, tmp_path)


@st.composite
def coded_orders(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Presentation times in the order of decoding, at most 16 frames held back, and decoding times of any kind."""
    pts: list[int] = []
    for size in draw(st.lists(st.integers(1, 16), min_size=1, max_size=12)):
        first = len(pts)
        # The last frame of each group comes first; the order of the rest is free.
        pts += [first + size - 1, *draw(st.permutations(range(first, first + size - 1)))]
    steps = draw(st.lists(st.integers(0, 3), min_size=len(pts), max_size=len(pts)))
    start = draw(st.integers(-20, 20))
    return pts, [start + dts for dts in accumulate(steps)]


@given(coded_orders())
def test_the_next_frame_does_not_depend_on_decoding_times(order: tuple[list[int], list[int]]) -> None:
    packets = []
    for pts, dts in zip(*order, strict=True):
        packet = av.Packet(b"x")
        packet.pts, packet.dts = pts, dts
        packets.append(packet)
    found = [(pts, until) for _, pts, until in with_successors(packets)]
    last = len(packets) - 1
    assert found == [(pts, None if pts == last else pts + 1) for pts in order[0]]


def test_a_frame_that_comes_too_late_is_noticed() -> None:
    packets = []
    for pts in [0, *range(2, 20), 1]:
        packet = av.Packet(b"x")
        packet.pts = packet.dts = pts
        packets.append(packet)
    with pytest.raises(FastReadFailed):
        list(with_successors(packets))
