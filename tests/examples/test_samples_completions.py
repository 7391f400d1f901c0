"""The teacher's server is one of chat completions: what it takes, what it refuses, and that it always says
something.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted_film import PROMPTS, WHAT, Film, ask, body, call, complete

from examples.palette import HEIGHT, WIDTH
from examples.teacher import MODEL, completion
from examples.teacher.server import TeacherServer
from examples.teacher.sight import SightCache
from videozoomer.protocol import Zoom, parse_reply


def test_stop_and_length_and_usage(server: TeacherServer) -> None:
    film = Film()
    request = body(film.episode(WHAT), film)
    whole = ask(server, request)
    assert whole["message"]["content"].endswith("</video_zoom>") and whole["finish_reason"] == "stop"
    stopped = ask(server, request | {"stop": ["</video_zoom>"]})
    assert stopped["message"]["content"] + "</video_zoom>" == whole["message"]["content"]
    assert (stopped["finish_reason"], stopped["stop_reason"]) == ("stop", "</video_zoom>")
    kept = ask(server, request | {"stop": "</video_zoom>", "include_stop_str_in_output": True})
    assert kept["message"] == whole["message"]
    _, answer = complete(server, request | {"max_tokens": 9})
    assert answer["choices"][0]["finish_reason"] == "length" and answer["usage"]["completion_tokens"] == 9
    assert whole["message"]["content"].startswith(answer["choices"][0]["message"]["content"])
    assert answer["usage"]["prompt_tokens"] > 20 * (WIDTH * HEIGHT // 784)


def test_seed_and_temperature(server: TeacherServer) -> None:
    film = Film()
    request = body(film.episode(WHAT), film)

    def text(**sampling: object) -> str:
        return ask(server, request | sampling)["message"]["content"]

    assert text(temperature=1, seed=3) == text(temperature=1, seed=3)
    assert len({text(temperature=1, seed=seed) for seed in range(8)}) > 3
    assert text(temperature=0, seed=1) == text(temperature=0, seed=2) == text(temperature=0)


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"model": "gpt-5"}, 404, "gpt-5"),
        ({"messages": []}, 400, "messages"),
        ({"messages": "hello"}, 400, "messages"),
        ({"temperature": 9}, 400, "temperature"),
        ({"n": 3}, 400, "n must be 1"),
        ({"stream": True}, 400, "streaming"),
        ({"stop": list("abcde")}, 400, "at most 4"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}],
                    }
                ]
            },
            400,
            "data:image",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
                    }
                ]
            },
            400,
            "cannot be decoded",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "input_audio"),
        ({"messages": [{"role": "user", "content": "word " * 140_000}]}, 400, "maximum context length"),
    ],
)
def test_bad_requests_get_a_sentence(server: TeacherServer, change: dict, status: int, word: str) -> None:
    request = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]} | change
    got, answer = complete(server, request)
    assert got == status
    error = answer["error"]
    assert word in error["message"] and error["type"] == "invalid_request_error"


def test_paths_and_models(server: TeacherServer) -> None:
    _, listed = call(server, "/models")
    assert [card["id"] for card in listed["data"]] == [MODEL] and "Not a language model" in listed["data"][0][
        "description"
    ]
    assert call(server, f"/models/{MODEL}")[1]["id"] == MODEL
    for path, data in (("/models/other", None), ("/elsewhere", None), ("/embeddings", b"{}")):
        assert call(server, path, data)[0] == 404
    status, broken = call(server, "/chat/completions", b"{")
    assert status == 400 and "JSON" in broken["error"]["message"]


def test_the_official_client_is_served(server: TeacherServer) -> None:
    from openai import NotFoundError, OpenAI

    film = Film()
    request = body(film.episode(WHAT), film)
    with OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        reply = client.chat.completions.create(**request)
        assert isinstance(parse_reply(reply.choices[0].message.content or ""), Zoom)
        assert reply.usage and reply.usage.total_tokens > 1000
        with pytest.raises(NotFoundError, match="does not exist"):
            client.chat.completions.create(model="other", messages=[{"role": "user", "content": "hi"}])


def test_json_of_the_reply_is_what_openai_sends(server: TeacherServer) -> None:
    _, answer = complete(server, {"model": MODEL, "messages": [{"role": "user", "content": None}]})
    assert json.dumps(sorted(answer)) == json.dumps(
        ["choices", "created", "id", "model", "object", "system_fingerprint", "usage"]
    )


QUESTION = st.builds(
    lambda text, options, how: f"\nThe video lasts 40.00 seconds.\nQuestion: {text}\n{options}{how}",
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(
                (
                    "how many which what order when does is star 7 digit red scene blue dots "
                    "before after first last colour ?"
                ).split()
            ),
            max_size=12,
        ).map(" ".join),
    ),
    st.sampled_from(("", "A. one\nB. two\n", "A. the plain teal scene\nB. the scene with blue dots\n")),
    st.sampled_from(("", "Answer with a number.", "Answer with yes or no.", "Answer with a time in seconds.")),
)


HISTORY = st.lists(
    st.tuples(
        st.builds(
            '<think>x</think><video_zoom>{{"segment": [{}, {}], "fps": {}}}</video_zoom>'.format,
            st.sampled_from((0, 18, -5, 1e9)),
            st.sampled_from((8, 30, -9, 1e12)),
            st.sampled_from((2, 0.1, 0, -1, 50)),
        )
        | st.sampled_from(("junk", "<answer>A</answer>")),
        st.integers(0, 16),
        st.sampled_from(
            (
                PROMPTS.go_on.format(left=2),
                PROMPTS.last_round,
                "Error: it is outside.</tool_response>",
                PROMPTS.go_on.format(left=2) + PROMPTS.reflect.format(opening=PROMPTS.openings[3]),
            )
        ),
    ),
    max_size=4,
)
SHARED, EYES = Film(), SightCache()
TAG = st.sampled_from(
    (
        "<frame0_time0.00s>",
        "<frame3_time24.50s>",
        "<frame9_time-3.00s>",
        "<frame9_time99999999.00s>",
        "<frame1_time1.2.3s>",
        "no tag",
    )
)


@settings(max_examples=150, deadline=None)
@given(
    text=QUESTION,
    history=HISTORY,
    tag=TAG,
    seed=st.integers(0, 2**40),
    temperature=st.sampled_from((0, 1.0, 2.0)),
    frames=st.integers(0, 20),
)
def test_any_conversation_gets_some_reply(
    text: str, history: list, tag: str, seed: int, temperature: float, frames: int
) -> None:
    request = body(SHARED.episode(WHAT), SHARED, seed=seed, temperature=temperature)
    parts = request["messages"][1]["content"]
    request["messages"][1]["content"] = [*parts[: 2 * frames], {"type": "text", "text": text}]
    for reply, shown, after in history:
        tagged = [part for image in parts[1 : 2 * shown : 2] for part in ({"type": "text", "text": tag}, image)]
        request["messages"] += [
            {"role": "assistant", "content": reply},
            {"role": "user", "content": [*tagged, {"type": "text", "text": after}]},
        ]
    assert completion.complete(request, EYES)["choices"][0]["message"]["content"].strip()
