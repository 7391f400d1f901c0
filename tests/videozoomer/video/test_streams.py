"""Of several video streams the film is read; a file that holds only a picture is not a film."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image
from video_samples import code_picture, even_pts, read_code, write_video

from videozoomer.video.clip import ClipError, write_clip
from videozoomer.video.inspection import inspect_one
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.streams import video_stream
from videozoomer.video.tasks import ingest_one
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]

DEFAULT = av.stream.Disposition.default
NONE = av.stream.Disposition(0)
Made = tuple[str, tuple[int, int], int]
"""Codec, size and frames of a stream."""


def several_streams(path: Path, *streams: tuple[Made, av.stream.Disposition]) -> Path:
    """A container with these streams in this order; each frame shows its number, plus 1000 for each earlier stream."""
    with av.open(str(path), "w") as out:
        made = []
        for (codec, (width, height), _), disposition in streams:
            stream = out.add_stream(codec, rate=25)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = disposition
            made.append(stream)
        for index, (((_, (width, height), frames), _), stream) in enumerate(zip(streams, made, strict=True)):
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(code_picture(1000 * index + number, width, height), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


FILM: Made = ("libx264", (320, 180), 50)
LARGE: Made = ("libx264", (480, 270), 50)
COVER: Made = ("mjpeg", (640, 360), 1)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(
    ("streams", "film"),
    [
        pytest.param([(FILM, NONE), (LARGE, DEFAULT)], 1, id="the default"),
        pytest.param([(LARGE, DEFAULT), (FILM, NONE)], 0, id="the default comes first"),
        pytest.param([(COVER, DEFAULT), (FILM, DEFAULT)], 1, id="cover before the film"),
        pytest.param([(COVER, DEFAULT), (FILM, NONE)], 1, id="cover as the default"),
        pytest.param([(FILM, DEFAULT), (COVER, DEFAULT)], 0, id="cover after the film"),
    ],
)
def test_the_film_is_read(
    suffix: str, streams: list[tuple[Made, av.stream.Disposition]], film: int, tmp_path: Path
) -> None:
    path = several_streams(tmp_path / f"several.{suffix}", *streams)
    (_, size, frames), _ = streams[film]
    result = ingest_one(str(path), IngestSettings())
    record = result.record
    assert (record.status, record.frames) == ("ok", frames), record.detail
    assert (record.width, record.height) == size
    with ReaderPool(25_088, 100_352) as pool:
        (frame,) = pool.frames_at(str(path), [1.01])
    assert read_code(frame.jpeg) == 1000 * film + 25
    info = inspect_one(str(path))
    assert info.stream_index == film and len(info.streams) == 2
    clip = write_clip(str(path), 0.5, 1.5, tmp_path / "clip.mp4")
    with av.open(str(clip)) as container:
        (stream,) = container.streams.video
        assert (stream.width, stream.height) == size


def test_a_chosen_stream_is_read_wherever_a_file_is_opened(tmp_path: Path) -> None:
    path = str(several_streams(tmp_path / "several.mkv", (FILM, DEFAULT), (LARGE, NONE)))
    stores = tmp_path / "stores"
    stored = IngestSettings(zoom_store_fps=4, zoom_store_dir=str(stores), stream=1)
    for settings in (stored, IngestSettings(shots=False, stream=1)):
        result = ingest_one(path, settings)
        record = result.record
        assert (record.width, record.height, record.stream_index, record.video_streams) == (480, 270, 1, 2)
        assert [read_code(frame.jpeg) for frame in result.overview] == [1000]
    limits = (25_088, 100_352)
    with (
        ReaderPool(*limits, stream=1) as direct,
        ReaderPool(*limits, zoom_store_dir=stores, stream=1) as from_store,
        ReaderPool(*limits, zoom_store_dir=stores) as default,
    ):
        (frame,) = direct.frames_at(path, [1.0])
        assert read_code(frame.jpeg) == 1025
        assert from_store.frames_at(path, [1.0]) == [frame]
        assert from_store.counts.stored == 1
        # A store of another stream is not used.
        assert read_code(default.frames_at(path, [1.0])[0].jpeg) == 25
    info = inspect_one(path, 1)
    assert (info.width, info.stream_index) == (480, 1)
    clip = write_clip(path, 0.5, 1.5, tmp_path / "clip.mp4", stream=1)
    with av.open(str(clip)) as container:
        assert container.streams.video[0].width == 480


def test_a_stream_that_is_no_video_is_named(tmp_path: Path) -> None:
    path = str(several_streams(tmp_path / "several.mkv", (FILM, DEFAULT), (LARGE, NONE)))
    sentence = r"stream 7 is no video; .*\(0, 1\)"
    for found in (ingest_one(path, IngestSettings(stream=7)).record, inspect_one(path, 7)):
        assert found.reason == "no_video_stream" and re.search(sentence, str(found.detail))
    with ReaderPool(25_088, 100_352, stream=7) as pool, pytest.raises(FrameError, match=sentence):
        pool.frames_at(path, [0.0])
    with pytest.raises(ClipError, match=sentence):
        write_clip(path, 0, 1, tmp_path / "clip.mp4", stream=7)


def test_every_stage_reads_the_stream_that_the_recipe_names() -> None:
    """Each place where a stage opens files passes the recipe's choice on."""
    opened = ("ReaderPool", "VideoSource", "IngestSettings", "inspect_many", "write_clip")
    found = []
    for room in ("assets", "pipelines", "train", "eval", "distill"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in opened:
                    found.append(path.name)
                    assert "stream" in {word.arg for word in call.keywords}, f"{path}:{call.lineno}"
    assert {"videos.py", "workspace.py", "harvest.py", "training.py", "video.py"} <= set(found)


LONG: Made = ("libx264", (320, 180), 90)
SHORT: Made = ("libx264", (640, 360), 40)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "streams",
    [
        pytest.param([(LONG, NONE), (SHORT, NONE)], id="longer first"),
        pytest.param([(SHORT, NONE), (LONG, NONE)], id="longer last"),
        pytest.param([(LONG, DEFAULT), (SHORT, DEFAULT)], id="two defaults"),
    ],
)
def test_of_films_without_one_default_the_one_that_ffmpeg_takes_is_read(
    suffix: str, streams: list[tuple[Made, av.stream.Disposition]], tmp_path: Path
) -> None:
    """FFmpeg prefers the higher bit rate to more pictures."""
    path = several_streams(tmp_path / f"several.{suffix}", *streams)
    with av.open(str(path)) as container:
        best = container.streams.best("video")
        chosen = video_stream(container)
        assert best is not None and chosen is not None and chosen.index == best.index


FILM_OF_PICTURES: Made = ("mjpeg", (320, 180), 50)
BRIGHT: Made = ("libx264", (640, 360), 50)


@pytest.mark.parametrize(
    ("streams", "film"),
    [
        pytest.param([(COVER, DEFAULT), (FILM, NONE), (LONG, NONE)], 2, id="more pictures"),
        pytest.param([(COVER, DEFAULT), (LONG, NONE), (FILM, DEFAULT)], 2, id="the default film"),
        pytest.param([(COVER, DEFAULT), (FILM, NONE), (BRIGHT, NONE)], 2, id="the higher bit rate"),
        pytest.param([(COVER, DEFAULT), (FILM, NONE), (FILM, NONE)], 1, id="the first of equals"),
        pytest.param([(FILM_OF_PICTURES, DEFAULT), (FILM, NONE)], 0, id="a film of pictures is no cover"),
    ],
)
def test_beside_a_cover_the_best_film_is_read(
    streams: list[tuple[Made, av.stream.Disposition]], film: int, tmp_path: Path
) -> None:
    path = several_streams(tmp_path / "several.mov", *streams)
    with av.open(str(path)) as container:
        chosen = video_stream(container)
        assert chosen is not None and chosen.index == film


def test_a_song_with_a_cover_is_not_a_film(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 360, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(code_picture(7, 640, 360), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        out.mux(cover.encode(frame))
        out.mux(cover.encode(None))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
        assert video_stream(container) is None


def test_two_pictures_are_a_film(tmp_path: Path) -> None:
    path = several_streams(tmp_path / "two.mov", (("mjpeg", (640, 360), 2), DEFAULT))
    assert ingest_one(str(path), IngestSettings()).record.frames == 2


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[list[Path]]:
    picture = Image.fromarray(code_picture(7))
    picture.save(tmp_path / "still.avif")
    several_streams(tmp_path / "still.mov", (COVER, DEFAULT))
    yield [tmp_path / "still.avif", tmp_path / "still.mov"]


def test_a_still_picture_is_not_a_film(pictures: list[Path]) -> None:
    for path in pictures:
        assert ingest_one(str(path), IngestSettings()).reason == "still_picture", path
        assert inspect_one(str(path)).reason == "still_picture", path


def test_a_film_of_one_frame_stays_a_film(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mp4", pts=even_pts(1, 25), options={"preset": "veryfast"})
    assert ingest_one(str(path), IngestSettings()).record.status == "ok"
