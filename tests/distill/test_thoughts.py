"""Thoughts that a server moves or marks its own way come back as the protocol writes them."""

from __future__ import annotations

import json

import pytest
from completions import completion
from hypothesis import given
from hypothesis import strategies as st

from distill.client.replies import read_completion
from distill.client.thoughts import text_and_reasoning, with_thought
from videozoomer.protocol.as_meant import as_meant
from videozoomer.protocol.parsing import Answer, Zoom, parse_reply

THOUGHTS = st.text(alphabet="ab .\n{}\"'éß視", min_size=1, max_size=40)
ACTIONS = st.sampled_from(
    ['<video_zoom>{"segment": [1, 2], "fps": 2}</video_zoom>', "<answer>B</answer>", "\n\n<answer>red\ncar</answer>\n"]
)


def moved(thought: str, action: str) -> list[dict]:
    """The same turn as servers send it; the first is the turn itself."""
    return [
        {"content": f"<think>{thought}</think>{action}"},
        {"content": action, "reasoning_content": thought},
        {"content": action, "reasoning": thought},
        {"content": action, "reasoning": thought, "reasoning_details": [{"type": "reasoning.text", "text": thought}]},
        {"content": action, "reasoning_details": [{"type": "reasoning.text", "text": thought}]},
        {"content": action, "thinking_blocks": [{"type": "thinking", "thinking": thought}]},
        {"content": f"{thought}</think>{action}"},
        {"content": [{"type": "text", "text": f"<think>{thought}</think>"}, {"type": "text", "text": action}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": thought}]},
                {"type": "text", "text": action},
            ]
        },
        {"content": f"<thought>{thought}</thought>{action}"},
        {"content": f"<thinking>{thought}</thinking>{action}"},
        {"content": f"[THINK]{thought}[/THINK]{action}"},
        {"content": None, "reasoning_content": f"{thought}</think>{action}"},
        {"content": None, "reasoning_content": f"<think>{thought}</think>{action}"},
        {"content": f"</think>{action}", "reasoning_content": thought},
    ]


@given(thought=THOUGHTS, action=ACTIONS)
def test_a_thought_comes_back_however_a_server_moved_it(thought, action):
    direct, *others = moved(thought, action)
    whole = read_completion(completion(direct), stop_sent=True)
    assert whole.kind == "ok" and whole.text == direct["content"]
    for message in others:
        result = read_completion(completion(message), stop_sent=True)
        assert (result.kind, result.text) == ("ok", whole.text), message


@given(thought=THOUGHTS, action=ACTIONS)
def test_what_came_is_kept_beside_what_was_made_of_it(thought, action):
    for message in moved(thought, action)[1:]:
        result = read_completion(completion(message), stop_sent=True)
        raw = json.loads(result.raw or json.dumps({"content": result.text}))
        kept = (raw.get("content") or "") + (raw.get("reasoning") or "")
        assert thought in kept and action in kept
    assert read_completion(completion(moved(thought, action)[0]), stop_sent=True).raw is None


def test_a_turn_with_a_thought_of_its_own_is_left_alone():
    """A thinking model's native thoughts are no part of a turn that has the protocol's own."""
    own = "<think>short</think><answer>B</answer>"
    result = read_completion(completion({"content": own, "reasoning_content": "long native thoughts"}), stop_sent=True)
    assert result.text == own and "long native thoughts" in (result.raw or "")


@pytest.mark.parametrize("text", ["<answer>B</answer>", "no tags", "a < b", "<b>thought</b>", ""])
def test_text_without_a_thought_is_left_alone(text):
    assert with_thought(text, None) == text
    assert with_thought(None, None) is None


def test_a_reply_that_ends_within_its_thought_stays_unclosed():
    assert with_thought(None, "I wonder") == "<think>I wonder"


@pytest.mark.parametrize("reason", ["stop", "stop_sequence", "end_turn", "eos", "eos_token", "STOP", None])
def test_a_zoom_gets_its_tag_back_however_the_server_names_the_end(reason):
    text = '<think>later</think><video_zoom>{"segment": [3, 5], "fps": 2}'
    result = read_completion(completion({"content": text}, reason), stop_sent=True)
    zoom = parse_reply(result.text or "")
    assert isinstance(zoom, Zoom) and zoom.well_formed and (zoom.start_s, zoom.end_s) == (3, 5)


def test_an_answer_needs_no_tag_back():
    result = read_completion(completion({"content": "<answer>B</answer>", "reasoning": "so"}, None), stop_sent=True)
    answer = parse_reply(result.text or "")
    assert isinstance(answer, Answer) and answer.well_formed and answer.thought == "so"


@pytest.mark.parametrize("content", [None, "", "<think>closer</think>"])
@pytest.mark.parametrize("arguments", ['{"segment": [4, 6], "fps": 2}', {"segment": [4, 6], "fps": 2}])
def test_a_tool_call_that_a_parser_moved_away_is_a_call_again(content, arguments):
    function = {"name": "video_zoom", "arguments": arguments}
    message = {"content": content, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    text, reasoning = text_and_reasoning(message)
    read = parse_reply(as_meant(with_thought(text, reasoning or (None if content else "closer"))))
    assert read == Zoom(4, 6, 2, "closer", True)


@pytest.mark.parametrize("calls", [[], None, "x", [None], [{"function": None}], [{}]])
def test_what_is_no_list_of_tool_calls_changes_nothing(calls):
    assert text_and_reasoning({"content": "as it was", "tool_calls": calls}) == ("as it was", None)
