"""What a changed question file or a new video makes stale: only what was made from it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from killing import Killed, killed_after

import filters.grading
from assets.workspace import Workspace
from pipelines.build import build_assets
from pipelines.plan import Plan
from pipelines.run import RunFailed, run
from videozoomer.lake.stamps import Stamp
from videozoomer.settings import Recipe, load_recipe

pytestmark = pytest.mark.slow

LISTED = ("sources", "questions")


class Films:
    """A source of named files, which nothing opens, with one question about each; one film a batch."""

    def __init__(self, folder: Path, films: int) -> None:
        self.folder = folder
        self.questions: dict[str, dict[str, str]] = {}
        (folder / "videos").mkdir()
        for index in range(films):
            self.add(f"film{index}")
        source = {"name": "films", "videos": str(folder / "videos"), "questions": str(folder / "questions.jsonl")}
        recipe = {
            "name": "test",
            "home": "run",
            "sources": [source],
            "teacher": {"base_url": "http://127.0.0.1:9/v1", "model": "none"},
            "video": {"batch_size": 1, "failed_share": 1.0},
        }
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe))
        self.recipe: Recipe = load_recipe(path)

    def add(self, film: str, answer: str = "3") -> None:
        (self.folder / "videos" / f"{film}.mp4").write_bytes(film.encode())
        self.ask(film, answer)

    def ask(self, film: str, answer: str) -> None:
        self.questions[film] = {"video": f"{film}.mp4", "question": "How many?", "answer": answer}
        lines = [json.dumps(row) for row in self.questions.values()]
        (self.folder / "questions.jsonl").write_text("\n".join(lines) + "\n")

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.recipe)

    def is_current(self, asset: str) -> bool:
        plan = Plan(build_assets(self.recipe), self.workspace)
        return plan.is_current(next(key for key in plan.definition_of if key.to_user_string() == asset), "all")

    def made(self) -> set[str]:
        """Run and return the assets that were made."""
        return {name for name, _ in run(self.recipe, only=LISTED).materialized}

    def batches_with_other_questions(self, before: dict[str, Stamp | None]) -> set[str]:
        return {batch for batch, stamp in self.stamps().items() if stamp != before.get(batch)}

    def stamps(self) -> dict[str, Stamp | None]:
        return {batch: self.workspace.stamps.read("questions", batch) for batch in self.workspace.batches()}

    def answers(self) -> set[tuple[str, str]]:
        rows = self.workspace.lake.read("questions").iter_rows(named=True)
        return {(Path(row["video_uri"]).stem, row["answer"]) for row in rows}


@pytest.fixture
def films(tmp_path) -> Films:
    films = Films(tmp_path, 3)
    assert films.made() == set(LISTED)
    return films


def test_a_second_run_reads_nothing_again(films):
    assert films.made() == set()


def test_an_appended_question_is_read_and_changes_the_batch_of_its_video_alone(films):
    before = films.stamps()
    with (films.folder / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"video": "film1.mp4", "question": "How many more?", "answer": "5"}) + "\n")
    assert not films.is_current("questions") and films.is_current("sources")
    assert films.made() == {"questions"}
    assert ("film1", "5") in films.answers()
    assert films.batches_with_other_questions(before) == {"films-0002"}


def test_a_corrected_answer_is_read_although_size_and_time_of_the_file_are_the_same(films):
    before, path = films.stamps(), films.folder / "questions.jsonl"
    times = path.stat()
    films.ask("film2", "7")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    assert films.made() == {"questions"}
    assert films.answers() == {("film0", "3"), ("film1", "3"), ("film2", "7")}
    assert films.batches_with_other_questions(before) == {"films-0003"}


def test_a_question_file_that_was_only_touched_is_not_read_again(films):
    os.utime(films.folder / "questions.jsonl", (1, 1))
    assert films.made() == set()


@pytest.mark.parametrize("number", range(1, 8))
def test_the_next_video_and_its_question_are_seen_after_any_number_of_batches(tmp_path, number):
    films = Films(tmp_path, number)
    films.made()
    before = [films.workspace.stamps.read(asset) for asset in LISTED]
    films.add("new")
    assert films.made() == set(LISTED)
    assert ("new", "3") in films.answers()
    after = [films.workspace.stamps.read(asset) for asset in LISTED]
    assert all(a and b and a.content != b.content for a, b in zip(before, after, strict=True))


def test_a_changed_answer_in_any_of_many_batches_changes_the_content_of_questions(tmp_path):
    films = Films(tmp_path, 7)
    films.made()
    contents = set()
    for film in list(films.questions):
        films.ask(film, "8")
        films.made()
        stamp = films.workspace.stamps.read("questions")
        assert stamp
        contents.add(stamp.content)
    assert len(contents) == 7


@pytest.mark.parametrize("written", range(5))
def test_a_step_that_is_killed_after_any_file_leaves_nothing_half_new(films, written):
    """Killed while it reads changed questions: it writes four files and a commit."""
    questions = films.workspace.lake.read("questions").sort("question_id")
    films.ask("film0", "8")
    films.ask("film1", "9")
    with pytest.raises((RunFailed, Killed), match=r"Killed|questions"), killed_after(written, films.workspace.home):
        films.made()
    assert films.workspace.lake.read("questions").sort("question_id").equals(questions)
    films.ask("film0", "3")
    films.ask("film1", "3")
    assert films.made() == set()
    assert films.workspace.lake.read("questions").sort("question_id").equals(questions)


def test_a_result_whose_inputs_change_while_it_is_made_is_stale(films, monkeypatch):
    wanted = ["probe_grades"]
    run(films.recipe, only=wanted)
    grade_rows = filters.grading.grade_rows

    def relisted(*given):
        films.workspace.stamps.write("questions", Stamp("", "changed meanwhile"), "films-0001")
        return grade_rows(*given)

    monkeypatch.setattr(filters.grading, "grade_rows", relisted)
    run(films.recipe, only=wanted, force=wanted, batches=["films-0001"])
    plan = Plan(build_assets(films.recipe), films.workspace)
    key = next(key for key in plan.definition_of if key.to_user_string() == "probe_grades")
    assert not plan.is_current(key, "films-0001") and plan.is_current(key, "films-0002")
