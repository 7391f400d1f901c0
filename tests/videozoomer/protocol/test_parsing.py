"""Any reply is exactly one of a zoom, an answer or a fault."""

import math
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from zoom_play import TAGS, answer_reply, any_number, broken, thought, zoom_reply

from videozoomer.protocol import parsing
from videozoomer.protocol.parsing import STOP, Answer, Fault, Zoom, cut_reply, parse_reply

KINDS = set(re.findall(r"`(\w+)`", re.search(r'kind: str\n\s+"""(.*?)"""', open(parsing.__file__).read(), re.S)[1]))  # noqa: SIM115


@given(st.one_of(broken, st.text()))
@example("")
@example("<think>" * 50)
@example('<video_zoom>{"segment": [1, 2], "fps": ' + "9" * 5000 + "}</video_zoom>")
@example("<video_zoom>" + "[" * 100_000 + "</video_zoom>")
def test_any_reply_is_one_of_three(reply):
    read = parse_reply(reply)
    assert isinstance(read, Zoom | Answer | Fault)
    if isinstance(read, Zoom):
        assert all(map(math.isfinite, (read.start_s, read.end_s, read.fps)))
    elif isinstance(read, Answer):
        assert read.text.strip() == read.text != ""
    else:
        assert read.kind in KINDS and read.text.endswith(".")
    assert parse_reply(cut_reply(reply)) == read


@given(any_number, any_number, any_number, thought)
def test_a_call_is_a_zoom_or_a_fault_about_its_numbers(start_s, end_s, fps, reasoning):
    read = parse_reply(zoom_reply(start_s, end_s, fps, reasoning))
    if isinstance(read, Zoom):
        assert (read.start_s, read.end_s, read.fps) == (float(start_s), float(end_s), float(fps))
        assert read.well_formed and read.thought == reasoning.strip()
    else:
        assert read.kind in {"bad_fields", "bad_json"}


@given(st.one_of(broken, st.text()), st.sampled_from(["B", "two words"]))
def test_text_inside_think_is_neither_call_nor_answer(reasoning, answer):
    reasoning = reasoning.replace("</think>", "").replace(STOP, "")
    assert parse_reply(f"<think>{reasoning}</think><answer>{answer}</answer>").text == answer
    assert parse_reply(f"<think>{reasoning}").kind == "unclosed"


@given(thought, st.sampled_from(["", " ", "\n\n"]), st.sampled_from(["text", *TAGS]))
def test_well_formed_is_one_thought_then_one_answer_and_nothing_else(reasoning, gap, stray):
    whole = f"{gap}<think>{reasoning}</think>{gap}<answer>B</answer>{gap}"
    assert parse_reply(whole).well_formed
    for place in [*range(len(gap) + 1), *(match.end() for match in re.finditer("</think>|</answer>", whole))]:
        read = parse_reply(whole[:place] + stray + whole[place:])
        assert isinstance(read, Fault) or not read.well_formed


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("I think it is B", "nothing"),
        ("</answer>", "nothing"),
        ("<answer> </answer>", "empty_answer"),
        ("<answer>\\boxed{}</answer>", "empty_answer"),
        ("<answer>A</answer><answer>B</answer>", "several"),
        ('<answer>A</answer><video_zoom>{"segment": [1, 2], "fps": 1}</video_zoom>', "both"),
        ("<answer>A", "unclosed"),
        ("<think>I would say <answer>A</answer>", "unclosed"),
        ('<think>I would write <video_zoom>{"segment": [1, 2], "fps": 1}</video_zoom>', "unclosed"),
        ("<answer>A <answer>B</answer>", "unclosed"),
        ("<answer>A</think></answer>", "unclosed"),
        ('<video_zoom>{"segment": [1, 2], "fps": 1}<answer>A</answer>', "unclosed"),
        ("<video_zoom>{'segment': [1, 2], 'fps': 1}</video_zoom>", "bad_json"),
        ("<video_zoom></video_zoom>", "bad_json"),
        ("<video_zoom>[1, 2, 1]</video_zoom>", "bad_fields"),
        ('<video_zoom>{"segment": [1, 2]}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": [1, 2, 3], "fps": 1}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": ["1", "2"], "fps": 1}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": [true, 2], "fps": 1}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": [NaN, 2], "fps": 1}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": [1, 1e999], "fps": 1}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": [1, 2], "fps": -Infinity}</video_zoom>', "bad_fields"),
        ('<video_zoom>{"segment": [1, 2], "fps": ' + "9" * 400 + "}</video_zoom>", "bad_fields"),
    ],
)
def test_each_fault_has_its_kind(reply, kind):
    assert parse_reply(reply).kind == kind


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<think>a</think><think>b</think><answer>B</answer>", "B"),
        ("<think>a<think>b</think><answer>B</answer>", "B"),
        ("a</think><answer>B</answer>", "B"),
        ("<answer>\\boxed{B}</answer>", "B"),
        ("<answer>It is \\boxed{\\frac{\\sqrt{2}}{3}}, I think</answer>", "\\frac{\\sqrt{2}}{3}"),
        ("<answer>\\boxed{B</answer>", "\\boxed{B"),
        ("<answer>A</answer> so </answer>", "A"),
        ("<answer>x < y</answer>", "x < y"),
    ],
)
def test_a_loose_answer_counts_but_is_not_well_formed(reply, text):
    read = parse_reply(reply)
    assert (read.text, read.well_formed) == (text, False)


def test_generation_stops_at_the_first_call():
    first = zoom_reply(1, 2, 3)
    assert cut_reply(first + zoom_reply(4, 5, 6) + answer_reply("B")) == first
    assert parse_reply(first + answer_reply("B")).well_formed


@pytest.mark.parametrize(
    "pattern",
    [*TAGS, "<", "\\boxed{", "<answer>\\boxed{", "<think></think>", "<answer></answer>", "<think>{}</answer> "],
)
@pytest.mark.parametrize("frame", ["{}", "<answer>{}</answer>", "<think>{}</think>"])
def test_the_work_grows_linearly_with_the_length_of_a_reply(pattern, frame):
    """Counts executed lines of Python; each line reads its own part of the reply, and no part is read twice."""

    def work(times):
        reply, count = frame.replace("{}", pattern * times), 0

        def trace(_frame, event, _arg):
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            parse_reply(reply)
        finally:
            sys.settrace(before)
        return count

    base = work(0)
    assert work(800) - base <= 4.2 * (work(200) - base) + 50


def test_a_long_malformed_reply_is_parsed():
    """100 KB each of unclosed openings, which once took minutes."""
    for pattern in ("<think>", "<answer>", "<video_zoom>", "<think><answer>", "\\boxed{"):
        assert parse_reply(pattern * (100_000 // len(pattern))).kind in {"unclosed", "nothing"}
    assert parse_reply("<answer>" + "\\boxed{" * 14_000 + "</answer>").well_formed is False
