"""One bad row is quarantined with its reason and line; the rest of the file is used."""

import json

import pytest

from videozoomer.lake import CATALOG
from videozoomer.settings.sources import Source
from videozoomer.sources.files import SourceError
from videozoomer.sources.questions import question_rows, read_questions, read_source

GOOD = {"video": "a", "question": "What?", "answer": "red"}


def only(**item):
    (row,) = question_rows([GOOD | item], "films", "train", ["/films/a.mp4"])
    assert CATALOG["questions"].conform([row]).height == 1
    return row


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"answer": float("nan")}, "no_answer"),
        ({"question": float("nan")}, "no_question"),
        ({"video": float("nan")}, "no_video"),
        ({"answer": "NaN"}, "no_answer"),
        ({"options": ["red", float("nan"), "blue"]}, "bad_options"),
        ({"options": ["red", None, "blue"]}, "bad_options"),
        ({"type": "time", "answer": "noonish"}, "bad_answer"),
        ({"type": "yes_no", "answer": "maybe"}, "bad_answer"),
        ({"type": "number", "answer": "noonish"}, "bad_answer"),
        ({"type": "number", "answer": "a few"}, "bad_answer"),
        ({"question": "Wh\ud83dat?"}, "bad_text"),
        ({"topic": "a\x0b"}, "bad_text"),
        ({"answer": "re\x00d"}, "bad_text"),
        ({"options": ["red", "bl\x1bue"]}, "bad_text"),
        ({"id": "\udc00"}, "bad_text"),
        ({"video": ["a", "b"]}, "several_videos"),
    ],
)
def test_a_cell_that_means_nothing_is_refused(item, reason):
    row = only(**item)
    assert (row["status"], row["reason"]) == ("quarantined", reason)


@pytest.mark.parametrize("answer", ["1:05", "65", "65 s", "1 min 5 s", 65])
def test_times_pass(answer):
    assert only(type="time", answer=answer)["status"] == "ok"


@pytest.mark.parametrize("answer", ["3", "three", "twenty-one cars", "\\frac{1}{2}", "no", "1.5e3", 7, "about a dozen"])
def test_numbers_pass(answer):
    assert only(type="number", answer=answer)["status"] == "ok"


@pytest.mark.parametrize("answer", ["Yes.", "no", "True", True, "Yes, he does"])
def test_yes_and_no_pass(answer):
    assert only(type="yes_no", answer=answer)["status"] == "ok"


def test_an_infinite_answer_is_no_number():
    assert only(answer="infinity")["answer_type"] == "text"


def source(path) -> Source:
    return Source(name="films", videos="/films", questions=str(path))


def read(path):
    return read_source(source(path), ["/films/a.mp4"])


def test_a_bad_line_keeps_its_place_and_costs_no_other(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(
        "\n".join([json.dumps(GOOD), "", '{"video": "a", ', json.dumps(GOOD | {"question": "Who?"}), "[1]"])
    )
    reading = read(path)
    assert [row["reason"] for row in reading.rows] == [None, "bad_row", None, "bad_row"]
    assert [problem.where for problem in reading.problems] == ["line 3", "line 5"]
    assert len({row["question_id"] for row in reading.rows}) == 4


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(GOOD | {"question": "Wh\u2028at\x85?"}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [row["question"] for row in read(path).rows] == ["Wh\u2028at\x85?"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_separators_and_case_of_a_csv(encoding, separator, tmp_path):
    path = tmp_path / "q.csv"
    lines = [("Video", "Question ", "ANSWER", "Options"), ("a", '"What,\nor; who?"', "B", "rouge|vert")]
    path.write_text("\n".join(separator.join(cells) for cells in lines) + "\n", encoding=encoding)
    (row,) = read(path).rows
    assert (row["status"], row["question"], row["answer"]) == ("ok", "What,\nor; who?", "B")
    assert row["options"] == ["rouge", "vert"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_encodings_of_json(encoding, suffix, tmp_path):
    path = tmp_path / f"q.{suffix}"
    path.write_text(json.dumps([GOOD] if suffix == "json" else GOOD), encoding=encoding)
    assert [row["status"] for row in read(path).rows] == ["ok"]


@pytest.mark.parametrize(("suffix", "text"), [("json", "lines"), ("jsonl", "list"), ("tsv", "tabs")])
def test_a_file_is_read_by_what_it_holds(suffix, text, tmp_path):
    """Lines of JSON named .json, a list named .jsonl, and tabs."""
    path = tmp_path / f"q.{suffix}"
    rows = [GOOD, GOOD | {"question": "Who?"}]
    tabs = "video\tquestion\tanswer\na\tWhat?\tred\na\tWho, me?\tred\n"
    path.write_text({"lines": "\n".join(map(json.dumps, rows)), "list": json.dumps(rows, indent=1), "tabs": tabs}[text])
    assert [row["status"] for row in read(path).rows] == ["ok", "ok"]


def test_another_encoding_is_named_with_its_line(tmp_path):
    path = tmp_path / "q.csv"
    path.write_bytes("video,question,answer\na,What?,red\na,Où?,là\n".encode("latin-1"))
    with pytest.raises(SourceError, match="line 3 is not utf-8; save the file as UTF-8"):
        read_questions(str(path))


def test_lines_of_a_csv_are_counted_as_an_editor_counts_them(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text('video,question,answer\na,"What\nis it?",red\n\na,How many, or few?,3\na,Who?,\n')
    reading = read(path)
    assert [row["reason"] for row in reading.rows] == [None, "bad_row", "no_answer"]
    assert [problem.where for problem in reading.problems] == ["line 5", "line 6"]
    assert "4 cells, the header 3" in reading.problems[0].sentence
