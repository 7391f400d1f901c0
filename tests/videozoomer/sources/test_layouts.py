"""Question files in the published layouts and in usual forms, each as a few rows of our own."""

import hashlib
import json

import pytest

from examples.world import FULL_PLAN, ask_about, plan_videos
from videozoomer.settings.sources import Source
from videozoomer.sources.files import SourceError
from videozoomer.sources.questions import Reading, question_rows, read_source
from videozoomer.sources.understood import understood

COLOURS = ["red", "green", "blue", "grey"]
OPTION_LINES = "\n".join(f"{letter}. {colour}" for letter, colour in zip("ABCD", COLOURS, strict=True))
LETTERED = [f"{letter}. {colour}" for letter, colour in zip("ABCD", COLOURS, strict=True)]
ASKED = "Which colour has the car?"


def read(tmp_path, rows, *videos, name="questions.jsonl", **settings) -> Reading:
    path = tmp_path / name
    if isinstance(rows, str):
        path.write_text(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "videos"
    source = Source(name="films", videos=str(folder), questions=str(path), **settings)
    return read_source(source, [str(folder / video) for video in videos or ("a.mp4",)])


EXAMPLES = {
    "LongVideo-Reason": {"problem_id": 0, "problem": f"{ASKED}\n{OPTION_LINES}", "videos": "longvila_videos/a.mp4",
                         "answer": "<answer>B</answer>", "problem_type": "goal", "reasoning": "<think>"},
    "the paper's RL data": {"problem": f"<video>{ASKED}\n{OPTION_LINES}", "solution": "B", "videos": ["a.mp4"]},
    "Video-R1": {"problem_id": 2, "problem": ASKED, "data_type": "video", "problem_type": "multiple choice",
                 "options": LETTERED, "solution": "<answer>B</answer>", "path": "./a.mp4", "data_source": "x"},
    "LLaVA-Video": {"id": "1", "video": "a.mp4", "data_source": "x", "conversations": [
        {"from": "human", "value": f"<image>\n{ASKED}\n{OPTION_LINES}\nPlease respond with only the letter."},
        {"from": "gpt", "value": "B. green"}]},
    "MVBench": {"video": "a.mp4", "question": ASKED, "candidates": COLOURS, "answer": "green", "start": None,
                "end": None},
    "ReKV": {"video_id": "a", "video_path": "data/mlvu/a.mp4", "duration": 9, "conversations": [
        {"question": ASKED, "choices": COLOURS, "answer": "green", "question_type": "plotQA",
         "temporal_windows": [[65, 80]]}]},
    "NExT-QA": {"video": "a", "frame_count": 9, "question": ASKED, "answer": "1", "qid": "6", "type": "CH",
                "a0": "red", "a1": "green", "a2": "blue", "a3": "grey"},
    "MLVU": {"video": "a.mp4", "duration": 9, "question": ASKED, "candidates": COLOURS, "answer": "green",
             "question_type": "plotQA"},
    "LVBench": {"key": "a", "type": "cartoon", "qa": [
        {"uid": "7", "question": f"{ASKED}\n(A) red\n(B) green\n(C) blue\n(D) grey", "answer": "B",
         "question_type": ["entity recognition"], "time_reference": "01:05-01:20"}]},
    "EgoSchema": {"q_uid": "a", "google_drive_id": "x", "question": ASKED, "answer": 1,
                  **{f"option {n}": colour for n, colour in enumerate(COLOURS)}},
    "Video-MME": {"video_id": "001", "duration": "long", "videoID": "a", "question_id": "001-1", "url": "",
                  "task_type": "Counting", "question": ASKED, "options": LETTERED, "answer": "B"},
    "CG-Bench": {"qid": 0, "video_uid": "a", "question": ASKED, "choices": COLOURS, "right_answer": "B",
                 "answer": "green", "clue_intervals": [[65, 80]], "sub_category": "cars"},
    "MMVU": {"id": "validation_1", "video": "https://host.org/resolve/main/videos/a.mp4", "youtube_url": "x",
             "question_type": "multiple-choice", "question": ASKED, "choices": dict(zip("ABCD", COLOURS, strict=True)),
             "answer": "B"},
    "LongVideoBench": {"id": "a_0", "video_id": "a", "video_path": "a.mp4", "question": ASKED, "correct_choice": 1,
                       "question_category": "S2O", "candidates": COLOURS},
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_published_layout_is_read_without_any_setting(name, tmp_path):
    reading = read(tmp_path, [EXAMPLES[name]])
    (row,) = reading.rows
    assert (row["status"], row["reason"]) == ("ok", None)
    assert reading.columns.layout and reading.columns.layout.name == name
    assert (row["question"], row["options"], row["answer"], row["answer_type"]) == (ASKED, COLOURS, "B", "choice")
    assert row["video_uri"] == str(tmp_path / "videos" / "a.mp4")
    if name in ("LVBench", "CG-Bench", "ReKV"):
        assert row["evidence"] == [{"start_s": 65.0, "end_s": 80.0}]
    assert "all usable" in understood(reading)[0]


def test_the_open_questions_of_mmvu_have_no_options(tmp_path):
    row = EXAMPLES["MMVU"] | {"choices": dict.fromkeys("ABCDE", ""), "answer": "Dolly Zoom"}
    (made,) = read(tmp_path, [row]).rows
    assert (made["status"], made["options"], made["answer"], made["answer_type"]) == ("ok", [], "Dolly Zoom", "text")


def test_each_turn_of_a_conversation_is_a_question_of_its_own(tmp_path):
    turns = [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Here"}]
    turns += [{"from": "human", "value": "When?"}, {"from": "gpt", "value": "Now"}]
    made = read(tmp_path, [{"video": "a.mp4", "conversations": turns}]).rows
    assert [(row["question"], row["answer"], row["status"]) for row in made] == [
        ("Where?", "Here", "ok"), ("When?", "Now", "ok"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bounds"),
    [("MVBench", {"start": 11.1, "end": 24.4}), ("MVBench", {"start": 0, "end": 24.4}), ("own", {"start_time": "0:11"}),
     ("own", {"clip_start": 11, "clip_end": 24})],
)  # fmt: skip
def test_a_question_about_a_part_of_a_film_is_never_asked_about_the_whole(name, bounds, tmp_path):
    row = (EXAMPLES["MVBench"] if name == "MVBench" else OWN | {"options": COLOURS}) | bounds
    reading = read(tmp_path, [row, row | dict.fromkeys(bounds) | {"question": "Who?"}])
    assert [made["reason"] for made in reading.rows] == ["part_of_film", None]
    assert "cut that part into a file of its own" in understood(reading)[-1]
    roles = reading.columns.column_of.keys() & {"clip_start", "clip_end"}
    assert [made["reason"] for made in read(tmp_path, [row], columns=dict.fromkeys(roles)).rows] == [None]


def test_a_question_up_to_a_moment_of_a_film_is_refused_in_nested_layouts_too(tmp_path):
    asked = EXAMPLES["ReKV"]["conversations"][0] | {"end_time": 6.0}
    reading = read(tmp_path, [EXAMPLES["ReKV"] | {"conversations": [asked]}])
    assert [row["reason"] for row in reading.rows] == ["part_of_film"]


def test_the_right_answer_names_the_letter_of_an_option_and_not_its_place(tmp_path):
    """Published files have 'C. ...' before 'A. ...'. Such a list used to be read by place, and such lines as an open
    question whose answer is 'D'."""
    shuffled = [LETTERED[2], LETTERED[0], LETTERED[1], LETTERED[3]]
    for row in (
        EXAMPLES["the paper's RL data"] | {"problem": f"<image>{ASKED}  \n" + "  \n".join(shuffled) + "  \n"},
        OWN | {"options": shuffled},
        OWN | {"options": "\n".join(shuffled)},
    ):
        (made,) = read(tmp_path, [row]).rows
        assert (made["status"], made["question"], made["options"], made["answer"]) == ("ok", ASKED, COLOURS, "B")


@pytest.mark.parametrize("letters", ["ABD", "ABBD", "BAD"])
def test_letters_with_a_gap_or_twice_are_refused(letters, tmp_path):
    options = [f"{letter}. {colour}" for letter, colour in zip(letters, COLOURS, strict=False)]
    assert [row["reason"] for row in read(tmp_path, [OWN | {"options": options}]).rows] == ["bad_options"]


@pytest.mark.parametrize(
    "options",
    [["(c)(a)(b).", "(a)(c)(b).", "(b)(a)(c)."], ["(a)(b)", "(b)(a)"], ["J. Smith", "A. Lee", "T. Ray"],
     ["A. Smith", "A. Lee"]],
)  # fmt: skip
def test_options_that_only_look_lettered_are_kept(options, tmp_path):
    """Orders such as '(a)(b)(c)' are Video-MME's."""
    (row,) = read(tmp_path, [OWN | {"options": options, "answer": options[1]}]).rows
    assert (row["status"], row["options"], row["answer"]) == ("ok", options, "B")


def test_the_key_of_an_option_is_its_letter_whatever_the_text_starts_with(tmp_path):
    """A published question of MMVU has its fourth option as C: 'D. ...'."""
    options = {"A": "A. red", "B": "B. green", "C": "D. grey"}
    (row,) = read(tmp_path, [EXAMPLES["MMVU"] | {"choices": options, "answer": "C"}]).rows
    assert (row["status"], row["options"][2], row["answer"]) == ("ok", "D. grey", "C")


def test_a_choice_of_one_option_is_refused(tmp_path):
    """MVBench has five of them."""
    (row,) = read(tmp_path, [EXAMPLES["MVBench"] | {"candidates": ["green"]}]).rows
    assert (row["status"], row["reason"]) == ("quarantined", "bad_options")


def test_ids_that_repeat_across_videos_do_not_cost_questions(tmp_path):
    row = EXAMPLES["NExT-QA"]
    made = read(tmp_path, [row, row | {"video": "b"}], "a.mp4", "b.mp4").rows
    assert [item["status"] for item in made] == ["ok", "ok"]


OWN = {"video": "a.mp4", "question": ASKED, "answer": "B"}


@pytest.mark.parametrize(
    "options",
    [
        COLOURS,
        LETTERED,
        [f"({line[0]}) {line[3:]}" for line in LETTERED],
        [f"{line[0]}) {line[3:]}" for line in LETTERED],
        [f"{line[0]}: {line[3:]}" for line in LETTERED],
        dict(zip("ABCD", COLOURS, strict=True)),
        dict(zip("abcd", COLOURS, strict=True)),
        dict(zip("0123", COLOURS, strict=True)),
        "\n".join(LETTERED),
        "|".join(COLOURS),
        json.dumps(COLOURS),
        str(COLOURS),
        json.dumps(LETTERED),
    ],
)
def test_options_in_every_usual_form(options, tmp_path):
    (row,) = read(tmp_path, [OWN | {"options": options}]).rows
    assert (row["status"], row["options"], row["answer"]) == ("ok", COLOURS, "B")


@pytest.mark.parametrize(
    "names",
    [list("ABCD"), list("abcd"), ["option_0", "option_1", "option_2", "option_3"],
     ["Option A", "Option B", "Option C", "Option D"], ["a0", "a1", "a2", "a3"],
     ["option1", "option2", "option3", "option4"]],
)  # fmt: skip
def test_options_in_columns_of_their_own(names, tmp_path):
    reading = read(tmp_path, [OWN | dict(zip(names, COLOURS, strict=True))])
    assert (reading.rows[0]["status"], reading.rows[0]["options"]) == ("ok", COLOURS)
    assert "options from `" in understood(reading)[0]


def test_a_printed_array_without_commas_is_refused_instead_of_joined(tmp_path):
    (row,) = read(tmp_path, [OWN | {"options": "['red' 'green']"}]).rows
    assert row["reason"] == "bad_options"


def test_letter_and_text_that_name_different_options_are_refused(tmp_path):
    (row,) = read(tmp_path, [OWN | {"options": COLOURS, "answer": "A. green"}]).rows
    assert row["reason"] == "answer_not_in_options"


@pytest.mark.parametrize(
    ("indices", "setting", "letters"),
    [
        ([0, 1, 3], None, ["A", "B", "D"]),
        ([1, 2, 4], None, ["A", "B", "D"]),
        ([1, 2, 3], None, None),
        ([1, 2, 3], 0, ["B", "C", "D"]),
        ([1, 2, 3], 1, ["A", "B", "C"]),
    ],
)
def test_the_base_of_indices_is_settled_over_the_whole_file(indices, setting, letters, tmp_path):
    rows = [OWN | {"question": f"{n}?", "options": COLOURS, "answer": n} for n in indices]
    reading = read(tmp_path, rows, index_base=setting)
    if letters:
        assert [row["answer"] for row in reading.rows] == letters
        assert "-based index" in understood(reading)[0]
    else:
        assert {row["reason"] for row in reading.rows} == {"unknown_index_base"}
        assert "index_base" in understood(reading)[-1]


@pytest.mark.parametrize(
    ("row", "letter"),
    [
        (EXAMPLES["LongVideoBench"] | {"candidates": ["2", "1", "3"], "correct_choice": 1}, "B"),
        (EXAMPLES["LongVideoBench"] | {"candidates": ["2", "1", "0"], "correct_choice": 2}, "C"),
        (EXAMPLES["NExT-QA"] | {"a0": "4", "a1": "3", "a2": "1", "a3": "2", "answer": "1"}, "B"),
    ],
)
def test_an_index_of_a_layout_is_one_even_where_it_is_also_the_text_of_an_option(row, letter, tmp_path):
    (made,) = read(tmp_path, [row]).rows
    assert (made["status"], made["answer"]) == ("ok", letter)


def test_a_number_that_may_be_an_index_or_a_text_is_refused(tmp_path):
    indices = [OWN | {"question": f"{n}?", "options": COLOURS, "answer": n} for n in (0, 1)]
    doubtful = OWN | {"options": ["3", "2", "1", "0"], "answer": 1}
    reading = read(tmp_path, [*indices, doubtful])
    assert [row["reason"] for row in reading.rows] == [None, None, "ambiguous_answer"]
    assert read(tmp_path, [*indices, doubtful], index_base=0).rows[2]["answer"] == "B"
    assert read(tmp_path, [doubtful]).rows[0]["answer"] == "C"


@pytest.mark.parametrize("answer", ["B", "(b)", "B.", "The answer is B.", "<answer>B</answer>", "\\boxed{B}", "**B**"])
def test_a_letter_without_options_is_no_answer_to_an_open_question(answer, tmp_path):
    """Options that are not understood used to make an open question whose right answer is 'B'."""
    row = {"video": "a.mp4", "question": f"{ASKED}; A. red; B. green", "answer": answer}
    assert [made["reason"] for made in read(tmp_path, [row]).rows] == ["no_options"]
    assert read(tmp_path, [row | {"options": LETTERED}]).rows[0]["answer"] == "B"
    for said in (row | {"type": "text"}, row | {"options": []}):
        assert [made["status"] for made in read(tmp_path, [said]).rows] == ["ok"]
    assert [made["status"] for made in read(tmp_path, [row], columns={"options": None}).rows] == ["ok"]


def test_columns_are_named_in_the_recipe(tmp_path):
    row = {"clip": "a.mp4", "ask": ASKED, "truth": "B", "alternatives": COLOURS, "kind": "car"}
    with pytest.raises(SourceError, match=r"no column for the video.*`columns: \{video: "):
        read(tmp_path, [row])
    columns = {"video": "clip", "question": "Ask", "options": "alternatives", "topic": "kind"}
    reading = read(tmp_path, [row], columns=columns)
    (made,) = reading.rows
    assert (made["status"], made["options"], made["answer"], made["topic"]) == ("ok", COLOURS, "B", "car")
    assert "question from `ask`" in understood(reading)[0]
    with pytest.raises(SourceError, match="has no column 'clop'"):
        read(tmp_path, [row], columns=columns | {"video": "clop"})


def test_a_column_of_two_possible_meanings_is_asked_for(tmp_path):
    row = {"video_path": "a.mp4", "video_id": "b", "question": ASKED, "answer": "red"}
    with pytest.raises(SourceError, match="video_path and video_id could each be the video"):
        read(tmp_path, [row])
    assert read(tmp_path, [row], columns={"video": "video_path"}).rows[0]["status"] == "ok"


def test_columns_like_options_that_are_not_used_are_refused_with_the_remedy(tmp_path):
    """Such a row used to be an open question whose right answer is 'B'."""
    reading = read(tmp_path, [OWN | {"opts": COLOURS}, OWN | {"question": "Who?", "answer": "Ann"}])
    assert [row["reason"] for row in reading.rows] == ["unused_options", None]
    assert "line 1: unused_options: column opts" in understood(reading)[-1]
    assert read(tmp_path, [OWN | {"opts": COLOURS}], columns={"options": "opts"}).rows[0]["options"] == COLOURS
    assert read(tmp_path, [OWN | {"opts": COLOURS}], columns={"options": None}).rows[0]["options"] == []


def test_the_demos_question_files_are_read_as_ever():
    """Ids and content, with the files' own ids and without; the hash is of what version 1 of the reader made."""
    items = [question.row() for question in ask_about(plan_videos(FULL_PLAN, 0), 0, 10)]
    uris = [f"/w/{video}" for video in sorted({item["video"] for item in items}) if video]
    bare = [{name: value for name, value in item.items() if name != "id"} for item in items]
    made = question_rows(items, "films", "train", uris) + question_rows(bare, "films", "train", uris)
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    assert (len(made), digest) == (278, "65e403f0339e96661a5196e09460b2b78fd068bb6024c0c161c1337c2a2ff2b7")
