"""How many trajectories of players who guess, know or see survive the rules, without and with probes of evidence.

python -m benchmarks.evidence_probes

Each player plays 600 questions of four options three times, on films whose answer is seen for two seconds and whose
evidence is not known. Trajectories, grades, probes and rules are those of a run; only the player is made up, so how it
answers is known: by guessing, by one letter, from prior knowledge in 70% of its answers, or from the frames that show
the event, nine of ten zooms finding it and 95% of what is seen being read rightly. Intervals are Wilson's, 95%.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import polars as pl
import typer

from distill.client.calls import Reply
from distill.evidence import Subject, subject_of
from distill.exemplars import exemplar_jobs
from distill.probes import probe_jobs
from distill.probing import Probing, Verdict
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from filters.grading import grade_rows, with_moved_options
from filters.rules import load_rules, run_rules
from videozoomer.lake import CATALOG, Lake
from videozoomer.lake.rows import GradeRow, QuestionRow, TrajectoryRow
from videozoomer.protocol import FrameRef, Message, Protocol, load_prompts
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.messages import Image
from videozoomer.protocol.options import letter_of
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import DistillSettings, EvidenceSettings, FilterSettings
from videozoomer.video.types import Frame

FILM_S = 900.0
# All players of one kind word their thoughts alike; rules about writing are not what is measured.
SKIPPED = ("repeats_another", "guess_admitted")


@dataclass(frozen=True)
class Skill:
    name: str
    finds: float = 0.0
    """Share of zooms that show the event."""
    reads: float = 0.0
    """Share of right answers where the event is shown."""
    knows: float = 0.0
    """Share of answers that are right without any frame; the rest are guesses."""
    letter: str | None = None
    """What it guesses; None guesses evenly."""


SKILLS = (
    Skill("guesses among four"),
    Skill("prefers a letter", letter="B"),
    Skill("knows 70% without looking", knows=0.6),
    Skill("looks and sees", finds=0.9, reads=0.95),
)


class Player:
    def __init__(self, skill: Skill) -> None:
        self.skill, self.name = skill, skill.name

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        asked = messages[1].text
        number = int(re.findall(r"number (\d+)", asked)[-1])
        dice = _Dice(f"{self.skill.name} {sample} {[message.text for message in messages]}")
        event = event_of(number)
        zoomed = [part.time_s for m in messages[2:] for part in m.parts if isinstance(part, Image)]
        if "video_zoom" in messages[0].text and not zoomed:
            start_s = event.start_s - 3 if dice.below(self.skill.finds) else dice.number(round(FILM_S) - 10)
            return Reply(
                f"<think>The overview does not show it, so I look closer from {start_s:.0f} s.</think>"
                f'<video_zoom>{{"segment": [{start_s:.0f}, {start_s + 8:.0f}], "fps": 2}}</video_zoom>'
            )
        letters = dict(re.findall(r"^([A-D])\. (.+)$", asked, re.M))
        right = next(letter for letter, text in letters.items() if text == "the right one")
        alone = [part.time_s for part in messages[1].parts if isinstance(part, Image)] if not zoomed else []
        sees = any(event.covers(time_s) for time_s in (*zoomed, *alone))
        certain = dice.below(self.skill.reads) if sees and self.skill.reads else dice.below(self.skill.knows)
        answer = right if certain else self.skill.letter or letter_of(dice.number(4))
        return Reply(f"<think>That settles the question for me.</think><answer>{answer}</answer>")


class _Dice:
    """Random numbers that follow from a text alone."""

    def __init__(self, seed: str) -> None:
        self._bytes = hashlib.sha256(seed.encode()).digest()

    def _next(self) -> int:
        value, self._bytes = int.from_bytes(self._bytes[:6], "big"), hashlib.sha256(self._bytes).digest()
        return value

    def below(self, share: float) -> bool:
        return self._next() / 2**48 < share

    def number(self, count: int) -> int:
        return self._next() % count


def event_of(number: int) -> Window:
    """When the answer to a question is seen; never at a time of the overview."""
    start_s = 20 + 10 * _Dice(f"event {number}").number(round(FILM_S / 10) - 5)
    return Window(start_s + 1.0, start_s + 3.0)


def questions_of(count: int) -> list[tuple[QuestionItem, QuestionRow]]:
    made = []
    for number in range(count):
        right = _Dice(f"right {number}").number(4)
        options = ["one that is wrong", "another wrong one", "a third that is wrong"]
        options.insert(right, "the right one")
        uri, name = f"film{number}.mp4", f"q{number:04d}"
        overview = tuple(FrameRef(f"{uri}:{10.0 * n}", 10.0 * n) for n in range(64))
        item = QuestionItem(
            name, uri, uri, "b-0000", f"Which is shown as number {number}?", tuple(options), "choice", FILM_S, overview
        )
        row: QuestionRow = {
            "question_id": name, "source": "s", "video_uri": uri, "split": "train", "question": item.question,
            "options": options, "answer": letter_of(right), "answer_type": "choice", "topic": None, "evidence": [],
            "status": "ok", "reason": None,
        }  # fmt: skip
        made.append((item, row))
    return made


def frames_at(uri: str, times_s: Sequence[float]) -> list[Frame]:
    return [Frame(f"{uri}:{time_s}", time_s, time_s, 1, 1, b"frame") for time_s in times_s]


@dataclass(frozen=True)
class Counts:
    asked: int
    right: int
    without: set[str]
    """Trajectories that are kept without probes."""
    kept: set[str]
    seen: set[str]
    """Right trajectories whose zooms showed the event."""
    probed: int
    """Trajectories that were probed."""
    calls: int
    reasons: dict[str, int]


def measure(skill: Skill, questions: int, samples: int, settings: EvidenceSettings) -> Counts:
    made = questions_of(questions)
    items, rows = [item for item, _ in made], {row["question_id"]: row for _, row in made}
    plain = FilterSettings(skip_rules=SKIPPED, max_trajectories=samples)
    with tempfile.TemporaryDirectory() as folder, FrameStore(Path(folder) / "frames.sqlite") as store:
        runner = EpisodeRunner(Player(skill), frames_at, store, Protocol(), load_prompts(), concurrency=64)
        played = runner.play_all(exemplar_jobs(items, DistillSettings(samples=samples)))
        blind = runner.play_all(probe_jobs(items, plain))
        lake = Lake(Path(folder) / "tables")
        grades = {row["trajectory_id"]: row for row in grade_rows([*played, *blind], list(rows.values()))}
        lake.write("questions", list(rows.values()))
        lake.write("videos", [_video(item) for item in items])
        lake.write("trajectories", [*played, *blind])
        lake.write("grades", list(grades.values()))
        without = run_rules(lake, plain)
        chosen = plain.model_copy(update={"evidence": settings})
        cheaper = [r for r in load_rules() if r.level != "selection" and r.name != "answerable_without_video"]
        first = run_rules(lake, chosen.model_copy(update={"skip_rules": ("guess_admitted",)}), cheaper)

        def verdicts(found: Sequence[TrajectoryRow], moved: Mapping[str, int]) -> list[Verdict]:
            graded: dict[str, GradeRow] = {}
            for row in found:
                question = with_moved_options(rows[row["question_id"]], moved[row["trajectory_id"]])
                graded |= {one["trajectory_id"]: one for one in grade_rows([row], [question])}
            return [cast(Verdict, graded[row["trajectory_id"]]["verdict"]) for row in found]

        probing = Probing(runner, settings, 1.0, verdicts)
        before: dict[str, tuple[int, int, int]] = {}
        for row in blind:
            asked, valid, correct = before.get(row["question_id"], (0, 0, 0))
            is_right = grades[row["trajectory_id"]]["verdict"] == "correct"
            before[row["question_id"]] = asked + 1, valid + 1, correct + is_right
        left = probing.blind([Subject("", item, ()) for item in items], before)
        kept_first = _kept(first.verdicts)
        by_id = {item.question_id: item for item in items}
        subjects = [
            subject_of(row, by_id[row["question_id"]])
            for row in played
            if row["trajectory_id"] in kept_first and row["question_id"] in left
        ]
        probing.trajectories(subjects)
        lake.write("evidence", [one.row() for one in probing.asked])
        result = run_rules(lake, chosen)
    right = {row["trajectory_id"] for row in played if grades[row["trajectory_id"]]["verdict"] == "correct"}
    seen = {
        row["trajectory_id"]
        for row in played
        if row["trajectory_id"] in right
        and any(
            event_of(int(row["question_id"][1:])).covers(time)
            for turn in row["turns"]
            for time in turn["frame_times_s"]
        )
    }
    reasons: dict[str, int] = {}
    for found in result.verdicts.filter(outcome="rejected")["reasons"].to_list():
        reasons[found[0]] = reasons.get(found[0], 0) + 1
    return Counts(
        len(played),
        len(right),
        _kept(without.verdicts),
        _kept(result.verdicts),
        seen,
        len(subjects),
        len(probing.rows),
        reasons,
    )


def _kept(verdicts: pl.DataFrame) -> set[str]:
    return set(verdicts.filter(outcome="kept")["trajectory_id"])


def _video(item: QuestionItem) -> dict:
    declared = dict.fromkeys(column.name for column in CATALOG["videos"].columns)
    return declared | {
        "uri": item.video_uri, "video_id": item.video_id, "source": "s", "batch": item.batch, "status": "ok",
        "duration_s": item.duration_s,
    }  # fmt: skip


def wilson(count: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """E. B. Wilson's 95% interval of a share (1927)."""
    if not total:
        return 0.0, 1.0
    share, spread = count / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * ((share * (1 - share) + spread / 4) / total) ** 0.5 / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(count: int, total: int) -> str:
    low, high = wilson(count, total)
    return f"{count:,} ({count / max(total, 1):.2%}, {low:.2%} to {high:.2%})"


def main(
    questions: Annotated[int, typer.Option(help="questions")] = 600,
    samples: Annotated[int, typer.Option(help="exemplars of each")] = 3,
    only: Annotated[str | None, typer.Option(help="begin of one player's name")] = None,
    pass_level: Annotated[bool, typer.Option(help="test pass rates against guessing too")] = True,
) -> None:
    settings = EvidenceSettings() if pass_level else EvidenceSettings(pass_level=None)
    for skill in SKILLS:
        if only and not skill.name.startswith(only):
            continue
        counts = measure(skill, questions, samples, settings)
        print(
            f"{skill.name}: {counts.asked:,} trajectories, {counts.right:,} right, "
            f"{len(counts.without):,} kept without probes, {_share(len(counts.kept), counts.asked)} with; "
            f"{counts.probed:,} probed, {counts.calls:,} answers asked for"
        )
        if counts.seen:
            honest = counts.seen & counts.without
            lost, lucky = len(honest - counts.kept), len(counts.kept - counts.seen)
            print(
                f"  of {len(honest):,} that saw the event and are kept without probes, {_share(lost, len(honest))} are "
                f"dropped; {lucky:,} kept ones did not see it, of {len(counts.without - counts.seen):,} without probes"
            )
        print(f"  first reasons: {dict(sorted(counts.reasons.items(), key=lambda item: -item[1]))}")


if __name__ == "__main__":
    typer.run(main)
