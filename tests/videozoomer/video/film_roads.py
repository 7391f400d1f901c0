"""The same film by each road: as a file, and in archives that tar, zip, Python and webdataset write."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

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
