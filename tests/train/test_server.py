"""A served checkpoint: a real server process, called over HTTP."""

import base64
import json
import os
import signal
import urllib.error
import urllib.request

import pytest

from distill.client.chat import ChatPlayer
from distill.items import EpisodeJob
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from train.serving.player import LocalPolicy
from train.serving.server import ServeError, serve
from videozoomer.protocol import FrameRef, Protocol, load_prompts
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import Endpoint
from videozoomer.video.types import Frame

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(checkpoint):
    with serve(checkpoint, name="student") as running:
        yield running


def post(server, body: dict) -> tuple[int, dict]:
    request = urllib.request.Request(
        f"{server.base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_episodes_over_http_equal_those_of_the_local_policy(server, checkpoint, shards, tmp_path):
    frames = shards.rows()[0]["messages"][1]["parts"]
    shown = [FrameRef(part["frame_id"], part["time_s"]) for part in frames if part["type"] == "image"]
    item = QuestionItem(
        question_id="q",
        video_id="v",
        video_uri="v",
        batch="b",
        question="Which colour?",
        options=("red", "blue"),
        answer_type="choice",
        duration_s=12.0,
        overview=tuple(shown),
    )
    jobs = [EpisodeJob(item, "evaluation", sample, 0.0, 1) for sample in range(2)]

    def frames_at(uri, times_s):
        return [Frame(shown[0].frame_id, time_s, time_s, 84, 56, shards.jpeg(shown[0].frame_id)) for time_s in times_s]

    with FrameStore(tmp_path / "frames.sqlite") as store, Ledger(tmp_path / "ledger.sqlite") as ledger:
        store.put(
            [Frame(ref.frame_id, ref.time_s, ref.time_s, 84, 56, shards.jpeg(ref.frame_id)) for ref in shown], "v"
        )
        endpoint = Endpoint(base_url=server.base_url, model="student", max_tokens=12, temperature=0.0)
        players = (
            ChatPlayer(endpoint, ledger, store, cut_off="play"),
            LocalPolicy(checkpoint, store, 12, name="student"),
        )
        served, local = (
            EpisodeRunner(player, frames_at, store, Protocol(), load_prompts()).play_all(jobs) for player in players
        )
    for one, other in zip(served, local, strict=True):
        assert one["status"] != "failed" and one["messages"] == other["messages"]
        assert one["output_tokens"] == other["output_tokens"] and one["input_tokens"] == other["input_tokens"]


def test_stop_strings_seeds_and_limits(server):
    ask = {
        "model": "student",
        "messages": [{"role": "user", "content": "red or blue?"}],
        "temperature": 1.0,
        "max_tokens": 8,
        "seed": 3,
    }
    (_, first), (_, again), (_, other) = post(server, ask), post(server, ask), post(server, ask | {"seed": 4})
    text = first["choices"][0]["message"]["content"]
    assert again["choices"] == first["choices"] and other["choices"] != first["choices"]
    assert first["usage"]["completion_tokens"] <= 8 and first["choices"][0]["finish_reason"] in ("length", "stop")
    sign = text[len(text) // 2]
    _, stopped = post(server, ask | {"stop": [sign]})
    assert stopped["choices"][0]["message"]["content"] == text[: text.index(sign)]
    assert stopped["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"model": "gpt"}, 404, "student"),
        ({"messages": []}, 400, "messages"),
        ({"stream": True}, 400, "stream"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}}],
                    }
                ]
            },
            400,
            "data URL",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "image_url",
                                "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(b'no').decode()}"},
                            }
                        ],
                    }
                ]
            },
            400,
            "picture",
        ),
        ({"messages": [{"role": "user", "content": "a " * 40_000}]}, 400, "fit"),
    ],
)
def test_an_invalid_request_gets_the_reason(server, change, status, says):
    code, answer = post(server, {"model": "student", "messages": [{"role": "user", "content": "hello"}]} | change)
    assert code == status and says in answer["error"]["message"] and answer["error"]["type"] == "invalid_request_error"


def test_models_are_listed(server):
    with urllib.request.urlopen(f"{server.base_url}/models", timeout=10) as answer:
        assert [card["id"] for card in json.load(answer)["data"]] == ["student"]


def test_it_ends_on_sigterm_and_fails_without_a_checkpoint(checkpoint, tmp_path):
    running = serve(checkpoint)
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait(20) == 0
    running.close()
    with pytest.raises(ServeError):
        serve(tmp_path / "nothing")
