"""Which video a name means: by its folders, never by a like name elsewhere."""

import json

import pytest

from videozoomer.settings.sources import Source
from videozoomer.sources.matching import Videos, collisions, source_root
from videozoomer.sources.questions import read_source
from videozoomer.sources.understood import understood

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


MLVU = {"1_plotQA": "plotQA", "2_needle": "findNeedle", "3_ego": "ego", "4_count": "count", "5_order": "order",
        "6_anomaly_reco": "anomaly_reco", "7_topic_reasoning": "topic_reasoning", "8_sub_scene": "subPlot",
        "9_summary": "summary"}  # fmt: skip


def test_no_question_of_mlvu_is_lost_or_bound_to_a_film_of_another_task(tmp_path):
    """The published tree: a folder and a file for each task, with films of one name in several folders. 812 of its
    questions used to be lost; files that are merged into one tell the task by `question_type` alone."""
    names = {task: ([f"{task}_{n}.mp4" for n in range(4)] if task == "2_needle" else
                    [f"movie101_{n}.mp4" for n in range(4)]) for task in MLVU}  # fmt: skip
    asked = {
        task: [
            {"video": name, "duration": 9, "question": f"{task}: what is in {name}?", "candidates": ["a car", "a cat"],
             "answer": "a cat", "question_type": MLVU[task]} for name in names[task]
        ] for task in MLVU
    }  # fmt: skip
    videos = str(tmp_path / "MLVU" / "video")
    uris = [f"{videos}/{task}/{name}" for task in MLVU for name in names[task]]

    def bound(file, tasks):
        path = tmp_path / f"{file}.json"
        path.write_text(json.dumps([row for task in tasks for row in asked[task]]))
        reading = read_source(Source(name="mlvu", videos=videos, questions=str(path)), uris)
        assert {row["reason"] for row in reading.rows} == {None}
        return reading, [row["video_uri"] for row in reading.rows]

    for task in MLVU:
        assert bound(task, [task])[1] == [f"{videos}/{task}/{name}" for name in names[task]]
    merged = [task for task in MLVU if task != "8_sub_scene"]
    reading, found = bound("mlvu_dev", merged)
    assert found == [f"{videos}/{task}/{name}" for task in merged for name in names[task]]
    assert any("taken from the folder named like" in line for line in understood(reading))


def test_a_topic_tells_no_films_apart_whose_folders_both_have_its_name():
    uris = ["/v/1_count/a.mp4", "/v/2_count/a.mp4"]
    assert Videos(uris, "/v").find("a.mp4", "count").reason == "ambiguous_video"
    assert Videos(uris, "/v").find("a.mp4", "order").reason == "ambiguous_video"


def test_query_strings_of_urls_are_no_part_of_the_name():
    uri = "https://host.org/v/a%20b.mp4?sig=x.y"
    assert find("a b.mp4", [uri], "https://host.org/v") == find("v/a b", [uri], "") == uri


def test_the_folder_of_a_source(tmp_path):
    (tmp_path / "v.2").mkdir()
    assert source_root(str(tmp_path / "v.2")) == str(tmp_path / "v.2")
    assert source_root("/films/season*/ep*.mp4") == source_root("/films/list.txt") == "/films"
    assert source_root("s3://bucket/films") == "s3://bucket/films"
