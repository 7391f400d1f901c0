"""The teacher plays the real protocol, over HTTP, from pixels and text alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from painted_film import COLOUR, PROMPTS, WHAT, Film, ask, body, play

from examples.teacher import MODEL
from examples.teacher.server import TeacherServer
from videozoomer.protocol import Answer, Episode, Protocol, Task, Zoom, parse_reply


def test_it_zooms_where_the_answer_is_and_reads_it(server: TeacherServer) -> None:
    film = Film()
    episode = play(server, film.episode(WHAT), film)
    zoom = episode.turns[0]
    assert (
        zoom.action == "zoom"
        and zoom.start_s is not None
        and zoom.end_s is not None
        and 17 < zoom.start_s < zoom.end_s < 33
    )
    assert episode.answer == "star" and episode.well_formed
    assert "blue dots" in zoom.reply and "yellow star" in episode.turns[-1].reply


@pytest.mark.parametrize(
    ("glyph", "colour"), [("star", "red"), ("star", "white"), ("heart", "green"), ("moon", "orange")]
)
def test_what_is_painted_decides_the_answer(server: TeacherServer, glyph: str, colour: str) -> None:
    film = Film(glyph, colour)
    assert play(server, film.episode(WHAT), film).answer == glyph
    assert play(server, film.episode(COLOUR.replace("star", glyph)), film).answer == colour


@pytest.mark.slow
def test_it_cannot_know_what_it_is_not_shown(server: TeacherServer) -> None:
    right = {True: 0, False: 0}
    for number, glyph in enumerate(("star", "heart", "moon", "arrow", "ring")):
        shown, hidden = Film(glyph), Film(glyph, empty=True)
        for film in (shown, hidden):
            for seed in range(number * 8, number * 8 + 8):
                right[film is shown] += (
                    play(server, film.episode(WHAT), film, temperature=0.3, seed=seed).answer == glyph
                )
    assert right[True] >= 22 and right[False] <= 10, right


def test_frames_with_other_times_move_its_zoom(server: TeacherServer) -> None:
    film = Film()
    request = body(film.episode(WHAT), film)
    parts = request["messages"][1]["content"]
    images = [part for part in parts if part["type"] == "image_url"]
    for part, image in zip(
        [part for part in parts if part["type"] == "image_url"],
        [dict(image) for image in reversed(images)],
        strict=True,
    ):
        part["image_url"] = image["image_url"]
    zoom = parse_reply(ask(server, request)["message"]["content"])
    assert isinstance(zoom, Zoom) and 6 < zoom.start_s < 21, "the blue scene now stands between 10 and 20 s"


def test_counts_orders_and_times(server: TeacherServer) -> None:
    film = Film()
    assert (
        play(
            server,
            film.episode("How many shapes appear in the scene with blue dots, one after another?", "number"),
            film,
        ).answer
        == "1"
    )
    when = play(
        server,
        film.episode("At which second of the video does the yellow star appear in the scene with blue dots?", "time"),
        film,
    )
    assert when.answer and abs(float(when.answer) - 24.5) < 1
    begins = play(server, film.episode("At which second of the video does the plain teal scene begin?", "time"), film)
    assert begins.answer and abs(float(begins.answer) - 10) < 0.7
    options = (
        "the scene with red checks",
        "the scene with green waves",
        "the plain teal scene",
        "the plain pink scene",
    )
    after = play(
        server, film.episode("Which scene comes directly after the scene with blue dots?", "choice", options), film
    )
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
        return play(
            server, Episode(Task(question, (), answer_type, 40), (), Protocol(), PROMPTS, max_zooms=0), film
        ).answer

    assert (
        blind("The digit shown in the plain red scene is the number of days of a week. Which digit is it?", "number")
        == "7"
    )
    assert blind("A triangle appears in the plain red scene. How many corners does it have?", "number") == "3"
    assert blind("Does a star appear at any moment in the plain red scene?", "yes_no") in ("yes", "no")


def failed_episode(film: Film) -> Episode:
    """One that zoomed into the wrong scene."""
    episode = film.episode(WHAT)
    episode.show(
        film.at(episode.step('<think>It is red.</think><video_zoom>{"segment": [0, 8], "fps": 2}</video_zoom>'))
    )
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


def test_it_judges_and_survives_small_talk(server: TeacherServer) -> None:
    def say(text: str) -> str:
        return ask(server, {"model": MODEL, "messages": [{"role": "user", "content": text}]})["message"]["content"]

    judge = PROMPTS.judge.format
    assert say(judge(question="Which scene?", expected="the plain teal scene", given="The plain teal scene.")) == "YES"
    assert say(judge(question="Which scene?", expected="the plain teal scene", given="the plain red scene")) == "NO"
    assert "found none" in say("Write a poem.")


def test_the_teacher_never_loads_the_world() -> None:
    code = (
        "import sys, examples.teacher.server; "
        "print([name for name in sys.modules if name.startswith('examples.world')])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
