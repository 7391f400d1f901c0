"""Question files of every format become the same rows; unusable rows keep a reason."""

import json

import polars as pl
import pytest

from filters.grading import grade
from videozoomer.lake import CATALOG
from videozoomer.protocol.question import Question
from videozoomer.sources.files import SourceError
from videozoomer.sources.questions import question_rows, read_questions

URIS = ["/films/a.mp4", "/films/b.mp4", "/films/one/c.mp4", "/films/two/c.mp4"]
PLAIN = [
    {
        "video": "a.mp4",
        "question": "Which colour?",
        "answer": "B",
        "options": ["red", "blue"],
        "id": "1",
        "topic": "which",
        "evidence": [[1, 2.5], [4, 5]],
    },
    {"video": "b", "question": "How many?", "answer": "3", "options": [], "id": "2", "topic": None, "evidence": []},
]


def rows(*items, **defaults):
    raw = [{"video": "a", "question": "What?", "answer": "red"} | defaults | item for item in items]
    return question_rows(raw, "films", "train", URIS, "/films")


def only(**item):
    (row,) = rows(item)
    return row


def write(tmp_path, suffix):
    path = tmp_path / f"questions{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, PLAIN)) + "\n\n")
    elif suffix == ".json":
        path.write_text(json.dumps({"questions": PLAIN}))
    elif suffix == ".csv":
        lists = ("options", "evidence")
        pl.DataFrame([{k: json.dumps(v) if k in lists else v for k, v in row.items()} for row in PLAIN]).write_csv(path)
    else:
        floats = [
            row | {"evidence": [[float(bound) for bound in window] for window in row["evidence"]]} for row in PLAIN
        ]
        pl.DataFrame(floats).write_parquet(path)
    return str(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    made = question_rows(read_questions(write(tmp_path, suffix)), "films", "train", URIS)
    table = CATALOG["questions"].conform(made)
    assert table["status"].to_list() == ["ok", "ok"]
    assert table.select("question_id", "video_uri", "answer", "answer_type").rows() == [
        ("films:1", "/films/a.mp4", "B", "choice"), ("films:2", "/films/b.mp4", "3", "number"),
    ]  # fmt: skip
    assert table["evidence"].to_list() == [[{"start_s": 1.0, "end_s": 2.5}, {"start_s": 4.0, "end_s": 5.0}], []]
    assert table["options"].to_list() == [["red", "blue"], []]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("q.txt", "?", "must end in .jsonl"),
        ("q.jsonl", '{"video": "a"}\n[1]', "line 2 is not an object"),
        ("q.jsonl", "not json", "cannot be read"),
        ("q.json", '{"items": []}', "list of questions"),
        ("q.json", "[1]", "entry 1 is not an object"),
        ("q.parquet", "no parquet", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SourceError, match=says) as error:
        read_questions(str(path))
    assert name in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        read_questions(str(tmp_path / "none.jsonl"))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"question": " "}, "no_question"),
        ({"question": None}, "no_question"),
        ({"answer": None}, "no_answer"),
        ({"answer": ""}, "no_answer"),
        ({"video": ""}, "no_video"),
        ({"video": "z.mp4"}, "unknown_video"),
        ({"video": "c.mp4"}, "ambiguous_video"),
        ({"type": "numbers"}, "unknown_type"),
        ({"options": ["red", "blue"], "answer": "green"}, "answer_not_in_options"),
        ({"options": ["red", "blue"], "answer": "C"}, "answer_not_in_options"),
        ({"options": ["red", "blue"], "answer": "3"}, "unknown_index_base"),
        ({"type": "choice"}, "answer_not_in_options"),
        ({"options": "red, blue"}, "bad_options"),
        ({"options": {"B": "red"}}, "bad_options"),
        ({"options": [str(n) for n in range(27)], "answer": "26"}, "bad_options"),
        ({"evidence": [[3, 1]]}, "bad_evidence"),
        ({"evidence": [[-1, 1]]}, "bad_evidence"),
        ({"evidence": [[1]]}, "bad_evidence"),
        ({"evidence": [["early", "late"]]}, "bad_evidence"),
        ({"evidence": [[1, float("nan")]]}, "bad_evidence"),
        ({"evidence": [[1, float("inf")]]}, "bad_evidence"),
        ({"evidence": "soon"}, "bad_evidence"),
    ],
)
def test_an_unusable_row_is_kept_with_its_reason(item, reason):
    row = only(**item)
    assert (row["status"], row["reason"]) == ("quarantined", reason)
    assert CATALOG["questions"].conform([row]).height == 1


def test_a_repeated_id_is_quarantined_under_a_new_one():
    made = rows({"id": "x"}, {"id": "x", "question": "Else?"}, {"id": "y"})
    assert [(row["question_id"], row["reason"]) for row in made] == [
        ("films:x", None),
        ("films:x#1", "repeated_id"),
        ("films:y", None),
    ]
    assert CATALOG["questions"].conform(made).height == 3


def test_default_ids_depend_on_the_question_alone():
    first = only()["question_id"]
    assert only(topic="colours", answer="blue")["question_id"] == first
    assert len({first, only(question="Else?")["question_id"], only(video="b")["question_id"]}) == 3


@pytest.mark.parametrize("named", ["a", "a.mp4", "/films/a.mp4", "elsewhere/a.mp4"])
def test_a_video_may_be_named_by_path_name_or_stem(named):
    assert only(video=named)["video_uri"] == "/films/a.mp4"


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("2", "B"),
        (2, "B"),
        (2.0, "B"),
        ("b)", "B"),
        ("[B]", "B"),
        ("Option B", "B"),
        ("The answer is B.", "B"),
        ("B. blue", "B"),
        ("<answer>B</answer>", "B"),
        (["B"], "B"),
        ("Blue", "B"),
        ("0", "A"),
        (0, "A"),
        ("red", "A"),
    ],
)
def test_the_correct_option_may_be_named_in_any_way(answer, letter):
    row = only(options=["red", "blue"], answer=answer)
    assert (row["status"], row["answer"], row["answer_type"]) == ("ok", letter, "choice")


def test_the_text_of_an_option_comes_before_an_index():
    assert only(options=["1", "0", "2"], answer="0")["answer"] == "B"


@pytest.mark.parametrize(
    ("others", "answer", "letter"),
    [
        ([(["l", "v", "e"], "l")], "b", "C"),  # MVBench answers with texts: 'What letter is shown first?'
        ([(["red", "blue"], "B")], "B", "B"),
        ([(["red", "blue"], "B"), (["red", "blue"], "red")], "B", None),
        ([], "B", None),
    ],
)
def test_a_letter_that_is_the_text_of_another_option_is_read_as_the_file_gives_its_answers(others, answer, letter):
    doubtful = {"options": ["A.", "F.", "B.", "K."] if answer == "B" else ["a", "c", "b"], "answer": answer}
    items = [{"question": f"{n}?", "options": options, "answer": given} for n, (options, given) in enumerate(others)]
    row = rows(doubtful, *items)[0]
    assert (row["status"], row["answer"] if letter else row["reason"]) == (
        ("ok", letter) if letter else ("quarantined", "ambiguous_answer")
    )


def test_the_very_text_of_an_option_counts_before_its_like():
    assert only(options=["RED", "red", "Red."], answer="red")["answer"] == "B"
    assert only(options=["RED", "red"], answer="Red")["reason"] == "ambiguous_answer"
    assert only(options=["red", "red", "blue"], answer="red")["reason"] == "ambiguous_answer"
    assert only(options=["red", "red", "blue"], answer="blue")["answer"] == "C"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Yes", "yes_no"),
        ("no.", "yes_no"),
        ("3", "number"),
        ("-2.5", "number"),
        ("red", "text"),
        ("red, blue", "text"),
        (3, "number"),
    ],
)
def test_a_missing_type_is_derived(answer, kind):
    row = only(answer=answer)
    assert (row["status"], row["answer_type"]) == ("ok", kind)


def test_every_usable_answer_is_correct_by_its_own_grader():
    """Question files and graders agree on what an answer is."""
    items = [
        {"options": ["red", "blue"], "answer": "blue"}, {"answer": "3"}, {"answer": "yes"}, {"answer": "a red disc"},
        {"answer": "1:05", "type": "time"}, {"answer": "red, blue", "type": "order"},
    ]  # fmt: skip
    for row in rows(*(item | {"id": number} for number, item in enumerate(items))):
        assert (row["status"], grade(Question.from_row(row), row["answer"]).verdict) == ("ok", "correct"), row
