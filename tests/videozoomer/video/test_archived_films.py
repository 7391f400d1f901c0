"""A film in an archive is the film: the same id, the same frames at the same times, whatever wrote the archive."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from film_roads import ARCHIVED, PARQUET, by_datasets, by_tar, by_zip, by_zip_stored

from videozoomer.places.finding import changed_mark
from videozoomer.protocol.protocol import Protocol
from videozoomer.video.clip import write_clip
from videozoomer.video.inspection import inspect_one
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

LIMITS = (Protocol().min_pixels, Protocol().max_pixels)
TIMES_S = [0.0, 0.5, 3.98, 7.01, 11.9, 2.0]


def frames(uri: str, **options: object) -> list[tuple[str, float]]:
    with ReaderPool(*LIMITS, **options) as pool:
        return [(frame.frame_id, frame.time_s) for frame in pool.frames_at(uri, TIMES_S)]


@pytest.mark.parametrize("road", [*ARCHIVED, *PARQUET], ids=lambda road: road.__name__)
def test_each_road_gives_the_same_film(coded_video: Path, tmp_path: Path, road) -> None:
    uri = road(coded_video, tmp_path)
    stores = str(tmp_path / "stores")
    settings = IngestSettings(unpacked_dir=str(tmp_path / "unpacked"), zoom_store_fps=2, zoom_store_dir=stores)
    plain = ingest_one(str(coded_video), replace(settings, zoom_store_dir=str(tmp_path / "plain")))
    found = ingest_one(uri, settings)
    assert found.record.status == "ok", found.record.detail
    assert found == replace(plain, record=replace(plain.record, uri=uri))
    assert frames(uri) == frames(uri, unpacked_dir=tmp_path / "unpacked") == frames(str(coded_video))
    assert frames(uri, zoom_store_dir=stores) == frames(str(coded_video))
    with ReaderPool(*LIMITS, zoom_store_dir=stores) as pool:
        pool.frames_at(uri, [2.0, 4.5])
        assert pool.counts.stored == 2
    assert inspect_one(uri) == replace(inspect_one(str(coded_video)), uri=uri)
    without_shots = IngestSettings(shots=False)
    assert ingest_one(uri, without_shots).overview == ingest_one(str(coded_video), without_shots).overview


@pytest.mark.parametrize("road", [by_tar, by_zip])
def test_a_clip_is_cut_from_an_archive(coded_video: Path, tmp_path: Path, road) -> None:
    clip = write_clip(road(coded_video, tmp_path), 2, 4, tmp_path / "clip.mp4")
    assert clip.read_bytes() == write_clip(str(coded_video), 2, 4, tmp_path / "plain.mp4").read_bytes()


def test_a_compressed_film_is_unpacked_once_and_anew_after_a_change(coded_video: Path, tmp_path: Path) -> None:
    uri, folder = by_zip(coded_video, tmp_path), tmp_path / "unpacked"
    assert frames(uri, unpacked_dir=folder) == frames(str(coded_video))
    (kept,) = folder.iterdir()
    before = kept.stat().st_mtime_ns
    frames(uri, unpacked_dir=folder)
    assert kept.stat().st_mtime_ns == before
    longer = tmp_path / "tree" / "season1" / "film.mp4"
    longer.write_bytes(coded_video.read_bytes() + b"\0\0\0\x08free")
    shutil.rmtree(tmp_path / "tree")
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(coded_video.read_bytes() + b"\0\0\0\x08free")
    (tmp_path / "made by zip.zip").unlink()
    by_zip(changed, tmp_path)
    frames(uri, unpacked_dir=folder)
    assert len(list(folder.iterdir())) == 1 and not kept.exists()


@pytest.mark.parametrize("road", [by_tar, by_zip, by_zip_stored])
def test_a_changed_member_is_noticed_and_its_store_not_used(coded_video: Path, tmp_path: Path, road) -> None:
    stores = str(tmp_path / "stores")
    uri = road(coded_video, tmp_path)
    mark = changed_mark(uri)
    settings = IngestSettings(zoom_store_fps=2, zoom_store_dir=stores)
    assert ingest_one(uri, settings).record.status == "ok"
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(coded_video.read_bytes() + b"\0\0\0\x08free")
    shutil.rmtree(tmp_path / "tree")
    for archive in (*tmp_path.glob("*.zip"), *tmp_path.glob("*.tar")):
        archive.unlink()
    assert road(changed, tmp_path) == uri
    assert changed_mark(uri) != mark
    with ReaderPool(*LIMITS, zoom_store_dir=stores) as pool:
        pool.frames_at(uri, [2.0])
        assert pool.counts.stored == 0
    assert ingest_one(uri, settings).record.video_id == ingest_one(str(changed), IngestSettings()).record.video_id


def reason(uri: str) -> tuple[str | None, str | None]:
    found = ingest_one(uri, IngestSettings()).record
    assert inspect_one(uri).reason == found.reason
    return found.reason, found.detail


def damaged(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("road", [by_zip, by_zip_stored])
def test_a_member_that_does_not_fit_its_checksum_is_quarantined(coded_video: Path, tmp_path: Path, road) -> None:
    uri = road(coded_video, tmp_path)
    (archive,) = tmp_path.glob("*.zip")
    damaged(archive, archive.read_bytes().index(b"season1/film.mp4") + 20_000)
    found, detail = reason(uri)
    assert found == "damaged" and detail and "again" in detail


def test_a_truncated_tar_loses_the_member_that_it_cuts(coded_video: Path, tmp_path: Path) -> None:
    uri = by_tar(coded_video, tmp_path)
    archive = tmp_path / "made by tar.tar"
    data = archive.read_bytes()
    archive.write_bytes(data[: data.index(b"ftyp") + 5_000])
    found, detail = reason(uri)
    assert found == "truncated" and detail and "again" in detail
    assert reason(str(archive))[0] == "truncated"


def test_what_is_no_member_or_cannot_be_read_says_so(coded_video: Path, tmp_path: Path) -> None:
    uri = by_zip(coded_video, tmp_path)
    archive = tmp_path / "made by zip.zip"
    assert reason(uri.replace("film.mp4", "gone.mp4"))[0] == "missing"
    assert reason(uri.replace("made by zip", "gone"))[0] == "missing"
    assert reason(str(archive))[0] == "not_a_video"
    archive.write_bytes(archive.read_bytes()[:-100])
    assert reason(uri)[0] == reason(str(archive))[0] == "damaged"


def test_films_that_are_compressed_together_are_unpacked_together(coded_video: Path, tmp_path: Path) -> None:
    """Reading a row of Parquet reads its whole group, so each group is read once."""
    uri, folder = by_datasets(coded_video, tmp_path), tmp_path / "unpacked"
    with ReaderPool(*LIMITS, unpacked_dir=folder) as pool:
        pool.frames_at(uri, [1.0])
    assert len(list(folder.glob("*.mp4"))) == 3
    other = ingest_one(uri.replace("2/deep/film.mp4", "1/a/b.mp4"), IngestSettings(unpacked_dir=str(folder))).record
    assert other.status == "ok" and other.bytes == coded_video.stat().st_size + 8


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("video/0/x.mp4", "not_a_video"),
        ("video/3", "missing"),
        ("video/4", "missing"),
        ("video/5", "missing"),
        ("question/0", "missing"),
    ],
)
@pytest.mark.parametrize("kept", [True, False])
def test_rows_that_are_no_film_say_why(coded_video: Path, tmp_path: Path, member: str, reason: str, kept: bool) -> None:
    uri = by_datasets(coded_video, tmp_path).replace("video/2/deep/film.mp4", member)
    settings = IngestSettings(unpacked_dir=str(tmp_path / "unpacked") if kept else None)
    assert ingest_one(uri, settings).record.reason == reason


def test_a_damaged_parquet_file_is_quarantined(coded_video: Path, tmp_path: Path) -> None:
    uri = by_datasets(coded_video, tmp_path)
    (archive,) = tmp_path.glob("*.parquet")
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-50])
    assert reason(uri)[0] == reason(str(archive))[0] == "damaged"
    archive.write_bytes(whole[:200] + bytes(len(whole) // 2) + whole[200 + len(whole) // 2 :])
    assert reason(uri)[0] in ("damaged", "empty")


@pytest.mark.parametrize("road", [by_tar, by_datasets])
def test_a_change_without_another_size_is_noticed(coded_video: Path, tmp_path: Path, road) -> None:
    """A tar has no checksums: whatever changes it may have changed any of its films."""
    uri = road(coded_video, tmp_path)
    mark = changed_mark(uri)
    (archive,) = [path for path in tmp_path.iterdir() if path.suffix in (".tar", ".parquet")]
    damaged(archive, archive.stat().st_size // 2)
    assert changed_mark(uri) != mark
