"""Options in another order: letters move with them wherever that is beyond doubt, and nothing else changes."""

import contextlib
import copy
from collections import Counter

import polars as pl
import pytest
from builders import answer_reply, played, zoom_reply
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol import FrameRef, Task
from videozoomer.protocol.message_rows import to_rows
from videozoomer.shards.letters import Unclear, moved, moved_answer, moves_safely
from videozoomer.shards.schema import RL, SFT
from videozoomer.shards.shuffle import (
    NO_QUESTION,
    NOT_FOUND,
    ORDER_MATTERS,
    UNCLEAR,
    order_of,
    shuffled_conversations,
    shuffled_questions,
)

OPTIONS = ["a red disc", "a blue disc", "a man", "nothing"]
SCHEMA = RL.schema
TO = {"A": "C", "B": "A", "C": "D", "D": "B"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>So it is red.</think><answer>B</answer>", "<think>So it is red.</think><answer>A</answer>"),
        ("<think>Option C is it.</think><answer>(C)</answer>", "<think>Option D is it.</think><answer>(D)</answer>"),
        ("<think>The answer is A.</think><answer>A.</answer>", "<think>The answer is C.</think><answer>C.</answer>"),
        ("<think>A man walks in.</think><answer>D</answer>", "<think>A man walks in.</think><answer>B</answer>"),
        ("<think>A red disc: option A.</think>", "<think>A red disc: option C.</think>"),
        ("<think>Options A, B and D are out.</think>", "<think>Options C, A and B are out.</think>"),
        ("<think>Not option A or option B.</think>", "<think>Not option C or option A.</think>"),
        ("<think>B. a blue disc fits.</think>", "<think>A. a blue disc fits.</think>"),
        ("<think>(C) a man, and (D) nothing.</think>", "<think>(D) a man, and (B) nothing.</think>"),
        ("<think>The answer is 'B'.</think>", "<think>The answer is 'A'.</think>"),
        ("<think>答案是B。</think><answer>B</answer>", "<think>答案是A。</think><answer>A</answer>"),
        ("<think>选项C正确</think>", "<think>选项D正确</think>"),
        ("<think>La respuesta es C.</think>", "<think>La respuesta es D.</think>"),
        ("<think>Die Antwort ist B.</think>", "<think>Die Antwort ist A.</think>"),
        ("<answer>B. a blue disc</answer>", "<answer>A. a blue disc</answer>"),
        ("<answer>Option D</answer>", "<answer>Option B</answer>"),
        ("<answer>a man</answer>", "<answer>a man</answer>"),
        ("<answer>A man</answer>", "<answer>A man</answer>"),
        ("<think>I see a T-shirt, an X-ray and B-roll in the U.S.</think>", None),
        ("<think>Platform Z is empty.</think>", None),
        ("<think>It is seen from 12.5 to 14.0 s. Then, at 62 s: nothing.</think>", None),
        ("<think>The answer is a man.</think>", None),
        ("<think>The first frame shows the last train above the door.</think>", None),
    ],
)  # fmt: skip
def test_letters_that_surely_name_options_move(reply, expected):
    assert moved(reply, OPTIONS, TO) == (reply if expected is None else expected)


@pytest.mark.parametrize(
    "thought",
    [
        "Team B wins.",
        "I see the letter B on the wall.",
        "It is B, I think.",
        "Between A and C, C fits.",
        "A fits best.",
        "A looked right.",
        "Option B, A man walks in.",
        "B's text is wrong.",
        "It is **B**.",
        r"\boxed{B}",
        "It is either option B, but C shows it too.",
        "Options A-C are out.",
        "Options A to C are out.",
        "The first option fits.",
        "The last one is right.",
        "Option 2 fits.",
        "The second is wrong.",
        "Neither the former nor option C.",
        "None of the above.",
        "option b fits",
        "(b) fits",
        "I go for b) then",
        "第一个选项是对的",
        "la primera opción",
        "B) a man, which is C's text.",
        "camera A. B. a blue disc",
        "wait.B it is",
        "_B_",
    ],
)
def test_a_letter_or_place_that_is_not_beyond_doubt_is_refused(thought):
    with pytest.raises(Unclear):
        moved(f"<think>{thought}</think><answer>B</answer>", OPTIONS, TO)


@pytest.mark.parametrize("answer", ["B or C", "E", "b", "the second", "B. a man"])
def test_an_answer_that_is_no_plain_option_is_refused(answer):
    with pytest.raises(Unclear):
        moved_answer(answer, OPTIONS, TO)


@pytest.mark.parametrize(
    ("question", "options", "free"),
    [
        ("What is shown?", ["red", "blue"], True),
        ("A man enters. What does he hold?", ["a hat", "a bag"], True),
        ("What does person A do?", ["sits", "runs"], False),
        ("What is it?", ["Vitamin B", "Vitamin A"], False),
        ("What is shown?", ["red", "blue", "None of the above"], False),
        ("What is shown?", ["red", "blue", "Both A and B"], False),
        ("What is shown?", ["red", "blue", "both"], False),
        ("What is shown?", ["red", "blue", "A-B"], False),
        ("What is shown?", ["red", "blue", "the other two"], False),
        ("What is shown?", ["red", "red"], False),
    ],
)
def test_questions_whose_order_matters_are_known(question, options, free):
    assert moves_safely(question, options) is free


PIECES = st.sampled_from(
    "Option A fits. |The answer is (B). |A man walks. |I zoom in. |Options C and D are out. |B. a blue disc. |A |B |"
    "option |the last one |A, |(C) |C) a man |'D' |and |answer: |is |选项|D|. |\n".split("|")
)


@given(st.lists(PIECES, max_size=8).map("".join), st.permutations("ABCD"))
def test_moving_back_gives_the_same_text_and_moves_no_words(text, letters):
    to = dict(zip("ABCD", letters, strict=True))
    reply = f"<think>{text}</think><answer>B</answer>"
    try:
        once = moved(reply, OPTIONS, to)
    except Unclear:
        return
    assert len(once) == len(reply)
    differing = [(old, new) for old, new in zip(reply, once, strict=True) if old != new]
    assert all(to[old] == new for old, new in differing)
    back = {new: old for old, new in to.items()}
    # An A that was a B may be an article: then the text is refused, not changed.
    with contextlib.suppress(Unclear):
        assert moved(once, [OPTIONS["ABCD".index(back[letter])] for letter in "ABCD"], back) == reply


def test_the_order_depends_on_the_question_and_the_seed_alone():
    assert order_of("q1", 4, 0) == order_of("q1", 4, 0) == [2, 0, 3, 1]
    assert len({tuple(order_of(f"q{n}", 4, 0)) for n in range(400)}) == 24
    assert any(order_of(f"q{n}", 4, 0) != order_of(f"q{n}", 4, 1) for n in range(5))
    first = Counter(order_of(f"q{n}", 4, 0)[0] for n in range(4000))
    assert all(abs(rows - 1000) < 120 for rows in first.values())


def question(
    question_id: str = "q1", options=OPTIONS, answer: str = "B", answer_type: str = "choice", text="What is it?"
):
    return {
        "question_id": question_id,
        "question": text,
        "options": options,
        "answer": answer,
        "answer_type": answer_type,
    }


def test_rl_and_evaluation_rows_keep_the_right_text():
    asked = [question(f"q{n}", answer="ABCD"[n % 4]) for n in range(20)]
    asked += [question("open", [], "red", "text"), question("names", text="What does B do?")]
    rows = pl.DataFrame(asked, schema={name: SCHEMA[name] for name in asked[0]})
    shuffled = shuffled_questions(rows, 3)
    changed = shuffled.rows
    assert shuffled.outcomes == {"shuffled": 20, ORDER_MATTERS: 1} and changed.schema == rows.schema
    assert sum(shuffled.letters.values()) == 21
    for old, new in zip(rows.to_dicts(), changed.to_dicts(), strict=True):
        assert sorted(new["options"]) == sorted(old["options"])
        if old["answer_type"] == "choice":
            assert new["options"]["ABCD".index(new["answer"])] == old["options"]["ABCD".index(old["answer"])]
    assert changed["options"].to_list() != rows["options"].to_list()
    assert changed.tail(2).equals(rows.tail(2))


def conversation(*replies: str, options=OPTIONS) -> list[dict]:
    steps: list = []
    for reply in replies:
        steps.append(reply)
        if "<video_zoom>" in reply:
            steps.append([FrameRef(f"f{n}", 10.5 + n) for n in range(2)])
    episode = played(Task("What is it?", tuple(options), "choice", 60.0), [FrameRef("f1", 0.0)], *steps)
    return to_rows(episode.transcript)


def sft(*conversations: list[dict], question_id: str = "q1") -> pl.DataFrame:
    rows = [
        {"id": f"t{n}", "question_id": question_id, "video_id": "v", "kind": "exemplar", "split": "train", "zooms": 1,
         "messages": messages, "answer": "B"}
        for n, messages in enumerate(conversations)
    ]  # fmt: skip
    return SFT.conform(rows)


def test_a_conversation_is_what_the_player_would_have_seen_and_said():
    said = zoom_reply(10, 12, 1, thought="Option B may be right."), answer_reply("B", "A disc: the answer is B.")
    rows = sft(conversation(*said))
    before = copy.deepcopy(rows.to_dicts())
    shuffled = shuffled_conversations(rows, pl.DataFrame([question()]), 0)
    changed = shuffled.rows
    assert shuffled.outcomes == {"shuffled": 1} and rows.to_dicts() == before
    order = order_of("q1", 4, 0)
    letter = "ABCD"[order.index(1)]
    assert letter != "B" and shuffled.letters == {letter: 1}
    expected = conversation(
        zoom_reply(10, 12, 1, thought=f"Option {letter} may be right."),
        answer_reply(letter, f"A disc: the answer is {letter}."),
        options=[OPTIONS[old] for old in order],
    )
    assert changed["messages"].to_list() == sft(expected)["messages"].to_list()
    assert changed["answer"].to_list() == [letter]


def test_a_row_that_is_not_beyond_doubt_stays_as_it_is_and_is_counted():
    unclear = conversation(answer_reply("B", "Team B wins."))
    foreign = conversation(answer_reply("B"), options=["other", "options", "than", "these"])
    clear = conversation(answer_reply("B"))
    rows = sft(unclear, foreign, clear)
    shuffled = shuffled_conversations(rows, pl.DataFrame([question()]), 0)
    changed = shuffled.rows
    assert shuffled.outcomes == {UNCLEAR: 1, NOT_FOUND: 1, "shuffled": 1} and shuffled.letters["B"] == 2
    assert changed.head(2).equals(rows.head(2)) and not changed.tail(1).equals(rows.tail(1))
    named = pl.DataFrame([question(text="What does B do?")])
    assert shuffled_conversations(rows, named, 0).outcomes == {ORDER_MATTERS: 3}
    assert shuffled_conversations(rows, named.clear(), 0).outcomes == {NO_QUESTION: 3}
    open_one = question(options=[], answer="red", answer_type="text")
    asked = pl.DataFrame([open_one], schema={name: SCHEMA[name] for name in open_one})
    shuffled = shuffled_conversations(rows, asked, 0)
    assert shuffled.outcomes == {} and shuffled.rows.equals(rows)
