"""A zoom call that is not to the letter is read where it is beyond doubt, and never where it could mean two things."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from zoom_play import PROMPTS, SMALL, TAGS, any_number, broken, frame_at, overview, replies, task, thought, zoom_reply

from videozoomer.protocol import Episode, parse_reply
from videozoomer.protocol.as_meant import as_meant
from videozoomer.protocol.parsing import Zoom, cut_reply

THOUGHT = "<think>Closer.</think>"
WRITTEN = {
    "numbers as text": '<video_zoom>{"segment": ["90", "105.5"], "fps": "2"}</video_zoom>',
    "with units": '<video_zoom>{"segment": ["90s", "105.5 seconds"], "fps": "2 fps"}</video_zoom>',
    "minutes and seconds": '<video_zoom>{"segment": ["1:30", "01:45.5"], "fps": 2}</video_zoom>',
    "hours": '<video_zoom>{"segment": ["00:01:30", "0:01:45.5"], "fps": 2}</video_zoom>',
    "unquoted": '<video_zoom>{"segment": [1:30, 1:45.5], "fps": 2}</video_zoom>',
    "trailing commas": '<video_zoom>{"segment": [90, 105.5,], "fps": 2,}</video_zoom>',
    "quotes of Python": "<video_zoom>{'segment': [90, 105.5], 'fps': 2}</video_zoom>",
    "a list as text": '<video_zoom>{"segment": "[90, 105.5]", "fps": "2"}</video_zoom>',
    "start and end": '<video_zoom>{"start": 90, "end": 105.5, "fps": 2}</video_zoom>',
    "an object": '<video_zoom>{"segment": {"start_s": 90, "end_s": 105.5}, "fps": 2}</video_zoom>',
    "capitals": '<video_zoom>{"Segment": [90, 105.5], "FPS": 2}</video_zoom>',
    "fence inside": '<video_zoom>\n```json\n{"segment": [90, 105.5], "fps": 2}\n```\n</video_zoom>',
    "fence outside": '```xml\n<video_zoom>{"segment": [90, 105.5], "fps": 2}</video_zoom>',
    "fence alone": '\n```json\n{"segment": [90, 105.5], "fps": 2}\n```\n',
    "bare": '\n{"segment": [90, 105.5], "fps": 2}',
    "tool call": '<tool_call>\n{"name": "video_zoom", "arguments": {"segment": [90, 105.5], "fps": 2}}\n</tool_call>',
    "parameters": '<tool_call>{"name": "video_zoom", "parameters": {"segment": ["90", "105.5"], "fps": 2}}</tool_call>',
    "as text": r'<tool_call>{"name": "zoom", "arguments": "{\"segment\": [90, 105.5], \"fps\": 2}"}</tool_call>',
    "tool in our tag": '<video_zoom>{"name":"video_zoom","arguments":{"segment":[90,105.5],"fps":2}}</video_zoom>',
}
IN_DOUBT = {
    "one digit of seconds": '<video_zoom>{"segment": ["1:3", "1:45"], "fps": 2}</video_zoom>',
    "seconds past 59": '<video_zoom>{"segment": ["1:30", "1:75"], "fps": 2}</video_zoom>',
    "minutes beside seconds": '<video_zoom>{"segment": ["1:30", 95], "fps": 2}</video_zoom>',
    "frames in a timecode": '<video_zoom>{"segment": ["00:01:30:12", "00:01:45:00"], "fps": 2}</video_zoom>',
    "thousands": '<video_zoom>{"segment": ["1,200", "1,210"], "fps": 2}</video_zoom>',
    "decimal commas": '<video_zoom>{"segment": ["12,5", "14,5"], "fps": 2}</video_zoom>',
    "three numbers": '<video_zoom>{"segment": [1,200, 1210], "fps": "2"}</video_zoom>',
    "a comma too few": '<video_zoom>{"segment": [1 20, 30], "fps": 2}</video_zoom>',
    "a tool with more": '<tool_call>{"name": "zoom", "id": 1, "arguments": {"segment": [1, 2], "fps": 2}}</tool_call>',
    "a key twice": '<video_zoom>{"segment": [1, 2], "segment": [3, 4], "fps": "2"}</video_zoom>',
    "a key twice but for case": '<video_zoom>{"segment": [1, 2], "Segment": [3, 4], "fps": 2,}</video_zoom>',
    "other units": '<video_zoom>{"segment": ["1 min", "2 min"], "fps": 2}</video_zoom>',
    "a unit beside": '<video_zoom>{"segment": ["1", "2"], "fps": 2, "unit": "minutes"}</video_zoom>',
    "segment and start": '<video_zoom>{"segment": ["1", "2"], "start": 3, "end": 4, "fps": 2}</video_zoom>',
    "frames": '<video_zoom>{"segment": ["frame3", "frame5"], "fps": 2}</video_zoom>',
    "no rate": '<video_zoom>{"segment": ["1", "2"]}</video_zoom>',
    "a range as text": '<video_zoom>{"segment": "10-20", "fps": 2}</video_zoom>',
    "not finite": '<video_zoom>{"segment": [1, Infinity], "fps": 2,}</video_zoom>',
    "true": '<video_zoom>{"segment": [true, 2], "fps": 2,}</video_zoom>',
    "another tool": '<tool_call>{"name": "crop", "arguments": {"segment": [1, 2], "fps": 2}}</tool_call>',
    "no tool": '<tool_call>{"segment": [1, 2], "fps": 2}</tool_call>',
    "two tool calls": 2 * '<tool_call>{"name": "zoom", "arguments": {"segment": [1, 2], "fps": 2}}</tool_call>',
    "two objects": '{"segment": [1, 2], "fps": 2}\n{"segment": [3, 4], "fps": 2}',
    "words around": 'I would write {"segment": [1, 2], "fps": 2} now',
    "an answer too": '<video_zoom>{"segment": ["1", "2"], "fps": 2}</video_zoom><answer>B</answer>'.replace(
        "</video_zoom>", "</tool_call>"
    ),
    "in a thought": '<think>{"segment": [1, 2], "fps": 2}</think>',
}


@pytest.mark.parametrize("call", WRITTEN.values(), ids=WRITTEN)
def test_what_is_beyond_doubt_is_rewritten_to_the_letter(call):
    assert as_meant(THOUGHT + call) == THOUGHT + '\n<video_zoom>{"segment": [90, 105.5], "fps": 2}</video_zoom>'
    assert parse_reply(as_meant(THOUGHT + call)) == Zoom(90, 105.5, 2, "Closer.", True)


@pytest.mark.parametrize("call", IN_DOUBT.values(), ids=IN_DOUBT)
def test_what_could_mean_two_things_is_not_read(call):
    assert as_meant(THOUGHT + call) is None


def test_a_call_without_a_thought_is_read_and_stays_not_well_formed():
    read = parse_reply(as_meant('<video_zoom>{"segment": ["1", "2"], "fps": 2}</video_zoom>'))
    assert read == Zoom(1, 2, 2, "", False)
    assert as_meant('<video_zoom>{"segment": [1, 2], "fps": 2.0}</video_zoom>') is None


def test_three_parts_are_hours_minutes_and_seconds():
    read = parse_reply(as_meant(THOUGHT + '<video_zoom>{"segment": ["59:50", "1:02:03.5"], "fps": 1}</video_zoom>'))
    assert (read.start_s, read.end_s) == (3590, 3723.5)


def test_a_call_of_unusual_length_is_not_read():
    call = '<video_zoom>{"segment": ["1", "2"], "fps": 2' + " " * 2000 + "}</video_zoom>"
    assert as_meant(THOUGHT + call) is None and as_meant(THOUGHT + call.replace(" " * 1000, "")) is not None


@given(any_number, any_number, any_number, thought)
def test_what_is_to_the_letter_stays(start_s, end_s, fps, reasoning):
    reply = zoom_reply(start_s, end_s, fps, reasoning)
    if isinstance(parse_reply(reply), Zoom):
        assert as_meant(reply) is None


def clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"


@given(
    st.integers(0, 5999).map(lambda hundredths: hundredths / 4),
    st.integers(0, 5999).map(lambda hundredths: hundredths / 4),
    st.sampled_from([0.5, 1, 2, 4.25]),
    st.lists(st.sampled_from(["text", "clock", "comma", "fence", "tool", "python"]), unique=True),
    thought,
)
def test_the_rewritten_call_means_what_was_written(start_s, end_s, fps, ways, reasoning):
    segment = [start_s, end_s]
    if "clock" in ways:
        segment = [clock(value) for value in segment]
    elif "text" in ways:
        segment, fps = [str(value) for value in segment], str(fps)
    call = json.dumps({"segment": segment, "fps": fps})
    if "tool" in ways:
        call = json.dumps({"name": "video_zoom", "arguments": json.loads(call)})
    call = call.replace("}", ",}", 1) if "comma" in ways else call
    call = call.replace('"', "'") if "python" in ways else call
    call = f"```json\n{call}\n```" if "fence" in ways else call
    tag = "tool_call" if "tool" in ways else "video_zoom"
    reply = f"<think>{reasoning}</think>\n<{tag}>{call}</{tag}>"
    read = parse_reply(as_meant(reply) or reply)
    assert isinstance(read, Zoom) and read.well_formed
    assert (read.start_s, read.end_s, read.fps) == (start_s, end_s, float(fps))


PIECES = [
    *TAGS, "<tool_call>", "</tool_call>", "```x", "```", "{", "}", "[", "]", ",", ":", '"', "'", '"fps"', '"segment"',
    '"start"', '"end"', '"name"', '"arguments"', '"video_zoom"', "1", "20", "1:30", '"2:05"', '"3 s"', '"4 fps"', "-1",
    "1.5", '{"segment": [1, 2], "fps": 2}', '{"segment": ["1", "2:00"], "fps": 2,}', '"segment": [1, 2]', '"fps": 3',
    '{"name": "video_zoom", "arguments": ', "<think>a</think>", "<think>a</think><video_zoom>", "</video_zoom>",
]  # fmt: skip
hostile = st.one_of(broken, st.lists(st.sampled_from(PIECES), max_size=14).map("".join))


@given(hostile)
@example("<think>a</think>" + '{"segment": ' * 150)
@example("<think>a</think>x" + " " * 100_000 + "`")
@example("<think>" * 20_000)
def test_whatever_is_read_parses_to_the_letter_and_holds_three_numbers_and_no_more(reply):
    written = as_meant(cut_reply(reply))
    if written is None:
        return
    read = parse_reply(written)
    assert isinstance(read, Zoom)
    assert as_meant(written) is None or not read.well_formed
    # Nothing was chosen among several: the call as it was written names each of its three numbers once.
    thought_end = re.match(r"\s*<think>.*?</think>", reply, re.S)
    numbers = re.findall(r"[\d:.]*\d[\d:.]*", cut_reply(reply)[thought_end.end() if thought_end else 0 :])
    assert len(numbers) == 3


@given(replies)
def test_an_episode_that_reads_as_meant_is_one_whose_turns_were_to_the_letter(some_replies):
    lenient = Episode(task(), overview(), SMALL, PROMPTS, read_as_meant=True)
    for reply in some_replies:
        if not lenient.running:
            break
        if times := lenient.step(reply):
            lenient.show([frame_at(time_s, len(lenient.turns)) for time_s in times])
    strict = Episode(task(), overview(), SMALL, PROMPTS)
    for turn in lenient.turns:
        if times := strict.step(turn.reply):
            strict.show([frame_at(time_s, len(strict.turns)) for time_s in times])
    assert strict.transcript == lenient.transcript
    for one, other in zip(strict.turns, lenient.turns, strict=True):
        assert (one.action, one.start_s, one.end_s, one.fps) == (other.action, other.start_s, other.end_s, other.fps)
        assert other.as_written is None or as_meant(other.as_written) == other.reply


def test_the_letter_holds_unless_it_is_waived():
    reply = THOUGHT + WRITTEN["minutes and seconds"].replace("1:30", "0:30").replace("01:45.5", "0:32")
    strict, lenient = (Episode(task(), overview(), SMALL, PROMPTS, read_as_meant=waived) for waived in (False, True))
    assert strict.step(reply) == [] and strict.turns[0].fault == "bad_fields" and strict.turns[0].as_written is None
    assert lenient.step(reply) and lenient.turns[0].as_written == reply
    assert lenient.turns[0].well_formed and lenient.transcript[-1].text == lenient.turns[0].reply
