"""The same film by each road: as a file, and in archives that tar, zip, Python and webdataset write."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import datasets
import imageio_ffmpeg
import pyarrow as pa
import pyarrow.parquet as pq

from videozoomer.places.numbered import frames_uri

INNER = "season1/film.mp4"


def _tree(film: Path, folder: Path) -> Path:
    """A folder with the film in it, and with other files around it."""
    tree = folder / "tree"
    for name in ("season1/notes.txt", "season1/.film.mp4", "other.srt"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not a film")
    shutil.copy(film, tree / INNER)
    return tree


def by_tar(film: Path, folder: Path) -> str:
    archive = folder / "made by tar.tar"
    subprocess.run(["tar", "cf", str(archive), "-C", str(_tree(film, folder)), "."], check=True)
    return f"tar://{INNER}::{archive}"


def by_tarfile(film: Path, folder: Path, format: int = tarfile.PAX_FORMAT) -> str:
    archive = folder / f"tarfile{format}.tar"
    with tarfile.open(archive, "w", format=format) as out:
        out.add(film, "x" * 120 + "/" + INNER)  # Longer than the name in a header.
    return f"tar://{'x' * 120}/{INNER}::{archive}"


def by_gnu_tarfile(film: Path, folder: Path) -> str:
    return by_tarfile(film, folder, tarfile.GNU_FORMAT)


def by_webdataset(film: Path, folder: Path) -> str:
    import webdataset

    with webdataset.TarWriter(str(folder / "shard-000000.tar")) as shard:
        shard.write({"__key__": "0/clip", "mp4": film.read_bytes(), "json": {"caption": "a film"}, "txt": "text"})
    return f"tar://0/clip.mp4::{folder / 'shard-000000.tar'}"


def by_zip(film: Path, folder: Path) -> str:
    subprocess.run(["zip", "-q", "-r", str(folder / "made by zip.zip"), "."], cwd=_tree(film, folder), check=True)
    return f"zip://{INNER}::{folder / 'made by zip.zip'}"


def by_zip_stored(film: Path, folder: Path) -> str:
    subprocess.run(["zip", "-q", "-0", "-r", str(folder / "stored.zip"), "."], cwd=_tree(film, folder), check=True)
    return f"zip://{INNER}::{folder / 'stored.zip'}"


def by_zipfile(film: Path, folder: Path) -> str:
    with zipfile.ZipFile(folder / "python.zip", "w", zipfile.ZIP_LZMA) as out:
        out.write(film, "ein Film – 映画.mp4")
    return f"zip://ein Film – 映画.mp4::{folder / 'python.zip'}"


def by_file_url(film: Path, folder: Path) -> str:
    return by_tar(film, folder).replace("::/", "::file:///").replace(" ", "%20")


ARCHIVED: list[Callable[[Path, Path], str]] = [
    by_tar,
    by_tarfile,
    by_gnu_tarfile,
    by_webdataset,
    by_zip,
    by_zip_stored,
    by_zipfile,
    by_file_url,
]


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *map(str, arguments)], check=True, timeout=120
    )


def _hls(film: Path, folder: Path, *options: str) -> str:
    target = folder / "hls film"
    target.mkdir()
    ffmpeg(
        "-i", film, "-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", *options, target / "index.m3u8"
    )
    return str(target / "index.m3u8")


def by_hls_ts(film: Path, folder: Path) -> str:
    return _hls(film, folder)


def by_hls_fmp4(film: Path, folder: Path) -> str:
    return _hls(film, folder, "-hls_segment_type", "fmp4")


def by_hls_ranges(film: Path, folder: Path) -> str:
    return _hls(film, folder, "-hls_flags", "single_file")


def by_hls_fmp4_ranges(film: Path, folder: Path) -> str:
    return _hls(film, folder, "-hls_segment_type", "fmp4", "-hls_flags", "single_file")


def by_hls_master(film: Path, folder: Path) -> str:
    """Two variants, the smaller one first."""
    target = folder / "variants"
    target.mkdir()
    ffmpeg("-i", film, "-s", "64x36", folder / "small.mp4")
    for name, source in (("low", folder / "small.mp4"), ("high", film)):
        (target / name).mkdir()
        ffmpeg("-i", source, "-c", "copy", "-f", "hls", "-hls_list_size", "0", target / name / "prog.m3u8")
    (target / "master.m3u8").write_text(
        "#EXTM3U\n#EXT-X-VERSION:3\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=90000,RESOLUTION=64x36,CODECS="avc1.640014,mp4a.40.2"\nlow/prog.m3u8\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=80000,RESOLUTION=320x180\nhigh/prog.m3u8?token=1\n"
    )
    return str(target / "master.m3u8")


HLS = [by_hls_ts, by_hls_fmp4, by_hls_ranges, by_hls_fmp4_ranges, by_hls_master]


def numbered(film: Path, folder: Path, rate: str, pattern: str, *options: str) -> str:
    target = folder / "frames of it"
    target.mkdir()
    ffmpeg("-i", film, "-fps_mode", "passthrough", *options, "-start_number", "0", target / pattern)
    return frames_uri(str(target), Fraction(rate))


def by_datasets(film: Path, folder: Path) -> str:
    """The third of five rows, among rows that are no film and one of another film."""
    data = film.read_bytes()
    rows = [{"bytes": b"no film", "path": "x.mp4"}, {"bytes": data + b"\0\0\0\x08free", "path": "a/b.mp4"}]
    rows += [{"bytes": data, "path": "deep/film.mp4"}, None, None]
    features = datasets.Features({"video": datasets.Video(), "question": datasets.Value("string")})
    table = datasets.Dataset.from_dict({"video": rows, "question": ["q"] * 5}, features=features)
    table.to_parquet(folder / "train-00000-of-00001.parquet")
    return f"parquet://video/2/deep/film.mp4::{folder / 'train-00000-of-00001.parquet'}"


def by_bytes_alone(film: Path, folder: Path) -> str:
    table = pa.table({"id": [7, 8], "mp4": [b"other", film.read_bytes()]})
    pq.write_table(table, folder / "plain.parquet", row_group_size=1)
    return f"parquet://mp4/1::{folder / 'plain.parquet'}"


PARQUET = [by_datasets, by_bytes_alone]
