"""What servers send with status 200 that is no ordinary completion."""

from __future__ import annotations

import json

import pytest
from completions import completion

from distill.client.calls import CallResult
from distill.client.replies import read_completion
from distill.client.usage import read_usage

TURN = "<think>so</think><answer>B</answer>"


def read(body: str) -> CallResult:
    return read_completion(body, stop_sent=True)


@pytest.mark.parametrize(
    ("reason", "kind", "final"),
    [
        ("length", "cut_off", True),
        ("max_tokens", "cut_off", True),
        ("MAX_TOKENS", "cut_off", True),
        ("SAFETY", "refused", True),
        ("PROHIBITED_CONTENT", "refused", True),
        ("content_filter", "refused", True),
        ("error", "server_error", False),
        ("abort", "server_error", False),
        ("MALFORMED_FUNCTION_CALL", "server_error", False),
        ("insufficient_system_resource", "server_error", False),
        ("stop", "ok", True),
        ("end_turn", "ok", True),
        (None, "ok", True),
    ],
)
def test_the_finish_reason_decides(reason, kind, final):
    result = read(completion({"content": TURN}, reason))
    assert (result.kind, result.final, result.input_tokens, result.output_tokens) == (kind, final, 10, 5)


@pytest.mark.parametrize("content", [None, "", " \n", []])
def test_a_reply_without_text_is_asked_again(content):
    result = read(completion({"content": content}))
    assert (result.kind, result.final, result.output_tokens) == ("empty_reply", False, 5)


@pytest.mark.parametrize(
    ("body", "kind", "final"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, "rate_limited", False),
        ({"error": {"code": 402, "message": "Insufficient credits"}}, "stopped", False),
        ({"error": {"message": "Internal error"}}, "server_error", False),
        ({"error": "upstream failed", "choices": []}, "server_error", False),
        ({"error": {"code": 400, "message": "too many images: 120 > 100"}}, "too_large", False),
        ({"choices": [{"error": {"code": 502, "message": "x"}, "message": {"content": ""}}]}, "overloaded", False),
        ({"error": None, "choices": [{"message": {"content": TURN}, "finish_reason": "stop"}]}, "ok", True),
    ],
)
def test_an_error_in_a_reply_is_an_error(body, kind, final):
    result = read(json.dumps(body))
    assert (result.kind, result.final) == (kind, final)


def stream(*deltas: dict, reason: str | None = "stop", done: bool = True) -> str:
    events = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({"choices": [{"delta": {}, "finish_reason": reason}], "usage": {"prompt_tokens": 7}})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + ("data: [DONE]\n\n" if done else "")


@pytest.mark.parametrize(
    "body",
    [
        "\ufeff" + completion({"content": TURN}),
        "\n\n   " + completion({"content": TURN}),
        ": keep-alive\n\n: PROCESSING\n\n" + completion({"content": TURN}),
        stream({"content": TURN[:9]}, {"content": TURN[9:]}),
        ": waiting\n\n" + stream({"reasoning_content": "s"}, {"reasoning_content": "o"}, {"content": TURN[17:]}),
        stream({"content": TURN}, done=False),
    ],
    ids=["mark", "lines", "comments", "stream", "stream of thoughts", "stream without an end"],
)
def test_a_completion_is_read_in_any_wrapping(body):
    result = read(body)
    assert (result.kind, result.text) == ("ok", TURN)


@pytest.mark.parametrize(
    "body",
    [
        *("", "null", "[]", "<html>", "{}", '{"choices": 3}', '{"choices": [3]}', '{"choices": [{}]}', "[" * 100_000),
        *(stream({"content": "half a"}, reason=None), "data: 3\n\n", "data: {\n\n"),
    ],
)
def test_what_is_no_completion_is_malformed_and_may_be_billed(body):
    result = read(body)
    assert (result.kind, result.final, result.maybe_billed) == ("malformed", False, True)


@pytest.mark.parametrize(
    ("usage", "headers", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, {}, (10, 0, 5, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 95}, {}, (10, 0, 85, None)),
        ({"prompt_tokens": 10**20, "completion_tokens": 5}, {}, (None, 0, 5, None)),
        ({"prompt_tokens": -1, "completion_tokens": -5}, {}, (None, 0, None, None)),
        ({"prompt_tokens": "10", "completion_tokens": True}, {}, (None, 0, None, None)),
        ({"prompt_tokens": 10.0, "completion_tokens": 5.5}, {}, (10, 0, None, None)),
        ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, {}, (None, 0, None, None)),
        (None, {}, (None, 0, None, None)),
        ([], {}, (None, 0, None, None)),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}},
            {},
            (10, 8, 5, None),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8}, {}, (10, 8, 5, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cache_read_input_tokens": 8}, {}, (10, 8, 5, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 80}, {}, (10, 10, 5, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.01}, {}, (10, 0, 5, 0.01)),
        ({"prompt_tokens": 1, "completion_tokens": 1}, {"x-litellm-response-cost": "2.5e-05"}, (1, 0, 1, 2.5e-05)),
        ({"prompt_tokens": 1, "completion_tokens": 1}, {"x-litellm-response-cost": "None"}, (1, 0, 1, None)),
        ({"prompt_tokens": 1, "completion_tokens": 1, "cost": -3}, {}, (1, 0, 1, None)),
        ({"prompt_tokens": 1, "completion_tokens": 1, "cost": 0}, {"x-litellm-response-cost": "0"}, (1, 0, 1, None)),
    ],
)
def test_usage_is_read_with_care(usage, headers, expected):
    found = read_usage(usage, headers)
    assert (found.input_tokens, found.cached_tokens, found.output_tokens, found.cost_usd) == expected
