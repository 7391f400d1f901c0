"""Listing a source, and batches that never change once they exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.lake import CATALOG
from videozoomer.sources.files import Offered, SourceError, assign_batches
from videozoomer.sources.listing import describe_passed_over, list_place


def names(place):
    return [item.uri.rsplit("/", 1)[1] for item in list_place(str(place)).offered]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MKV", "notes.txt", ".hidden.mp4", "deep/c.webm"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    return tmp_path / "videos"


def test_a_folder_gives_its_videos_sorted_and_unopened(folder):
    assert names(folder) == ["a.MKV", "b.mp4", "c.webm"]
    (first, *_) = list_place(str(folder)).offered
    assert (first.uri, first.bytes) == (str(folder / "a.MKV"), 10) and first.modified


def test_a_glob_takes_what_it_names(folder):
    assert names(folder / "*.txt") == ["notes.txt"]
    assert names(folder / "**" / "*.webm") == ["c.webm"]


def test_one_file(folder):
    assert names(folder / "b.mp4") == ["b.mp4"]


def test_a_list_is_relative_to_itself_and_may_name_missing_files(folder):
    manifest = folder / "list.txt"
    manifest.write_text(f"# mine\n\nb.mp4\n deep/c.webm \n{folder}/a.MKV\nb.mp4\ngone.mp4\n")
    offered = list_place(str(manifest)).offered
    assert [item.uri for item in offered] == [
        str(folder / name) for name in ("a.MKV", "b.mp4", "deep/c.webm", "gone.mp4")
    ]
    assert offered[-1].modified == "missing"


@pytest.mark.parametrize(
    ("place", "says"),
    [("nowhere", "does not exist"), ("empty", "has no videos"), ("videos/*.mov", "has no videos")],
)
def test_a_place_without_videos_is_named(folder, place, says):
    (folder.parent / "empty").mkdir()
    with pytest.raises(SourceError, match=says) as error:
        list_place(str(folder.parent / place))
    assert place in str(error.value)


def offered(*uris):
    return [Offered(uri, 1, "now") for uri in uris]


@given(st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=5), st.integers(1, 4))
def test_files_keep_their_batch_and_no_batch_grows_or_is_numbered_twice(offers, size):
    known, batch_of = [], {}
    for offer in offers:
        made = assign_batches("films", offered(*(f"v{n:02}.mp4" for n in sorted(offer))), known, size)
        assert [row["uri"] for row in made] == [f"v{n:02}.mp4" for n in sorted(offer)]
        assert CATALOG["files"].conform(made).height == len(made)
        before = set(batch_of.values())
        for row in made:
            assert batch_of.setdefault(row["uri"], row["batch"]) == row["batch"]
        fresh = [row["batch"] for row in made if row["batch"] not in before]
        assert all(fresh.count(batch) <= size for batch in set(fresh))
        assert all(list(batch_of.values()).count(batch) <= size for batch in batch_of.values())
        known = [*known, *(row for row in made if row["uri"] not in {k["uri"] for k in known})]


def test_batches_are_named_after_their_source_and_numbered_on():
    first = assign_batches("films", offered("a", "b", "c"), [], 2)
    assert [row["batch"] for row in first] == ["films-0001", "films-0001", "films-0002"]
    second = assign_batches("films", offered("a", "b", "c", "d"), first, 2)
    assert [row["batch"] for row in second] == ["films-0001", "films-0001", "films-0002", "films-0003"]


def test_a_source_counts_its_own_batches_and_no_others():
    """Batches of another source, written now or long gone, must not raise the number; its own must."""
    films = assign_batches("films", offered("a", "b", "c"), [], 2)
    taken = ["films-0001", "films-0002", "films-0007", "talks-0002"]
    talks = assign_batches("talks", offered("a", "z"), films, 1, taken)
    assert [row["batch"] for row in talks] == ["talks-0003", "talks-0004"]
    more = assign_batches("films", offered("a", "d"), [*films, *talks], 2, [*taken, "talks-0009"])
    assert [row["batch"] for row in more] == ["films-0001", "films-0008"]


def test_a_name_with_glob_marks_that_exists_is_that_file_or_folder(tmp_path):
    """`[`, `?` and `*` are common in the names of downloaded films."""
    folder = tmp_path / "Season [1]"
    folder.mkdir()
    for name in ("what?.mp4", "a [x264].mkv", "a x.mkv"):
        (folder / name).write_bytes(b"x")
    assert names(folder) == ["a [x264].mkv", "a x.mkv", "what?.mp4"]
    assert names(folder / "a [x264].mkv") == ["a [x264].mkv"]
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/a x.mkv").write_bytes(b"x")
    assert names(tmp_path / "plain" / "a [x].mkv") == names(tmp_path / "plain" / "a ?.mkv") == ["a x.mkv"]


@pytest.mark.parametrize("ending", ["asf", "3g2", "f4v", "qt", "ogg", "m2t", "mpe", "divx", "mk3d", "mj2"])
def test_every_ending_whose_container_is_read_is_found(tmp_path, ending):
    (tmp_path / f"film.{ending}").write_bytes(b"x")
    assert names(tmp_path) == [f"film.{ending}"]


def test_files_passed_over_are_counted_and_named(folder):
    for name in ("one.rmvb", "two.RMVB", "README"):
        (folder / name).write_bytes(b"x")
    assert describe_passed_over(list_place(str(folder))) == "Passed over: 2 .rmvb, 1 .txt, 1 without an ending"
    for place in (folder / "b.mp4", folder / "*.mp4"):
        assert describe_passed_over(list_place(str(place))) == ""
    only = folder / "only"
    only.mkdir()
    (only / "film.rmvb").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"has no videos; .*Passed over: 1 \.rmvb"):
        list_place(str(only))


@pytest.mark.parametrize(
    "link", ["https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ", "youtube.com/shorts/abc"]
)
def test_links_to_youtube_get_a_sentence_that_says_what_to_do(tmp_path, link):
    manifest = tmp_path / "list.txt"
    manifest.write_text(f"a.mp4\n{link}\n")
    with pytest.raises(SourceError, match=r"1 of 2 lines link to YouTube pages.*Download the videos first"):
        list_place(str(manifest))
    with pytest.raises(SourceError, match="it is a link to a YouTube page"):
        list_place(link)
