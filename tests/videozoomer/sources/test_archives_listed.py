"""Archives among a source's files: each film in them is a film of the source, and nothing is lost unsaid."""

import io
import subprocess
import tarfile
import zipfile
from collections import Counter

import datasets
import polars as pl
import pytest
import webdataset

from videozoomer.places.uris import short_name
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
    assert sorted(uris(tmp_path)) == [
        str(tmp_path / "s1/a.mp4"),
        *(f"zip://{n}::{tmp_path}/films.zip" for n in ("s1/b.MKV", "s2/a.mp4")),
    ]
    assert any("1 film of" in note and "unpacked beside it" in note for note in listing.notes)


def test_compressed_films_are_said_with_their_size(tmp_path):
    archive = write_zip(tmp_path / "films.zip", {"a.mp4": b"a" * 3_000_000}, zipfile.ZIP_DEFLATED)
    (note,) = list_place(str(archive)).notes
    assert ": 1 film, which a run unpacks" in note and "3.0 MB" in note


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


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/data/a [1].mp4", "a [1].mp4"),
        ("zip://s1/a.mp4::/data/films.zip", "films.zip/s1/a.mp4"),
        ("frames:///data/my%20film?rate=30000/1001", "my film"),
        ("s3://bucket/a.mp4", "a.mp4"),
    ],
)
def test_a_list_of_films_names_members_with_their_archive(uri, name):
    assert short_name(uri) == name


def write_datasets(path, rows):
    """Parquet as `datasets` writes it, with films in a column of its type Video."""
    films = [{"bytes": row["film"], "path": row["path"]} for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name not in ("film", "path")}
    features = {"video": datasets.Video(), **{name: datasets.Value("string") for name in columns}}
    table = datasets.Dataset.from_dict({"video": films, **columns}, features=datasets.Features(features))
    table.to_parquet(path)
    return path


ROWS = [
    {"film": b"a" * 2_000_000, "path": "s1/a.mp4", "question": "q1", "answer": "yes"},
    {"film": b"b", "path": "s2/a.mp4", "question": "q2", "answer": "no"},
    {"film": b"c", "path": None, "question": "q3", "answer": "yes"},
]


def test_each_row_of_parquet_is_a_film_and_has_its_question(tmp_path):
    shard = write_datasets(tmp_path / "train-00000-of-00002.parquet", ROWS)
    write_datasets(tmp_path / "train-00001-of-00002.parquet", ROWS[:2])
    pl.DataFrame({"video": ["a.mp4"], "question": ["q"], "answer": ["a"]}).write_parquet(tmp_path / "questions.parquet")
    listing = list_place(str(tmp_path))
    assert [item.uri for item in listing.offered[:3]] == [
        f"parquet://video/{member}::{shard}" for member in ("0/s1/a.mp4", "1/s2/a.mp4", "2")
    ]
    assert len(listing.offered) == 5 and describe_passed_over(listing) == "Passed over: 1 .parquet"
    assert ": 3 films, which a run unpacks" in listing.notes[0] and "2.0 MB" in listing.notes[0]
    assert uris(tmp_path / "train-*.parquet") == [item.uri for item in listing.offered]
    source = Source(name="films", videos=str(tmp_path), questions=str(tmp_path / "train-*.parquet"))
    rows = read_source(source, uris(tmp_path)).rows
    assert [row["video_uri"] for row in rows] == [item.uri for item in listing.offered]
    assert [row["reason"] for row in rows] == [None] * 5
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    source = Source(name="films", videos=str(moved), questions=str(moved / "train-*.parquet"))
    assert [row["question_id"] for row in read_source(source, uris(moved)).rows] == [row["question_id"] for row in rows]


def test_a_published_layout_beside_its_films_is_read(tmp_path):
    """MVBench has the video's name in `video`, candidates as a list and the answer as text."""
    rows = [{"film": b"a", "path": "a.mp4", "question": "q", "candidates": "x|y", "answer": "y"}]
    shard = write_datasets(tmp_path / "train.parquet", rows)
    source = Source(name="films", videos=str(shard), questions=str(shard))
    (row,) = read_source(source, uris(shard)).rows
    assert (row["options"], row["answer"], row["video_uri"]) == (["x", "y"], "B", uris(shard)[0])


def test_images_and_plain_bytes_are_no_films(tmp_path):
    features = datasets.Features({"video": datasets.Image(), "n": datasets.Value("int64")})
    table = datasets.Dataset.from_dict({"video": [{"bytes": b"x", "path": "a.png"}], "n": [1]}, features=features)
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"has no column of films"):
        list_place(str(tmp_path / "a.parquet"))
    with pytest.raises(SourceError, match=r"Passed over: 1 \.parquet"):
        list_place(str(tmp_path))


def test_questions_beside_films_in_webdataset_shards(tmp_path):
    for shard, keys in (("000", ("a/1", "a/2")), ("001", ("a/1", "no.film"))):
        with webdataset.TarWriter(str(tmp_path / f"shard-{shard}.tar")) as out:
            for key in keys:
                questions = {"question": f"{shard} {key}", "answer": "yes", "video": "youtube-id"}
                if key == "a/2":
                    questions = {"questions": [questions, questions | {"question": "again"}]}
                sample = {"__key__": key, "json": questions, "txt": "a caption"}
                out.write(sample if key == "no.film" else sample | {"mp4": b"film"})
    source = Source(name="films", videos=str(tmp_path / "*.tar"), questions=str(tmp_path / "*.tar"))
    rows = read_source(source, uris(source.videos)).rows
    assert [(row["question"], row["video_uri"].removeprefix("tar://").split("::")[0]) for row in rows] == [
        ("000 a/1", "a/1.mp4"), ("000 a/2", "a/2.mp4"), ("again", "a/2.mp4"), ("001 a/1", "a/1.mp4"),
    ]  # fmt: skip
    assert [row["video_uri"].endswith("shard-001.tar") for row in rows] == [False, False, False, True]
    assert not any(row["reason"] for row in rows)


def test_a_bad_json_beside_a_film_is_one_bad_row(tmp_path):
    good = b'{"question": "q", "answer": "yes"}'
    shard = write_tar(
        tmp_path / "s.tar", {"a.mp4": b"x", "a.json": good, "b.mp4": b"y", "b.json": b"{", "c.json": good}
    )
    rows = read_source(Source(name="films", videos=str(shard), questions=str(shard)), uris(shard)).rows
    assert [row["reason"] for row in rows] == [None, "bad_row"]
    with pytest.raises(SourceError, match="no JSON beside its films"):
        read_source(Source(name="f", videos="x", questions=str(write_tar(tmp_path / "t.tar", {"a.mp4": b"x"}))), [])
