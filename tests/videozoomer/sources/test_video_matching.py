"""Which video a name means: by its folders, never by a like name elsewhere."""

import pytest

from videozoomer.sources.matching import Videos, collisions, source_root

SEASONS = ["/films/season1/ep01.mp4", "/films/season1/ep02.mp4", "/films/season2/ep01.mp4", "/films/intro.mp4"]


def find(named, uris=SEASONS, root="/films", folders=()):
    match = Videos(uris, root, folders).find(named)
    return match.uri or match.reason


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("season2/ep01.mp4", "/films/season2/ep01.mp4"),
        ("season1/ep01", "/films/season1/ep01.mp4"),
        ("./season1/ep01.mp4", "/films/season1/ep01.mp4"),
        ("films/season1/ep01.mp4", "/films/season1/ep01.mp4"),
        ("data/season1/ep01.mp4", "/films/season1/ep01.mp4"),
        ("/films/season1/ep01.mp4", "/films/season1/ep01.mp4"),
        ("https://host.org/v/season1/ep01.mp4?sig=a/b#t", "/films/season1/ep01.mp4"),
        ("ep02.mp4", "/films/season1/ep02.mp4"),
        ("ep01.mp4", "ambiguous_video"),
        ("season2/ep02.mp4", "unknown_video"),
        ("season3/ep02.mp4", "unknown_video"),
        ("on1/ep02.mp4", "unknown_video"),
        ("elsewhere/intro.mp4", "/films/intro.mp4"),
        ("intro.mkv", "unknown_video"),
        ("", "unknown_video"),
    ],
)
def test_a_name_is_matched_by_its_folders(named, found):
    assert find(named) == found


def test_another_season_is_never_bound_where_the_source_has_one_season_alone():
    assert find("season2/ep01.mp4", ["/films/season1/ep01.mp4"]) == "unknown_video"


def test_folders_that_tell_films_apart_are_not_dropped():
    """The source is the folder of season 1 itself, and its question file is about both."""
    videos = Videos(["/films/season1/ep01.mp4"], "/films/season1")
    named = ["season1/ep01.mp4", "season2/ep01.mp4", "ep01.mp4"]
    assert collisions((name, videos.find(name)) for name in named) == {"season2/ep01.mp4"}


def test_films_of_one_name_are_distinguished_by_the_name_of_the_question_file():
    uris = ["/mlvu/video/1_plotQA/movie_1.mp4", "/mlvu/video/4_count/movie_1.mp4"]
    assert find("movie_1.mp4", uris, "/mlvu/video") == "ambiguous_video"
    assert find("movie_1.mp4", uris, "/mlvu/video", ["4_count"]) == uris[1]


def test_query_strings_of_urls_are_no_part_of_the_name():
    uri = "https://host.org/v/a%20b.mp4?sig=x.y"
    assert find("a b.mp4", [uri], "https://host.org/v") == find("v/a b", [uri], "") == uri


def test_the_folder_of_a_source(tmp_path):
    (tmp_path / "v.2").mkdir()
    assert source_root(str(tmp_path / "v.2")) == str(tmp_path / "v.2")
    assert source_root("/films/season*/ep*.mp4") == source_root("/films/list.txt") == "/films"
    assert source_root("s3://bucket/films") == "s3://bucket/films"
