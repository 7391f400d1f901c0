"""The teacher plays the real protocol, over HTTP, from pixels and text alone."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samples.palette import HEIGHT, WIDTH
from samples.teacher import MODEL, completion
from samples.teacher.server import TeacherServer
from samples.teacher.sight import Eyes
from samples.world.painter import paint
from samples.world.plan import Event, Outline, Scene, VideoPlan
from zoom import Answer, Episode, FrameRef, Protocol, Task, Text, Zoom, load_prompts, parse_reply

FPS = 8
PROMPTS = load_prompts()


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    with TeacherServer() as running:
        running.start()
        yield running
        running.shutdown()


@dataclass
class Film:
    """Painted frames without a file: 40 s of four scenes, with one event in the third unless told otherwise."""

    glyph: str = "star"
    colour: str = "yellow"
    event_s: tuple[float, float] = (24.5, 25.75)
    empty: bool = False
    jpegs: dict[str, bytes] = field(default_factory=dict)
    duration_s: float = 40.0

    def __post_init__(self) -> None:
        event = Event(self.glyph, self.colour, *self.event_s, 130, 60, 50, 0, 0, 1.0)
        looks = (("red", "checks"), ("teal", "plain"), ("blue", "dots"), ("green", "waves"))
        scenes = tuple(
            Scene(*look, index * 10.0, index * 10.0 + 10, "cut", 0, 1.0, 23, 3, "single", (event,) if index == 2 and not self.empty else ())
            for index, look in enumerate(looks)
        )
        self.frames = list(paint(VideoPlan(Outline("x.mp4", "train", self.duration_s, FPS), scenes)))

    def at(self, times_s: Sequence[float]) -> list[FrameRef]:
        refs = []
        for time_s in times_s:
            index = min(int(time_s * FPS + 1e-6), len(self.frames) - 1)
            name = f"{id(self)}-{index}"
            if name not in self.jpegs:
                planes = np.frombuffer(self.frames[index], np.uint8)
                parts = [planes[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)]
                parts += [p.reshape(HEIGHT // 2, WIDTH // 2).repeat(2, 0).repeat(2, 1) for p in np.split(planes[WIDTH * HEIGHT :], 2)]
                scaled = [(parts[0].astype(float) - 16) * 255 / 219, *((p.astype(float) - 128) * 255 / 224 + 128 for p in parts[1:])]
                out = io.BytesIO()
                Image.fromarray(np.stack(scaled, -1).clip(0, 255).astype(np.uint8), "YCbCr").save(out, "JPEG")
                self.jpegs[name] = out.getvalue()
            refs.append(FrameRef(name, index / FPS))
        return refs

    def episode(self, question: str, answer_type: str = "text", options: tuple[str, ...] = (), max_zooms: int = 4) -> Episode:
        task = Task(question, options, answer_type, self.duration_s)
        return Episode(task, self.at([2.0 * i for i in range(20)]), Protocol(), PROMPTS, max_zooms=max_zooms)


def body(episode: Episode, film: Film, **sampling: object) -> dict:
    messages = [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part.text} if isinstance(part, Text)
                else {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(film.jpegs[part.frame_id]).decode()}}
                for part in message.parts
            ],
        }
        for message in episode.messages
    ]
    return {"model": MODEL, "messages": messages, "temperature": 0, **sampling}


def call(server: TeacherServer, path: str, data: bytes | None = None) -> tuple[int, dict]:
    """Status and JSON of a request to a path under /v1; a POST where there is data."""
    try:
        with urllib.request.urlopen(urllib.request.Request(server.base_url + path, data), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def complete(server: TeacherServer, request: dict) -> tuple[int, dict]:
    return call(server, "/chat/completions", json.dumps(request).encode())


def ask(server: TeacherServer, request: dict) -> dict:
    status, answer = complete(server, request)
    assert status == 200, answer
    return answer["choices"][0]


def play(server: TeacherServer, episode: Episode, film: Film, **sampling: object) -> Episode:
    while episode.running:
        times_s = episode.step(ask(server, body(episode, film, **sampling))["message"]["content"])
        if times_s:
            episode.show(film.at(times_s))
    return episode


WHAT = "In the scene with blue dots, which shape appears for a moment?"
COLOUR = "What colour is the star that appears briefly in the scene with blue dots?"


def test_it_zooms_where_the_answer_is_and_reads_it(server: TeacherServer) -> None:
    film = Film()
    episode = play(server, film.episode(WHAT), film)
    zoom = episode.turns[0]
    assert zoom.action == "zoom" and zoom.start_s is not None and zoom.end_s is not None and 17 < zoom.start_s < zoom.end_s < 33
    assert episode.answer == "star" and episode.well_formed
    assert "blue dots" in zoom.reply and "yellow star" in episode.turns[-1].reply


@pytest.mark.parametrize(("glyph", "colour"), [("star", "red"), ("star", "white"), ("heart", "green"), ("moon", "orange")])
def test_what_is_painted_decides_the_answer(server: TeacherServer, glyph: str, colour: str) -> None:
    film = Film(glyph, colour)
    assert play(server, film.episode(WHAT), film).answer == glyph
    assert play(server, film.episode(COLOUR.replace("star", glyph)), film).answer == colour


def test_it_cannot_know_what_it_is_not_shown(server: TeacherServer) -> None:
    right = {True: 0, False: 0}
    for number, glyph in enumerate(("star", "heart", "moon", "arrow", "ring")):
        shown, hidden = Film(glyph), Film(glyph, empty=True)
        for film in (shown, hidden):
            for seed in range(number * 8, number * 8 + 8):
                right[film is shown] += play(server, film.episode(WHAT), film, temperature=0.3, seed=seed).answer == glyph
    assert right[True] >= 22 and right[False] <= 10, right


def test_frames_with_other_times_move_its_zoom(server: TeacherServer) -> None:
    film = Film()
    request = body(film.episode(WHAT), film)
    parts = request["messages"][1]["content"]
    images = [part for part in parts if part["type"] == "image_url"]
    for part, image in zip([part for part in parts if part["type"] == "image_url"], [dict(image) for image in reversed(images)], strict=True):
        part["image_url"] = image["image_url"]
    zoom = parse_reply(ask(server, request)["message"]["content"])
    assert isinstance(zoom, Zoom) and 6 < zoom.start_s < 21, "the blue scene now stands between 10 and 20 s"


def test_counts_orders_and_times(server: TeacherServer) -> None:
    film = Film()
    assert play(server, film.episode("How many shapes appear in the scene with blue dots, one after another?", "number"), film).answer == "1"
    when = play(server, film.episode("At which second of the video does the yellow star appear in the scene with blue dots?", "time"), film)
    assert when.answer and abs(float(when.answer) - 24.5) < 1
    begins = play(server, film.episode("At which second of the video does the plain teal scene begin?", "time"), film)
    assert begins.answer and abs(float(begins.answer) - 10) < 0.7
    options = ("the scene with red checks", "the scene with green waves", "the plain teal scene", "the plain pink scene")
    after = play(server, film.episode("Which scene comes directly after the scene with blue dots?", "choice", options), film)
    assert after.answer == "B" and after.zooms == 0


def test_without_zoom_it_answers_at_once(server: TeacherServer) -> None:
    film = Film()
    episode = play(server, film.episode(WHAT, max_zooms=0), film)
    assert len(episode.turns) == 1 and episode.answer
    seen = Film(event_s=(23.5, 24.5))
    assert play(server, seen.episode(WHAT, max_zooms=0), seen).answer == "star"


def test_blind_it_knows_facts_and_guesses_the_rest(server: TeacherServer) -> None:
    film = Film()

    def blind(question: str, answer_type: str) -> str | None:
        return play(server, Episode(Task(question, (), answer_type, 40), (), Protocol(), PROMPTS, max_zooms=0), film).answer

    assert blind("The digit shown in the plain red scene is the number of days of a week. Which digit is it?", "number") == "7"
    assert blind("A triangle appears in the plain red scene. How many corners does it have?", "number") == "3"
    assert blind("Does a star appear at any moment in the plain red scene?", "yes_no") in ("yes", "no")


def failed_episode(film: Film) -> Episode:
    """One that zoomed into the wrong scene."""
    episode = film.episode(WHAT)
    episode.show(film.at(episode.step('<think>It is red.</think><video_zoom>{"segment": [0, 8], "fps": 2}</video_zoom>')))
    episode.step("<think>Nothing.</think><answer>circle</answer>")
    return episode


@pytest.mark.parametrize("opening", PROMPTS.openings)
def test_a_reflection_names_the_error_and_looks_elsewhere(server: TeacherServer, opening: str) -> None:
    film = Film()
    episode = Episode.reflecting_on(failed_episode(film), opening)
    reply = ask(server, body(episode, film))["message"]["content"]
    zoom = parse_reply(reply)
    assert isinstance(zoom, Zoom) and zoom.start_s > 15
    assert "red checks" in zoom.thought and "attempt" not in zoom.thought
    assert play(server, episode, film).answer == "star"


def test_it_answers_in_the_last_round_and_after_faults(server: TeacherServer) -> None:
    film = Film(empty=True)
    episode = film.episode(WHAT)
    for _ in range(4):
        episode.step("<video_zoom>{}</video_zoom>")
    assert "No further zoom" in episode.messages[-1].text
    assert isinstance(parse_reply(ask(server, body(episode, film))["message"]["content"]), Answer)
    again = Film()
    episode = again.episode(WHAT)
    episode.step('<think>.</think><video_zoom>{"segment": [18, 30], "fps": 9}</video_zoom>')
    assert play(server, episode, again).answer == "star"


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
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}]}]}, 400, "data:image"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}, 400, "cannot be decoded"),
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
    assert [card["id"] for card in listed["data"]] == [MODEL] and "Not a language model" in listed["data"][0]["description"]
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


QUESTION = st.builds(
    lambda text, options, how: f"\nThe video lasts 40.00 seconds.\nQuestion: {text}\n{options}{how}",
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from("how many which what order when does is star 7 digit red scene blue dots before after first last colour ?".split()), max_size=12).map(" ".join),
    ),
    st.sampled_from(("", "A. one\nB. two\n", "A. the plain teal scene\nB. the scene with blue dots\n")),
    st.sampled_from(("", "Answer with a number.", "Answer with yes or no.", "Answer with a time in seconds.")),
)


HISTORY = st.lists(
    st.tuples(
        st.builds(
            '<think>x</think><video_zoom>{{"segment": [{}, {}], "fps": {}}}</video_zoom>'.format,
            st.sampled_from((0, 18, -5, 1e9)), st.sampled_from((8, 30, -9, 1e12)), st.sampled_from((2, 0.1, 0, -1, 50)),
        ) | st.sampled_from(("junk", "<answer>A</answer>")),
        st.integers(0, 16),
        st.sampled_from((
            PROMPTS.go_on.format(left=2), PROMPTS.last_round, "Error: it is outside.</tool_response>",
            PROMPTS.go_on.format(left=2) + PROMPTS.reflect.format(opening=PROMPTS.openings[3]),
        )),
    ),
    max_size=4,
)
TAG = st.sampled_from(("<frame0_time0.00s>", "<frame3_time24.50s>", "<frame9_time-3.00s>", "<frame9_time99999999.00s>", "<frame1_time1.2.3s>", "no tag"))


@settings(max_examples=150, deadline=None)
@given(text=QUESTION, history=HISTORY, tag=TAG, seed=st.integers(0, 2**40), temperature=st.sampled_from((0, 1.0, 2.0)), frames=st.integers(0, 20))
def test_any_conversation_gets_some_reply(text: str, history: list, tag: str, seed: int, temperature: float, frames: int) -> None:
    request = body(SHARED.episode(WHAT), SHARED, seed=seed, temperature=temperature)
    parts = request["messages"][1]["content"]
    request["messages"][1]["content"] = [*parts[: 2 * frames], {"type": "text", "text": text}]
    for reply, shown, after in history:
        tagged = [part for image in parts[1 : 2 * shown : 2] for part in ({"type": "text", "text": tag}, image)]
        request["messages"] += [{"role": "assistant", "content": reply}, {"role": "user", "content": [*tagged, {"type": "text", "text": after}]}]
    assert completion.complete(request, EYES)["choices"][0]["message"]["content"].strip()


SHARED, EYES = Film(), Eyes()


def test_it_judges_and_survives_small_talk(server: TeacherServer) -> None:
    def say(text: str) -> str:
        return ask(server, {"model": MODEL, "messages": [{"role": "user", "content": text}]})["message"]["content"]

    judge = PROMPTS.judge.format
    assert say(judge(question="Which scene?", expected="the plain teal scene", given="The plain teal scene.")) == "YES"
    assert say(judge(question="Which scene?", expected="the plain teal scene", given="the plain red scene")) == "NO"
    assert "found none" in say("Write a poem.")


def test_the_teacher_never_loads_the_world() -> None:
    code = "import sys, samples.teacher.server; print([name for name in sys.modules if name.startswith('samples.world')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_json_of_the_reply_is_what_openai_sends(server: TeacherServer) -> None:
    _, answer = complete(server, {"model": MODEL, "messages": [{"role": "user", "content": None}]})
    assert json.dumps(sorted(answer)) == json.dumps(["choices", "created", "id", "model", "object", "system_fingerprint", "usage"])
