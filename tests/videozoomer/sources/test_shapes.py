"""The same questions in every shape that a JSON document gives them, and with their answers in a file of their own."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.videozoomer.sources.test_layouts import ASKED, COLOURS, EXAMPLES, LETTERED, OPTION_LINES, read
from videozoomer.sources.files import SourceError
from videozoomer.sources.understood import understood

VIDEOS = ("a.mp4", "b.mp4", "c.mp4")


def grouped(rows, *names):
    """Rows under the values of columns, which they lose: one level for each name."""
    if not names:
        return rows
    groups = {}
    for row in rows:
        groups.setdefault(row[names[0]], []).append({name: cell for name, cell in row.items() if name != names[0]})
    return {value: grouped(group, *names[1:]) for value, group in groups.items()}


def without(rows, *names):
    return [{name: cell for name, cell in row.items() if name not in names} for row in rows]


SHAPES = {
    "list": lambda rows: rows,
    "lists": lambda rows: [rows[: len(rows) // 2 + 1], *[[row] for row in rows[len(rows) // 2 + 1 :]]],
    "questions": lambda rows: {"version": 1, "questions": rows},
    "data": lambda rows: {"info": {"name": "films"}, "data": rows},
    "keyed by id": lambda rows: {row["id"]: row for row in without(rows)},
    "keyed by video": lambda rows: grouped(rows, "video"),
    "keyed by video and topic": lambda rows: grouped(rows, "video", "topic"),
    "nested": lambda rows: [{"video": video, "qa_pairs": group} for video, group in grouped(rows, "video").items()],
    "nested and keyed": lambda rows: {v: {"fps": 25, "mc": group} for v, group in grouped(rows, "video").items()},
    "objects in entries": lambda rows: [{"video": row["video"], "basic": row} for row in rows],
}

questions = st.lists(
    st.builds(
        dict, video=st.sampled_from(VIDEOS), topic=st.sampled_from(["where", "when"]), answer=st.sampled_from(COLOURS),
        options=st.just(COLOURS),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def seen(reading):
    return sorted(
        (row["video_uri"].rsplit("/")[-1], row["question"], tuple(row["options"]), row["answer"], row["reason"])
        for row in reading.rows
    )


@settings(max_examples=60, deadline=None)
@given(drawn=questions, shape=st.sampled_from(sorted(SHAPES)), apart=st.booleans())
def test_the_shape_of_a_document_changes_nothing(drawn, shape, apart, tmp_path_factory):
    """`apart` has the answers in a file of their own."""
    folder = tmp_path_factory.mktemp("shapes")
    rows = [row | {"id": f"q{n}", "question": f"Question {n}?"} for n, row in enumerate(drawn)]
    plain = read(folder, rows, *VIDEOS, name="plain.json")
    extra = {}
    if apart:
        (folder / "truth.json").write_text(json.dumps({row["id"]: row["answer"] for row in rows}))
        rows, extra = without(rows, "answer"), {"answers": str(folder / "truth.json")}
    reading = read(folder, SHAPES[shape](rows), *VIDEOS, name="shaped.json", **extra)
    assert seen(reading) == seen(plain)
    assert [row["question_id"] for row in plain.rows] == [f"films:q{n}" for n in range(len(drawn))]
    assert {row["question_id"] for row in reading.rows} == {row["question_id"] for row in plain.rows}


def test_what_was_understood_of_a_shape_is_said(tmp_path):
    rows = [{"video": "a.mp4", "topic": "where", "question": ASKED, "options": COLOURS, "answer": "green"}]
    first = understood(read(tmp_path, SHAPES["keyed by video and topic"](rows), name="q.json"))[0]
    assert "video from the key of each entry, topic from the inner key of each entry" in first
    lines = understood(read(tmp_path, SHAPES["nested"](rows)))
    assert "each entry has its questions under `qa_pairs`" in lines


@pytest.mark.parametrize("name", ["LVBench", "LLaVA-Video", "ReKV", "Video-R1"])
def test_a_json_file_of_one_entry(name, tmp_path):
    """The only line of a file of lines is an object, not a document with a list in it."""
    assert [row["reason"] for row in read(tmp_path, EXAMPLES[name], name="q.json").rows] == [None]


def test_ids_that_number_the_questions_of_one_film_are_told_apart(tmp_path):
    asked = {"question": ASKED, "options": COLOURS, "answer_id": 1}
    document = {video: {"mc_question": [asked | {"id": 0}, asked | {"id": 1}]} for video in ("a", "b")}
    reading = read(tmp_path, document, "a.mp4", "b.mp4", name="q.json", index_base=0)
    assert [row["question_id"] for row in reading.rows] == ["films:a/0", "films:a/1", "films:b/0", "films:b/1"]
    assert {row["answer"] for row in reading.rows} == {"B"}


@pytest.mark.parametrize(
    "turns",
    [
        [("from", "human", "value"), ("from", "gpt", "value")],
        [("from", "user", "value"), ("from", "assistant", "value")],
        [("role", "system", "content"), ("role", "user", "content"), ("role", "assistant", "content")],
    ],
)
@pytest.mark.parametrize("column", ["conversations", "messages"])
def test_conversations_of_other_trainers(turns, column, tmp_path):
    said = {"system": "You watch films.", "human": f"<video>{ASKED}\n{OPTION_LINES}", "gpt": "B. green"}
    said |= {"user": said["human"], "assistant": said["gpt"]}
    row = {"videos": ["a.mp4"], column: [{who: speaker, what: said[speaker]} for who, speaker, what in turns]}
    (made,) = read(tmp_path, [row]).rows
    assert (made["reason"], made["question"], made["options"], made["answer"]) == (None, ASKED, COLOURS, "B")


EGO = [{"q_uid": name, "question": ASKED, **{f"option {n}": c for n, c in enumerate(COLOURS)}} for name in "abc"]


def test_egoschemas_answers_are_joined_and_count_from_0(tmp_path):
    answers = tmp_path / "subset_answers.json"
    answers.write_text(json.dumps({"a": 3, "b": 1, "z": 0}))
    with pytest.raises(SourceError, match=r"no column for the answer.*say `answers: subset_answers.json`"):
        read(tmp_path, EGO, *VIDEOS, name="questions.json")
    reading = read(tmp_path, EGO, *VIDEOS, name="questions.json", answers=str(answers))
    assert [(row["answer"], row["reason"]) for row in reading.rows] == [("D", None), ("B", None), ("", "no_answer")]
    lines = understood(reading)
    assert "answer is a 0-based index (as in EgoSchema)" in lines[0]
    assert f"answers by `q_uid` from {answers} (2 questions); 1 answers there name no question" in lines
    assert f"entry 3: no_answer: it has no answer, and {answers} has none for it" in lines


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([{"question_id": 7, "answer": "green", "type": 3}], {}),
        ([{"qid": "7", "truth": "B"}], {}),
        ([{"name": "7", "right": "green"}], {"id": "name", "answer": "right"}),
        ({"7": {"answer": "green"}}, {"id": "qid"}),
    ],
)
def test_a_file_of_answers_may_have_rows(rows, columns, tmp_path):
    name = "name" if columns.get("id") == "name" else "qid"
    asked = [{name: 7.0, "video": "a.mp4", "question": ASKED, "options": COLOURS}]
    answers = tmp_path / "val_a.json"
    answers.write_text(json.dumps(rows))
    (made,) = read(tmp_path, asked, answers=str(answers), columns=columns).rows
    assert (made["reason"], made["answer"]) == (None, "B")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"z": 1}, "has answers for 'z', but q_uid of the questions is 'a', 'b', ...; check that the files belong"),
        ([{"id": "a", "answer": 1}, {"id": "a", "answer": 2}], "has two answers for id 'a'"),
        ([{"id": "a", "verdict": 1}], "has no column for the answer of a question; its columns are id, verdict"),
        (None, "does not exist; check the path under answers"),
        ("{", "cannot be read"),
    ],
)
def test_a_file_of_answers_that_cannot_be_used_is_refused(answers, says, tmp_path):
    path = tmp_path / "answers.json"
    if answers is not None:
        path.write_text(answers if isinstance(answers, str) else json.dumps(answers))
    with pytest.raises(SourceError, match=says):
        read(tmp_path, EGO, *VIDEOS, answers=str(path))


def test_answers_as_questions_are_refused_with_the_remedy(tmp_path):
    with pytest.raises(SourceError, match=r"single values under its keys.*`answers` of the recipe's source"):
        read(tmp_path, {"a": 3, "b": 1}, name="q.json")


def test_a_column_type_without_a_type_of_answer_is_the_topic(tmp_path):
    row = {"video": "a.mp4", "question": ASKED, "answer": "green", "options": COLOURS}
    reading = read(tmp_path, [row | {"type": "CH"}, row | {"type": "DO", "question": "Who?"}])
    assert [(made["reason"], made["topic"], made["answer_type"]) for made in reading.rows] == [
        (None, "CH", "choice"), (None, "DO", "choice"),
    ]  # fmt: skip
    assert "topic from `type`" in understood(reading)[0]
    for mistyped in ("numbr", "yesno", "Choice"):
        assert [made["reason"] for made in read(tmp_path, [row | {"type": mistyped}]).rows] == ["unknown_type"]


def test_options_that_are_in_the_question_too_are_shown_once(tmp_path):
    row = {"video": "a.mp4", "question": f"{ASKED}  \n{OPTION_LINES}\n", "options": LETTERED, "answer": "B"}
    other = row | {"options": ["one", "two"], "answer": "two"}
    first, second = read(tmp_path, [row, other]).rows
    assert (first["question"], first["options"]) == (ASKED, COLOURS)
    assert second["question"].startswith(f"{ASKED}  \nA. red")


@pytest.mark.parametrize("names", [("Option 1", "Option 2"), ("Sentence A", "Sentence B"), ("caption a", "caption b")])
def test_options_under_a_word_in_the_question(names, tmp_path):
    lines = [f"{name}: It is {colour}." for name, colour in zip(names, COLOURS, strict=False)]
    row = {"video": "a.mp4", "question": "\n".join(["Which fits?", *lines]), "answer": lines[1]}
    (made,) = read(tmp_path, [row]).rows
    assert (made["question"], made["options"]) == ("Which fits?", ["It is red.", "It is green."])
    assert (made["answer"], made["answer_type"]) == ("B", "choice")
    (made,) = read(tmp_path, [row | {"answer": "It is a car"}]).rows
    assert (made["options"], made["answer_type"]) == ([], "text")


@pytest.mark.parametrize("role", ["question", "answer"])
def test_a_list_is_never_asked_as_its_printed_form(role, tmp_path):
    row = {"video": "a.mp4", "question": ASKED, "answer": "green"} | {role: ["red", "green"]}
    reading = read(tmp_path, [row])
    assert [made["reason"] for made in reading.rows] == ["bad_text"]
    assert f"its {role} is a list; write one text" in understood(reading)[-1]


def test_flat_lvbench_keeps_its_evidence(tmp_path):
    row = {"video": "a", "type": "cartoon", "question": ASKED, "candidates": ["(A) red", "(B) green"],
           "answer": "(B) green", "question_type": ["reasoning"], "time_reference": "00:15-00:19"}  # fmt: skip
    (made,) = read(tmp_path, [row]).rows
    assert (made["reason"], made["answer"], made["topic"]) == (None, "B", "reasoning")
    assert made["evidence"] == [{"start_s": 15.0, "end_s": 19.0}]


def test_tvqa_counts_from_0_and_may_have_no_times(tmp_path):
    row = {f"a{n}": colour for n, colour in enumerate(COLOURS)}
    row |= {"q": ASKED, "qid": 1, "show_name": "Castle", "vid_name": "a", "ts": "1.5-4", "answer_idx": 1}
    reading = read(tmp_path, [row, row | {"qid": 2, "ts": "nan-nan"}])
    assert [(made["reason"], made["answer"]) for made in reading.rows] == [(None, "B"), (None, "B")]
    assert [made["evidence"] for made in reading.rows] == [[{"start_s": 1.5, "end_s": 4.0}], []]


def test_streamingbench_is_asked_about_its_film_only_if_that_is_said(tmp_path):
    asked = {"task_type": "Counting", "question": ASKED, "time_stamp": "00:00:50", "answer": "B", "options": LETTERED,
             "required_ability": "memory"}  # fmt: skip
    rows = [[{"time": "[0:00:00 - 0:01:00]", "questions": [asked], "video_path": "./a.mp4"}]]
    assert [made["reason"] for made in read(tmp_path, rows, name="q.json").rows] == ["part_of_film"]
    (made,) = read(tmp_path, rows, name="q.json", columns={"clip_end": None}).rows
    assert (made["reason"], made["options"], made["answer"], made["topic"]) == (None, COLOURS, "B", "Counting")
