"""Archives among a source's files: each film in them is a film of the source, and nothing is lost unsaid."""

import io
import subprocess
import tarfile
import zipfile
from collections import Counter

import pytest

from videozoomer.settings.sources import Source
from videozoomer.sources.files import SourceError
from videozoomer.sources.listing import describe_passed_over, list_place
from videozoomer.sources.questions import question_rows, read_source


def write_tar(path, members, **options):
    with tarfile.open(path, "w", **options) as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def write_zip(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return path


FILMS = {
    "s1/a.mp4": b"a" * 9,
    "s1/b.MKV": b"b" * 600,
    "s1/notes.txt": b"x",
    "__MACOSX/s1/._a.mp4": b"x",
    "s2/a.mp4": b"c",
}


def uris(place):
    return [item.uri for item in list_place(str(place)).offered]


@pytest.mark.parametrize(("write", "kind"), [(write_tar, "tar"), (write_zip, "zip")])
def test_an_archive_stands_for_its_films(tmp_path, write, kind):
    archive = write(tmp_path / f"films.{kind}", FILMS)
    listing = list_place(str(archive))
    assert [item.uri for item in listing.offered] == [
        f"{kind}://{name}::{archive}" for name in ("s1/a.mp4", "s1/b.MKV", "s2/a.mp4")
    ]
    assert [item.bytes for item in listing.offered] == [9, 600, 1] and all(item.modified for item in listing.offered)
    assert describe_passed_over(listing) == "Passed over: 1 .txt"
    assert uris(tmp_path) == uris(tmp_path / f"*.{kind}") == uris(archive)


@pytest.mark.parametrize(
    ("chain", "names"),
    [
        ("s1/a.mp4", ["s1/a.mp4"]),
        ("s1/notes.txt", ["s1/notes.txt"]),
        ("s1", ["s1/a.mp4", "s1/b.MKV"]),
        ("s1/*.mp4", ["s1/a.mp4"]),
        ("**/a.mp4", ["s1/a.mp4", "s2/a.mp4"]),
        ("", ["s1/a.mp4", "s1/b.MKV", "s2/a.mp4"]),
    ],
)
def test_a_chain_names_members(tmp_path, chain, names):
    archive = write_zip(tmp_path / "films.zip", FILMS)
    assert uris(f"zip://{chain}::{archive}") == [f"zip://{name}::{archive}" for name in names]


def test_a_chain_may_name_what_is_not_there(tmp_path):
    archive = write_zip(tmp_path / "films.zip", FILMS)
    with pytest.raises(SourceError, match=r"has no member 's3/a\.mp4'"):
        list_place(f"zip://s3/a.mp4::{archive}")
    with pytest.raises(SourceError, match="does not exist"):
        list_place(f"zip://a.mp4::{tmp_path}/none.zip")


def test_a_list_may_name_archives_and_members(tmp_path):
    archive = write_zip(tmp_path / "films.zip", FILMS)
    (tmp_path / "list.txt").write_text(f"films.zip\nzip://s1/a.mp4::{archive}\nzip://gone.mp4::{archive}\n")
    listing = list_place(str(tmp_path / "list.txt"))
    assert len(listing.offered) == 4
    assert [item.uri for item in listing.offered if item.modified == "missing"] == [f"zip://gone.mp4::{archive}"]


def test_films_that_lie_unpacked_beside_their_archive_are_taken_once(tmp_path):
    """A downloaded archive and what was unpacked from it often lie in one folder."""
    write_zip(tmp_path / "films.zip", FILMS)
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1/a.mp4").write_bytes(FILMS["s1/a.mp4"])
    listing = list_place(str(tmp_path))
    assert uris(tmp_path) == [
        str(tmp_path / "s1/a.mp4"),
        *(f"zip://{n}::{tmp_path}/films.zip" for n in ("s1/b.MKV", "s2/a.mp4")),
    ]
    assert any("1 films" in note and "unpacked beside it" in note for note in listing.notes)


def test_compressed_films_are_said_with_their_size(tmp_path):
    archive = write_zip(tmp_path / "films.zip", {"a.mp4": b"a" * 3_000_000}, zipfile.ZIP_DEFLATED)
    (note,) = list_place(str(archive)).notes
    assert "1 films are compressed" in note and "3 MB" in note


def test_a_compressed_tar_is_refused_with_the_remedy(tmp_path):
    write_tar(tmp_path / "films.tar", FILMS)
    subprocess.run(["gzip", "-k", str(tmp_path / "films.tar")], check=True)
    with pytest.raises(SourceError, match=r"gunzip films\.tar\.gz"):
        list_place(str(tmp_path / "films.tar.gz"))
    listing = list_place(str(tmp_path))
    assert len(listing.offered) == 3 and describe_passed_over(listing) == "Passed over: 1 .tar.gz, 1 .txt"
    assert any("gunzip" in note for note in listing.notes)


def test_damaged_archives_are_offered_themselves_and_the_rest_is_listed(tmp_path):
    """They are quarantined at ingest, with the reason, beside the members that can be read."""
    whole = write_tar(tmp_path / "whole.tar", FILMS).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: whole.index(b"s1/b.MKV") + 700])
    garbled = bytearray(whole)
    garbled[whole.index(b"s1/notes.txt")] ^= 0xFF
    (tmp_path / "garbled.tar").write_bytes(garbled)
    write_zip(tmp_path / "cut.zip", FILMS)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "cut.zip").read_bytes()[:-40])
    (tmp_path / "no.tar").write_bytes(b"not a tar" * 200)
    found = Counter(uri.rsplit("/", 1)[1] for uri in uris(tmp_path))
    assert found == {"whole.tar": 3, "cut.tar": 3, "garbled.tar": 3, "cut.zip": 1, "no.tar": 1}
    assert len(list_place(str(tmp_path)).notes) == 4


def test_questions_find_members_by_the_end_of_their_path(tmp_path):
    films, more = (
        write_zip(tmp_path / "films.zip", FILMS),
        write_tar(tmp_path / "more.tar", {"c.mp4": b"c", "s1/a.mp4": b"d"}),
    )
    (tmp_path / "q.csv").write_text(
        "video,question,answer\ns2/a.mp4,q1,yes\nb,q2,yes\nfilms.zip/s1/a.mp4,q3,no\nmore.tar/c.mp4,q4,no\n"
        f"zip://s1/b.MKV::{films},q5,no\ns1/a.mp4,q6,no\n"
    )
    source = Source(name="films", videos=str(tmp_path), questions=str(tmp_path / "q.csv"))
    rows = read_source(source, uris(tmp_path)).rows
    assert [row["video_uri"] for row in rows[:5]] == [
        f"zip://s2/a.mp4::{films}", f"zip://s1/b.MKV::{films}", f"zip://s1/a.mp4::{films}", f"tar://c.mp4::{more}",
        f"zip://s1/b.MKV::{films}",
    ]  # fmt: skip
    assert [row["reason"] for row in rows] == [None, None, None, None, None, "ambiguous_video"]


@pytest.mark.parametrize(("named", "reason"), [("films/s2/a.mp4", None), ("S2/a.mp4", "unknown_video")])
def test_a_folder_that_the_archive_does_not_have_may_be_left_out(tmp_path, named, reason):
    """Unpacking `films.zip` often gives a folder `films`; `s2` and `S2` are two folders."""
    write_zip(tmp_path / "films.zip", FILMS)
    rows = question_rows([{"video": named, "question": "q", "answer": "yes"}], "f", "train", uris(tmp_path))
    assert rows[0]["reason"] == reason
