"""Archives behind URLs: the films in them are those of the file, and what fails says what to do."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from film_roads import by_bytes_alone, by_datasets, by_tar, by_webdataset, by_zip, by_zip_stored, by_zipfile
from range_server import RangeServer

from videozoomer.places.finding import changed_mark
from videozoomer.places.uris import MemberName, member_name, short_name
from videozoomer.sources.files import SourceError
from videozoomer.sources.listing import list_place, offered
from videozoomer.video.inspection import inspect_one
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

LIMITS = (25_088, 100_352)
QUICK = IngestSettings(shots=False)
ROADS = [by_tar, by_webdataset, by_zip, by_zip_stored, by_zipfile, by_datasets, by_bytes_alone]


def archive_of(road: Callable[[Path, Path], str], film: Path, folder: Path) -> tuple[str, Path]:
    name = member_name(road(film, folder))
    assert name is not None
    return name.uri.removesuffix(name.archive), Path(name.archive)


@pytest.mark.parametrize("query", ["", "?signature=a/b.c&x=1"])
@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.__name__)
def test_the_film_is_that_of_the_file(
    server: RangeServer, coded_video: Path, road: Callable[[Path, Path], str], query: str
) -> None:
    inner, archive = archive_of(road, coded_video, server.folder)
    url = server.url(archive.name) + query
    uri = inner + url
    listed = list_place(url).offered
    assert uri in [item.uri for item in listed]
    here = ingest_one(str(coded_video), QUICK)
    there = ingest_one(uri, replace(QUICK, unpacked_dir=str(server.folder / "unpacked")))
    assert there == replace(here, record=replace(here.record, uri=uri))
    with ReaderPool(*LIMITS) as pool:
        assert pool.frames_at(uri, [7.0, 1.0]) == pool.frames_at(str(coded_video), [7.0, 1.0])
    name = member_name(uri)
    assert name is not None and short_name(uri).startswith(archive.name.replace("%20", " ") + "/")


def test_only_the_wanted_part_of_an_archive_is_fetched(server: RangeServer, coded_video: Path, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(16 << 20))
    with tarfile.open(server.folder / "many.tar", "w") as out:
        out.add(tmp_path / "noise", "a.mp4")
        out.add(coded_video, "film.mp4")
        out.add(tmp_path / "noise", "b.mp4")
    with ReaderPool(*LIMITS) as pool:
        frames = pool.frames_at(f"tar://film.mp4::{server.url('many.tar')}", [3.0])
        assert frames == pool.frames_at(str(coded_video), [3.0])
    assert server.sent < 8 << 20


@pytest.mark.parametrize("road", [by_tar, by_zip, by_datasets], ids=lambda road: road.__name__)
def test_a_server_without_ranges_is_refused_with_the_remedy(
    server: RangeServer, coded_video: Path, road: Callable[[Path, Path], str]
) -> None:
    inner, archive = archive_of(road, coded_video, server.folder)
    server.ranges = False
    url = server.url(archive.name)
    sentence = "its server does not serve ranges; copy the file here"
    for record in (ingest_one(inner + url, QUICK).record, inspect_one(inner + url)):
        assert record.reason == "unreadable" and record.detail == f"{url}: {sentence}"
    with pytest.raises(SourceError, match=sentence):
        list_place(url)
    with ReaderPool(*LIMITS) as pool, pytest.raises(FrameError, match=sentence):
        pool.frames_at(inner + url, [1.0])


def test_what_is_not_there_is_told_from_a_server_that_is_down(server: RangeServer) -> None:
    """A missing file stays quarantined; one that cannot be reached is tried again by the next run."""
    for place, reason in ((server.url("gone.zip"), "missing"), ("http://127.0.0.1:9/a.zip", "unreadable")):
        record = ingest_one(f"zip://a.mp4::{place}", QUICK).record
        assert record.reason == reason and record.detail and place in record.detail
        film = ingest_one(place.replace(".zip", ".mp4"), QUICK).record
        assert film.reason == reason


def test_a_member_that_does_not_fit_its_checksum_is_quarantined(server: RangeServer, coded_video: Path) -> None:
    """The last bytes of the film's index, which no decoder reads."""
    inner, archive = archive_of(by_zip_stored, coded_video, server.folder)
    data = bytearray(archive.read_bytes())
    film = coded_video.read_bytes()
    data[data.index(film) + len(film) - 2] ^= 0xFF
    archive.write_bytes(data)
    assert ingest_one(inner + server.url(archive.name), QUICK).record.reason == "damaged"


def test_a_cut_off_archive_is_damaged_or_loses_its_last_film(server: RangeServer, coded_video: Path) -> None:
    for road, reason in ((by_tar, "truncated"), (by_zip, "damaged"), (by_datasets, "damaged")):
        inner, archive = archive_of(road, coded_video, server.folder / road.__name__)
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
        url = server.url(f"{road.__name__}/{archive.name}")
        assert ingest_one(inner + url, QUICK).record.reason == reason


@pytest.mark.parametrize("tag", ["ETag", "Last-Modified"])
def test_a_change_of_the_same_size_is_noticed_by_what_the_server_tells(
    server: RangeServer, coded_video: Path, tag: str
) -> None:
    inner, archive = archive_of(by_tar, coded_video, server.folder)
    uri, url = inner + server.url(archive.name), server.url("film.mp4")
    (server.folder / "film.mp4").write_bytes(coded_video.read_bytes())
    marks = []
    for value in ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 08:28:00 GMT"):
        server.tags = {tag: value}
        marks.append((changed_mark(uri), offered(uri).modified, offered(url).modified))
    assert all(before != after for before, after in zip(*marks, strict=True))


@pytest.mark.parametrize("road", [by_tar, by_zip, by_zip_stored], ids=lambda road: road.__name__)
def test_any_file_system_of_fsspec_will_do(
    coded_video: Path, tmp_path: Path, road: Callable[[Path, Path], str]
) -> None:
    inner, archive = archive_of(road, coded_video, tmp_path)
    place = f"memory:///{road.__name__}/{archive.name}"
    with fsspec.open(place, "wb") as out:
        out.write(archive.read_bytes())
    here, there = ingest_one(str(coded_video), QUICK), ingest_one(inner + place, QUICK)
    assert there == replace(here, record=replace(here.record, uri=inner + place))
    scheme = inner.partition("://")[0]
    assert MemberName(scheme, "season1/film.mp4", place).uri in [item.uri for item in list_place(place).offered]


def test_a_probe_of_a_damaged_film_behind_a_url_says_what_it_does_not_do(
    server: RangeServer, coded_video: Path
) -> None:
    data = bytearray(coded_video.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    (server.folder / "broken.mp4").write_bytes(data)
    url = server.url("broken.mp4")
    assert ingest_one(url, IngestSettings()).bad_spans
    found = inspect_one(url)
    assert found.reason == "damaged" and found.detail and "copy it to this machine, and probe the copy" in found.detail
