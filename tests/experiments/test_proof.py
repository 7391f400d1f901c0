"""The proof's world hides what it should, its teacher goes by sight, and its data sets hold what was played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.proof.datasets import exemplars, glances, kept, reflections, shown, write_trajectories, write_warm_up
from experiments.proof.figures import per_question, summary
from experiments.proof.library import Library
from experiments.proof.plan import FULL, recipe_for
from experiments.proof.play import an_episode, graded, teach
from experiments.proof.sight import see
from experiments.proof.teacher import PixelTeacher
from experiments.proof.warmup import scene_at
from experiments.proof.world import COLOURS, GLYPH_S, OVERVIEW_S, World
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.shards.read import ShardSet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return recipe_for(tmp_path_factory.mktemp("proof"), FULL)


@pytest.fixture(scope="module")
def library(recipe, tmp_path_factory):
    with Library(tmp_path_factory.mktemp("films"), "train", 3, recipe, seed=0, world=World()) as library:
        yield library


def wrong_zoom(question: PlayableQuestion, recipe, library: Library):
    """An episode that looks where the scene is not, and then guesses wrongly."""
    episode = an_episode(question, recipe, author="student")
    evidence_s = question.evidence[0].start_s
    start_s = 0 if evidence_s > 24 else 40
    times_s = episode.step(
        f'<think>there</think><video_zoom>{{"segment": [{start_s}, {start_s + 4}], "fps": 2}}</video_zoom>'
    )
    episode.show(library.frames_for(question.video_uri, times_s))
    guess = next(colour for colour in COLOURS if colour != question.answer)
    episode.step(f"<think>{guess}</think><answer>{guess}</answer>")
    return graded(question, episode)


def test_the_overview_never_shows_a_disc_and_a_close_look_always_does(library):
    for film in library.films:
        assert len({scene.name for scene in film.scenes}) == World().scenes
        for frame in library.overview(film):
            seen = see(library.jpeg(frame.frame_id))
            assert (seen.name, seen.disc) == (scene_at(film, frame.time_s).name, None)
        for scene in film.scenes:
            start_s = int(scene.disc_s) // OVERVIEW_S * OVERVIEW_S
            close = library.frames_for(str(film.path), [start_s + number / 2 for number in range(8)])
            discs = [see(library.jpeg(frame.frame_id)).disc for frame in close]
            there = [scene.disc_s <= frame.time_s < scene.disc_s + GLYPH_S for frame in close]
            assert discs == [scene.disc if shown else None for shown in there] and sum(there) == 1


def test_the_teacher_finds_every_disc_by_looking(library, recipe):
    outcomes = exemplars(library, library.questions(library.films), recipe, 0)
    assert all(outcome.correct and outcome.hits[-1] and not any(outcome.hits[:-1]) for outcome in outcomes)
    assert len(kept(outcomes)) == len(outcomes)
    assert {len(outcome.hits) for outcome in outcomes} > {1, 2}


def test_the_teacher_is_as_blind_as_its_pictures(library, recipe):
    """Shown another film's frames, it cannot know this film's discs: it has nothing but pixels to go by."""
    question, other = library.questions(library.films[:1])[0], library.films[1]
    blank = library.overview(other)[0].frame_id
    teacher = PixelTeacher(lambda frame_id: library.jpeg(blank), "seed")
    seen_by_it = see(library.jpeg(blank)).name
    episode = teach(library, an_episode(question, recipe, author="teacher"), question.video_uri, teacher)
    assert episode.zooms == 0 or question.question.find(seen_by_it) >= 0


def test_a_reflection_repairs_a_failed_zoom_and_does_not_get_the_truth(library, recipe):
    question = library.questions(library.films[:1])[0]
    failed = wrong_zoom(question, recipe, library)
    assert not failed.correct and failed.recovered is False
    (repaired,) = kept(reflections(library, [failed], 0))
    assert repaired.correct and repaired.recovered and not repaired.hits[0]
    own = [message for message in repaired.episode.transcript if message.role == "assistant"]
    assert [message.train for message in own][:2] == [False, True]
    prompt = "".join(message.text for message in failed.episode.messages[:-1])
    assert question.answer not in prompt.replace(question.question, "")


def test_lucky_guesses_are_not_kept(library, recipe):
    question = library.questions(library.films[:1])[0]
    episode = an_episode(question, recipe, author="student")
    episode.step(f"<think>luck</think><answer>{question.answer}</answer>")
    outcome = graded(question, episode)
    assert outcome.correct and kept([outcome]) == []


def test_data_sets_hold_what_was_played(library, recipe, tmp_path: Path):
    questions = library.questions(library.films)
    outcomes = exemplars(library, questions[:4], recipe, 0)
    write_trajectories(library, tmp_path / "sft", {"exemplar": outcomes}, {})
    glanced = glances(library, library.questions(library.films, frames=40), recipe, 0)
    write_trajectories(library, tmp_path / "uniform", {"exemplar": glanced}, {})
    write_warm_up(library, tmp_path / "warm-up", 2)
    library.write_questions(tmp_path / "rl", questions, {})
    for name, rows in (("sft", 4), ("uniform", len(glanced)), ("warm-up", 12), ("rl", len(questions))):
        shards = ShardSet(tmp_path / name)
        shards.verify()
        assert len(shards.rows("train")) == rows
    uniform = ShardSet(tmp_path / "uniform").rows("train")[0]
    assert sum(part["type"] == "image" for message in uniform["messages"] for part in message["parts"]) == 40
    assert not any(row["zooms"] for row in ShardSet(tmp_path / "warm-up").rows("train"))


def test_the_one_turn_teacher_answers_what_its_frames_show_and_nothing_else(library, recipe):
    asked = library.questions(library.films, frames=48)
    outcomes = glances(library, asked, recipe, 0)
    there = [outcome for outcome in outcomes if shown(outcome)]
    assert 0 < len(there) < len(asked) and all(outcome.correct for outcome in there)
    assert all("none" in outcome.episode.turns[0].reply for outcome in outcomes if not shown(outcome))


def test_figures_count_seeds_and_films(library, recipe):
    questions = library.questions(library.films)
    right = per_question(exemplars(library, questions, recipe, 0))
    wrong = per_question([wrong_zoom(question, recipe, library) for question in questions])
    found = summary({0: right, 1: wrong}, "accuracy")
    assert found["value"] == 0.5 and found["seeds"] == {0: 1.0, 1: 0.0}
    recovery = summary({0: right, 1: wrong}, "recovery")
    missed_first = [row for row in right.values() if row["recovery"] is not None]
    assert missed_first and recovery["seeds"][0] == 1.0 and recovery["seeds"][1] == 0.0
    json.dumps(found)
