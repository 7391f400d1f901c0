"""Small files in the published formats, with texts of our own."""

import json

import polars as pl
import pytest

from eval.benchmarks import BENCHMARKS, BenchmarkError, read_benchmark, write_questions
from videozoomer.sources.questions import question_rows, read_questions

LVB = {"id": "abc_0", "video_id": "abc", "video_path": "abc.mp4", "question": "What is on the desk?",
       "correct_choice": 1,
       "question_category": "S2O", "duration_group": 600, "subtitle_path": "abc.json", "duration": 512.0}  # fmt: skip


def write(root, name: str) -> None:
    """Write a folder in the benchmark's published format."""
    if name == "videomme":
        rows = [{"video_id": "001", "duration": "long", "domain": "Sports", "sub_category": "Ball", "url": "",
                 "videoID": "xYz", "question_id": "001-1",
                 "task_type": "Counting", "question": "How many goals?",
                 "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."], "answer": "C"}]  # fmt: skip
        (root / "videomme").mkdir()
        pl.DataFrame(rows).write_parquet(root / "videomme" / "test-00000-of-00001.parquet")
    elif name == "mlvu":
        folder = root / "MLVU" / "json"
        folder.mkdir(parents=True)
        choice = {
            "video": "movie_1.mp4",
            "duration": 480.0,
            "question": "What colour is the car?",
            "candidates": ["Red", "Blue"],
            "answer": "Blue",
            "question_type": "plotQA",
        }
        (folder / "1_plotQA.json").write_text(json.dumps([choice, choice | {"question": "Which one?"}]))
        (folder / "9_summary.json").write_text(
            json.dumps(
                [
                    {
                        "video": "movie_2.mp4",
                        "duration": 60.0,
                        "question": "Sum up.",
                        "answer": "A man walks.",
                        "question_type": "summary",
                    }
                ]
            )
        )
    elif name == "longvideobench":
        (root / "lvb_val.json").write_text(json.dumps([LVB | {"candidates": ["a cup", "a lamp", "a cat"]}]))
    elif name == "lvbench":
        video = {"key": "kE-y", "type": "cartoon", "video_info": {"fps": 24.0}, "qa": [
            {"uid": "7", "question": "Who opens the door?\n(A) A cook\n(B) A boy\n(C) Nobody\n(D) A dog",
             "answer": "B", "question_type": ["entity recognition", "key information retrieval"],
             "time_reference": "71:05-71:20"},
            {"uid": "8", "question": "Why?\n(A) x\n(B) y", "answer": "A", "question_type": ["reasoning"],
             "time_reference": "whole video"},
            {"uid": "9", "question": "Why (A) or (B)?", "answer": "A", "question_type": ["reasoning"]}]}  # fmt: skip
        (root / "video_info.meta.jsonl").write_text(json.dumps(video) + "\n")
    else:
        good = {"problem_id": 0, "problem": "Why does he run?\nA. To win\nB. To flee\nC. For fun\nD. To eat",
                "data_type": "video", "problem_type": "goal",
                "reasoning": "...", "videos": "longvila_videos/q1.webm", "answer": "<answer>B</answer>"}  # fmt: skip
        broken = good | {"problem": "Why?\nA. To win\nC. For fun", "problem_id": 1}
        (root / "test.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in (good, broken, good | {"answer": "<answer>F</answer>"}))
        )


FIRST = {
    "videomme": ("xYz", ["One.", "Two.", "Three.", "Four."], "C", "long: Counting"),
    "mlvu": ("1_plotQA/movie_1.mp4", ["Red", "Blue"], "B", "plotQA"),
    "longvideobench": ("abc.mp4", ["a cup", "a lamp", "a cat"], "B", "600 s: S2O"),
    "lvbench": ("kE-y", ["A cook", "A boy", "Nobody", "A dog"], "B", "entity recognition, key information retrieval"),
    "longvideo_reason": ("longvila_videos/q1.webm", ["To win", "To flee", "For fun", "To eat"], "B", "goal"),
}
VIDEOS = ["v/xYz.mp4", "v/movie_1.mp4", "v/abc.mp4", "v/kE-y.mkv", "v/q1.webm"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_published_files_become_usable_questions(name, tmp_path):
    write(tmp_path, name)
    found = read_benchmark(name, tmp_path)
    first = found.questions[0]
    assert (first["video"], first["options"], first["answer"], first["topic"]) == FIRST[name]
    assert "\n" not in first["question"] and not first["question"].endswith("(A)")
    rows = question_rows(
        read_questions(str(write_questions(found.questions, tmp_path / "out" / "q.jsonl"))),
        name,
        "evaluation",
        VIDEOS,
        "v",
    )
    assert [row["status"] for row in rows] == ["ok"] * len(found.questions), [row["reason"] for row in rows]
    assert rows[0]["answer"] == FIRST[name][2] and rows[0]["answer_type"] == "choice"
    assert len({row["question_id"] for row in rows}) == len(rows)


def test_unusable_questions_are_listed_with_the_reason(tmp_path):
    for name, reasons in (
        ("mlvu", ["9_summary-0: summary asks for free text"]),
        ("lvbench", ["video_info.meta-2: its options"]),
        ("longvideo_reason", ["test-1: its options are not lines", "test-2: its answer 'F'"]),
    ):
        (tmp_path / name).mkdir()
        write(tmp_path / name, name)
        skipped = read_benchmark(name, tmp_path / name).skipped
        assert len(skipped) == len(reasons) and all(
            line.startswith(start) for line, start in zip(skipped, reasons, strict=True)
        )


def test_mlvu_films_of_one_name_are_distinguished_by_their_folders(tmp_path):
    folder = tmp_path / "json"
    folder.mkdir()
    asked = {"video": "movie.mp4", "question": "What?", "candidates": ["x", "y"], "answer": "y"}
    for task in ("1_plotQA", "4_count"):
        (folder / f"{task}.json").write_text(json.dumps([asked | {"question_type": task[2:]}]))
    found = read_benchmark("mlvu", tmp_path).questions
    uris = ["/mlvu/video/1_plotQA/movie.mp4", "/mlvu/video/4_count/movie.mp4"]
    rows = question_rows(found, "mlvu", "evaluation", uris, "/mlvu/video")
    assert [row["video_uri"] for row in rows] == uris and {row["status"] for row in rows} == {"ok"}


def test_lvbench_time_references_are_evidence_in_seconds(tmp_path):
    write(tmp_path, "lvbench")
    assert [q["evidence"] for q in read_benchmark("lvbench", tmp_path).questions] == [[[4265.0, 4280.0]], []]


def test_longvideobench_in_parquet_and_without_answers(tmp_path):
    options = {f"option{n}": text for n, text in enumerate(["a cup", "a lamp", "a cat", "N/A", "N/A"])}
    pl.DataFrame([LVB | options]).write_parquet(tmp_path / "validation-00000-of-00001.parquet")
    assert read_benchmark("longvideobench", tmp_path).questions[0]["options"] == ["a cup", "a lamp", "a cat"]
    (tmp_path / "lvb_test_wo_gt.json").write_text(
        json.dumps([{k: v for k, v in LVB.items() if k != "correct_choice"} | {"candidates": ["x", "y"]}])
    )
    found = read_benchmark("longvideobench", tmp_path / "lvb_test_wo_gt.json")
    assert found.questions == [] and "not public" in found.skipped[0]


def test_errors_name_the_file_and_the_columns(tmp_path):
    with pytest.raises(BenchmarkError, match=r"no annotation file of lvbench .* video_info\.meta\.jsonl"):
        read_benchmark("lvbench", tmp_path)
    with pytest.raises(BenchmarkError, match="'imagenet' is unknown; choose from videomme"):
        read_benchmark("imagenet", tmp_path)
    (tmp_path / "video_info.meta.jsonl").write_text('{"key": "x"}\n')
    with pytest.raises(BenchmarkError, match=r"entry 0 does not have the format of lvbench .*'qa'.* time_reference"):
        read_benchmark("lvbench", tmp_path)
