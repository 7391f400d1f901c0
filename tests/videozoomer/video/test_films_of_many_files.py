"""Films of many files: HLS playlists that FFmpeg writes, and numbered pictures. Their frames are those of the film."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from film_roads import HLS, by_hls_fmp4, by_hls_ts, numbered
from video_samples import even_pts, read_code, write_video

from videozoomer.places.finding import changed_mark
from videozoomer.places.numbered import frames_uri
from videozoomer.protocol.protocol import Protocol
from videozoomer.video.clip import write_clip
from videozoomer.video.inspection import inspect_one
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

LIMITS = (Protocol().min_pixels, Protocol().max_pixels)
TIMES_S = [0.0, 0.5, 3.98, 7.01, 11.9, 2.0]


def frames(uri: str, times_s: list[float] = TIMES_S, **options: object) -> list[tuple[str, float]]:
    with ReaderPool(*LIMITS, **options) as pool:
        return [(frame.frame_id, round(frame.time_s, 6)) for frame in pool.frames_at(uri, times_s)]


def same_film(uri: str, film: Path, times_s: list[float] = TIMES_S) -> None:
    """The same frames at the same times, from ingest, zooms and a store."""
    found, plain = ingest_one(uri, IngestSettings()), ingest_one(str(film), IngestSettings())
    assert found.record.status == "ok", found.record.detail
    assert [(f.frame_id, round(f.time_s, 6)) for f in found.overview] == [
        (f.frame_id, round(f.time_s, 6)) for f in plain.overview
    ]
    assert found.signature == plain.signature
    assert found.record.frames == plain.record.frames
    assert found.record.duration_s == pytest.approx(plain.record.duration_s, abs=1e-6)
    assert frames(uri, times_s) == frames(str(film), times_s)


@pytest.mark.parametrize("road", HLS, ids=lambda road: road.__name__)
def test_an_hls_folder_is_the_film(coded_video: Path, tmp_path: Path, road) -> None:
    uri = road(coded_video, tmp_path)
    same_film(uri, coded_video)
    assert inspect_one(uri).status == "ok"
    stores = str(tmp_path / "stores")
    ingest_one(uri, IngestSettings(zoom_store_fps=2, zoom_store_dir=stores))
    assert frames(uri, zoom_store_dir=stores) == frames(str(coded_video))
    write_clip(uri, 2, 4, tmp_path / "clip.mp4")


def test_a_changed_segment_is_noticed_and_a_lost_one_named(coded_video: Path, tmp_path: Path) -> None:
    uri = by_hls_ts(coded_video, tmp_path)
    mark = changed_mark(uri)
    segment = Path(uri).with_name("index2.ts")
    segment.write_bytes(segment.read_bytes() + b"\0")
    assert changed_mark(uri) != mark
    segment.unlink()
    found = ingest_one(uri, IngestSettings()).record
    assert found.reason == "missing" and found.detail and "index2.ts" in found.detail


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        ("http://127.0.0.1:9/a.ts", "playlist", "not a file beside"),
        ("file:///etc/passwd", "playlist", "not a file beside"),
        ("concat:a.ts", "playlist", "not a file beside"),
        ("/etc/passwd", "playlist", "not a file beside"),
        ("../secret.ts", "playlist", "outside the folder"),
        ("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\nindex0.ts", "encrypted", "with its key"),
        ("#EXT-X-MAP:URI=\"other.mp4\"\nindex0.ts", "playlist", "different headers"),
    ],
)  # fmt: skip
def test_a_playlist_reads_nothing_but_files_in_its_folder(coded_video, tmp_path, line, reason, says) -> None:
    uri = Path(by_hls_fmp4(coded_video, tmp_path))
    uri.write_text(uri.read_text().replace("#EXT-X-ENDLIST", f"#EXTINF:2,\n{line}\n#EXT-X-ENDLIST"))
    found = ingest_one(str(uri), IngestSettings()).record
    assert found.reason == reason and found.detail and says in found.detail
    assert inspect_one(str(uri)).reason == reason


@pytest.mark.parametrize(
    ("rate", "pattern"), [("25", "frame_%06d.png"), ("30000/1001", "%d.PNG"), ("1/2", "f-%03d.png")]
)
def test_lossless_pictures_are_the_film(tmp_path: Path, rate: str, pattern: str) -> None:
    fps = Fraction(rate)
    pts = [round(index * fps.denominator) for index in range(24)]
    film = write_video(
        tmp_path / "film.mov", pts=pts, time_base=Fraction(1, fps.numerator), codec="png", pix_fmt="rgb24"
    )  # fmt: skip
    uri = numbered(film, tmp_path, rate, pattern, "-c", "copy", "-f", "image2")
    same_film(
        uri, film, [float(index / fps) + shift for index in (0, 1, 9, 10, 11, 23) for shift in (0, 0.4 / float(fps))]
    )
    assert ingest_one(uri, IngestSettings()).record.average_fps == pytest.approx(float(fps))
    write_clip(uri, 0, 5 / float(fps), tmp_path / "clip.mp4")


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    """A film of JPEG pictures at 25 a second, and the folder of its pictures, without zeros before their numbers."""
    film = write_video(
        tmp_path / "film.avi", pts=even_pts(30, 25, Fraction(1, 25)), time_base=Fraction(1, 25), codec="mjpeg",
        pix_fmt="yuvj420p",
    )  # fmt: skip
    numbered(film, tmp_path, "25", "frame%d.jpg", "-c", "copy", "-f", "image2")
    return film, tmp_path / "frames of it"


def test_jpegs_are_shown_as_they_are_in_the_order_of_their_numbers(pictures: tuple[Path, Path]) -> None:
    film, folder = pictures
    uri = frames_uri(str(folder), Fraction(25))
    same_film(uri, film, [index / 25 for index in range(30)])
    with ReaderPool(*LIMITS) as pool:
        assert [read_code(f.jpeg) for f in pool.frames_at(uri, [i / 25 for i in range(30)])] == list(range(30))
    other = ingest_one(frames_uri(str(folder), Fraction(10)), IngestSettings()).record
    assert other.duration_s == pytest.approx(3.0)


def test_a_missing_number_leaves_a_gap_and_moves_nothing(pictures: tuple[Path, Path]) -> None:
    _, folder = pictures
    for number in (7, 8, 20):
        (folder / f"frame{number}.jpg").unlink()
    uri = frames_uri(str(folder), Fraction(25))
    with ReaderPool(*LIMITS) as pool:
        seen = [read_code(f.jpeg) for f in pool.frames_at(uri, [i / 25 for i in range(30)])]
    assert seen == [number if number not in (7, 8, 20) else {7: 6, 8: 6, 20: 19}[number] for number in range(30)]
    assert ingest_one(uri, IngestSettings()).record.frames == 27


def test_a_changed_picture_is_noticed_and_a_damaged_one_named(pictures: tuple[Path, Path]) -> None:
    _, folder = pictures
    uri = frames_uri(str(folder), Fraction(25))
    mark = changed_mark(uri)
    (folder / "frame5.jpg").write_bytes((folder / "frame6.jpg").read_bytes())
    assert changed_mark(uri) != mark
    (folder / "frame5.jpg").write_bytes(b"")
    found = ingest_one(uri, IngestSettings()).record
    assert (found.reason, "frame5.jpg" in (found.detail or "")) == ("damaged", True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "frame01.jpg").write_bytes((folder / "frame1.jpg").read_bytes()), "number 1"),
        (lambda folder: [(folder / f"b{n}.png").write_bytes(b"x") for n in (1, 2)], "2 sequences of pictures"),
        (lambda folder: folder.rename(folder.with_name("gone")), "does not exist"),
        (lambda folder: (folder / "frame0.jpg").write_bytes(b"no picture"), "frame0.jpg cannot be read"),
    ],
)
def test_pictures_that_are_no_film_say_why(pictures: tuple[Path, Path], change, says) -> None:
    _, folder = pictures
    change(folder)
    found = ingest_one(frames_uri(str(folder), Fraction(25)), IngestSettings()).record
    assert found.status == "quarantined" and found.detail and says in found.detail
    assert inspect_one(found.uri) == replace(inspect_one(found.uri), reason=found.reason)
