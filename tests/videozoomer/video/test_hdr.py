"""PQ and HLG films look as in BT.709 wherever a picture is made; colours that would be wrong are refused."""

from __future__ import annotations

import io
import subprocess
from contextlib import closing
from pathlib import Path

import av
import hdr_samples
import imageio_ffmpeg
import numpy as np
import pytest
from hdr_samples import HDR_TAGS, TRANSFERS, nits_of, write_dolby_vision, write_plain
from PIL import Image

from videozoomer.protocol import Protocol
from videozoomer.video.clip import ClipError, write_clip
from videozoomer.video.inspection import inspect_one
from videozoomer.video.reader import ReaderPool
from videozoomer.video.scaling import Scaler
from videozoomer.video.settings import IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.tasks import ingest_one
from videozoomer.video.tone import ToneMapper, compressed, hlg_to_scene, pq_to_nits
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

LIMITS = (25_088, 100_352)
COLOURS = [(170, 30, 30), (30, 160, 40), (40, 60, 175), (128, 128, 128), (60, 60, 60), (175, 150, 30)]
"""All below the knee of the curve, where BT.2390 changes nothing."""


def middle(jpeg: bytes) -> np.ndarray:
    picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)
    return picture[picture.shape[0] // 2, picture.shape[1] // 2]


@pytest.mark.parametrize(
    ("size", "limits", "pixels"),
    [
        pytest.param((320, 180), "tv", "yuv420p10le", id="small"),
        pytest.param((322, 182), "pc", "yuv444p10le", id="full range, not scaled"),
        pytest.param((1280, 720), "tv", "yuv420p10le", id="hd", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_colours_below_the_knee_are_those_of_bt709(
    transfer: str, size: tuple[int, int], limits: str, pixels: str, tmp_path: Path
) -> None:
    codes = [getattr(hdr_samples, transfer)(nits_of(colour)) for colour in COLOURS]
    filters = f"scale=out_color_matrix=bt2020:out_range={limits},{HDR_TAGS.format(TRANSFERS[transfer])}"
    path = write_plain(tmp_path / "film.mp4", codes, size=size, filters=filters, pixels=pixels)
    times_s = [index + 0.5 for index in range(len(COLOURS))]
    settings = IngestSettings(Protocol(), zoom_store_fps=2, zoom_store_dir=str(tmp_path / "stores"))
    read = ingest_one(str(path), settings)
    quick = ingest_one(str(path), IngestSettings(Protocol(), shots=False))
    with ReaderPool(*LIMITS) as direct, ReaderPool(*LIMITS, zoom_store_dir=tmp_path / "stores") as stored:
        frames = direct.frames_at(str(path), times_s)
        assert stored.frames_at(str(path), times_s) == frames
        assert stored.counts.stored == len(times_s)
        overview = direct.frames_at(str(path), [frame.requested_s for frame in read.overview])
    assert read.overview == quick.overview == tuple(overview)
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert np.abs(middle(frame.jpeg) - colour).max() <= 6, (middle(frame.jpeg), colour)
    clip = write_clip(str(path), 0, 6, tmp_path / "clip.mp4")
    with closing(VideoSource(str(clip), *LIMITS)) as source:
        for frame, colour in zip(source.frames_at(times_s), COLOURS, strict=True):
            # Coarser: the clip is compressed more, and its colours come from a table of 33 points a side.
            assert np.abs(middle(frame.jpeg) - colour).max() <= 16, (middle(frame.jpeg), colour)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx265", "mp4"), ("libx265", "mkv"), ("libx264", "mp4"), ("libvpx-vp9", "mkv")]
)
def test_colours_that_only_the_container_names(codec: str, suffix: str, tmp_path: Path) -> None:
    """FFmpeg's HEVC decoder forgets them."""
    code = hdr_samples.pq(nits_of((170, 30, 30)))
    untagged = write_plain(
        tmp_path / f"untagged.{suffix}",
        [code],
        size=(320, 180),
        filters="scale=out_color_matrix=bt2020:out_range=tv,setparams=colorspace=unknown:range=unknown",
        options=["-c:v", codec, "-crf", "4"],
    )
    path = tmp_path / f"film.{suffix}"
    tags = ["-color_trc", "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_range", "tv"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(untagged), "-c", "copy", *tags, str(path)]
    subprocess.run(command, check=True)
    settings = IngestSettings(Protocol(), zoom_store_fps=2, zoom_store_dir=str(tmp_path / "stores"))
    read = ingest_one(str(path), settings)
    quick = ingest_one(str(path), IngestSettings(Protocol(), shots=False))
    for found in (read.record, quick.record, inspect_one(str(path))):
        assert (found.transfer, found.primaries, found.matrix) == ("smpte2084", "bt2020", "bt2020nc")
    clip = write_clip(str(path), 0, 1, tmp_path / "clip.mp4")
    with ReaderPool(*LIMITS) as direct, ReaderPool(*LIMITS, zoom_store_dir=tmp_path / "stores") as stored:
        (frame,), (shown,) = direct.frames_at(str(path), [0.5]), direct.frames_at(str(clip), [0.5])
        assert stored.frames_at(str(path), [0.5]) == [frame] and stored.counts.stored == 1
    for jpeg in (frame.jpeg, shown.jpeg, read.overview[0].jpeg, quick.overview[0].jpeg):
        assert np.abs(middle(jpeg) - (170, 30, 30)).max() <= 16, middle(jpeg)


def test_shots_and_signature_see_the_same_pictures(tmp_path: Path) -> None:
    code = hdr_samples.pq(nits_of((170, 30, 30)))
    filters = f"scale=out_color_matrix=bt2020,{HDR_TAGS.format('smpte2084')}"
    path = write_plain(tmp_path / "film.mp4", [code], size=(320, 180), filters=filters)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    for packing, expected in (("bgr24", (30, 30, 170)), ("rgb24", (170, 30, 30)), ("gray", 72)):
        pixels = Scaler().scaled(frame, 64, 36, packing, "BILINEAR")
        assert pixels.shape[:2] == (36, 64)
        assert np.abs(pixels[18, 32].astype(int) - expected).max() <= 4, packing


@pytest.mark.parametrize("transfer", [16, 18])
def test_the_tables_give_what_the_formulas_do(transfer: int) -> None:
    """Random codes, of light beyond the peak too, against BT.2100 and BT.2390 written out in 64 bits."""
    codes = np.random.default_rng(7).integers(0, 65_536, (120, 90, 3), dtype=np.uint16)
    codes[:60] //= 3  # Shadows.
    value = codes / 65_535
    if transfer == 16:
        power = value ** (1 / 78.84375)
        nits = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    else:
        scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        nits = 1000 * scene * (scene @ hdr_samples.LUMINANCE)[..., None] ** 0.2
    largest = np.maximum(nits.max(axis=2, keepdims=True), 1e-9)
    peak, white = hdr_samples.pq(np.array(1000.0)), hdr_samples.pq(np.array(203.0))
    given, target = np.minimum(hdr_samples.pq(largest) / peak, 1), white / peak
    knee = 1.5 * target - 0.5
    t = (given - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * target
    bent = pq_to_nits(np.where(given < knee, given, spline) * peak)
    light = nits * bent / largest / 203 @ np.linalg.inv(hdr_samples.TO_BT2020).T
    expected = 255 * np.clip(light, 0, 1) ** (1 / 2.4)
    found = ToneMapper(transfer, 9).convert(codes)
    assert np.abs(found - expected).max() < 0.6  # Half a code of rounding, and a little of the tables.


def test_known_points_of_the_standards() -> None:
    assert pq_to_nits(np.array([0.0, 0.5081, 0.5806, 1.0])) == pytest.approx([0, 100, 203, 10_000], rel=2e-3, abs=1e-9)
    assert 1000 * hlg_to_scene(np.array([0.75, 1.0])) ** 1.2 == pytest.approx([203, 1000], rel=3e-3)
    light = np.array([0.0, 1.0, 50.0, 203.0, 1000.0, 4000.0])
    assert compressed(light)[:3] == pytest.approx(light[:3])
    assert 100 < compressed(light)[3] < 203
    assert compressed(light)[4:] == pytest.approx([203, 203])


@pytest.mark.parametrize("transfer", [16, 18])
def test_grey_stays_grey_and_brighter_stays_brighter(transfer: int) -> None:
    ramp = np.repeat(np.arange(0, 65_536, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
    shown = ToneMapper(transfer, 9).convert(ramp).astype(int)[0]
    assert np.ptp(shown, axis=1).max() <= 1
    assert (np.diff(shown[:, 1]) >= 0).all()
    assert shown[0, 1] == 0 and shown[-1, 1] == 255


@pytest.mark.parametrize("colours", ["ictcp", "ycgco", "bt2020c"])
def test_colours_that_cannot_be_converted_are_refused(colours: str, tmp_path: Path) -> None:
    path = write_plain(
        tmp_path / "film.mp4",
        [np.array([0.5, 0.2, 0.2])],
        size=(320, 180),
        filters=f"scale=out_color_matrix=bt709,setparams=colorspace={colours}",
    )
    for found in (
        ingest_one(str(path), IngestSettings()).record,
        ingest_one(str(path), IngestSettings(Protocol(), shots=False)).record,
        inspect_one(str(path)),
    ):
        assert found.reason == "unsupported_colours", found
        assert colours in str(found.detail)
    with ReaderPool(*LIMITS) as pool, pytest.raises(FrameError, match=colours):
        pool.frames_at(str(path), [0.1])
    with pytest.raises(ClipError, match=colours):
        write_clip(str(path), 0, 1, tmp_path / "clip.mp4")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_dolby_vision_profile_5_is_refused(suffix: str, tmp_path: Path) -> None:
    """Its pictures are in IPTPQc2; those of profile 8, which others can show, are read."""
    path = write_dolby_vision(tmp_path / f"profile-5.{suffix}", 0, 1)
    for found in (
        ingest_one(str(path), IngestSettings()).record,
        ingest_one(str(path), IngestSettings(Protocol(), shots=False)).record,
        inspect_one(str(path)),
    ):
        assert found.reason == "unsupported_colours", found
        assert "profile 5" in str(found.detail)
        assert "ffmpeg -init_hw_device vulkan -i FILM -vf libplacebo=" in str(found.detail)
    with ReaderPool(*LIMITS) as pool, pytest.raises(FrameError, match="profile 5"):
        pool.frames_at(str(path), [0.1])
    with pytest.raises(ClipError, match="profile 5"):
        write_clip(str(path), 0, 1, tmp_path / "clip.mp4")
    others = write_dolby_vision(tmp_path / f"profile-8.{suffix}", 1, 0)
    assert ingest_one(str(others), IngestSettings()).record.status == "ok"
