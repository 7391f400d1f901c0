"""Asks probes of evidence, cheap ones first, each until its answers decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from distill.episodes import FrameSource
from distill.evidence import Probe, ProbeName, Shown, Subject, in_order, probes_of, shown
from distill.items import EpisodeJob
from distill.rollouts import EpisodeRunner
from videozoomer.protocol.chance import SequentialTest, chance_of
from videozoomer.protocol.evidence import Window
from videozoomer.settings.evidence import EvidenceSettings
from videozoomer.video.types import FrameError

if TYPE_CHECKING:
    from videozoomer.lake.rows import EvidenceRow, TrajectoryRow

Verdict = Literal["correct", "wrong", "unknown"]
MUST_STAY_RIGHT: dict[ProbeName, bool | None] = {
    "blind": False,
    "sufficiency": True,
    "shuffled": True,
    "elsewhere": False,
    "leave_one_out": None,
}
"""What a trajectory's answer must do under each probe; None where either is fine."""
UNREADABLE = "frames from elsewhere could not be read"
CHANCE_IS_ENOUGH = "a guess is right as often as a player who sees the evidence"


@dataclass
class Asked:
    """A probe and its answers so far."""

    probe: Probe
    test: SequentialTest
    asked: int = 0
    valid: int = 0
    correct: int = 0
    cost_usd: float = 0.0
    windows: tuple[Window, ...] = ()
    detail: str | None = None

    @property
    def wanted(self) -> int:
        """Further answers to ask for now."""
        if self.detail is not None:
            return 0
        return min(self.test.needed(self.correct, self.valid), self.test.max_samples - self.asked)

    @property
    def stays_right(self) -> bool | None:
        return self.test.right(self.correct, self.valid) if self.test.decides else None

    @property
    def passes(self) -> bool:
        """Whether the trajectory, or the question, is worth the next probe. What could not be asked speaks against
        nothing."""
        wanted = MUST_STAY_RIGHT[self.probe.name]
        return wanted is None or self.stays_right is None or self.stays_right == wanted

    def row(self) -> EvidenceRow:
        """The row of table `evidence`."""
        test, probe = self.test, self.probe
        return {
            "item": probe.item_id,
            "probe": probe.name,
            "zoom": probe.zoom,
            "question_id": probe.subject.item.question_id,
            "batch": probe.subject.item.batch,
            "asked": self.asked,
            "valid": self.valid,
            "correct": self.correct,
            "chance": test.chance,
            "rate": test.rate,
            "log_ratio": test.log_ratio(self.correct, self.valid) if test.decides and self.valid else None,
            "lower": test.lower,
            "upper": test.upper,
            "settled": test.decides and test.settled(self.correct, self.valid),
            "stays_right": self.stays_right,
            "windows": [{"start_s": window.start_s, "end_s": window.end_s} for window in self.windows],
            "cost_usd": self.cost_usd,
            "detail": self.detail,
        }


@dataclass
class Probing:
    """Asks probes with one runner and keeps everything that was played."""

    runner: EpisodeRunner
    settings: EvidenceSettings
    temperature: float
    verdicts: Callable[[Sequence[TrajectoryRow], Mapping[str, int]], Sequence[Verdict]]
    """Grades rows of table `trajectories`, in order; takes the rotation of the options by trajectory id."""
    rows: list[TrajectoryRow] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    readers: int = 4

    def blind(self, questions: Iterable[Subject], before: Mapping[str, tuple[int, int, int]]) -> set[str]:
        """Ask questions without frames; ids of those that cannot be answered so. `before` has (asked, valid, correct)
        of the blind probes that were played already.

        Raises:
            StepStopped: see `EpisodeRunner.play_all`.
        """
        asked = []
        for subject in questions:
            one = self._asked(Probe("blind", subject))
            one.asked, one.valid, one.correct = before.get(subject.item.question_id, (0, 0, 0))
            asked.append(one)
        self._ask(asked)
        return {one.probe.item_id for one in asked if one.passes}

    def trajectories(self, subjects: Sequence[Subject]) -> None:
        """Ask the recipe's probes of trajectories, each only of those that passed the ones before. Raises like
        `blind`."""
        left = list(subjects)
        for name in self.settings.probes:
            asked = [self._asked(probe) for subject in left for probe in probes_of(subject, name)]
            self._ask(asked)
            failed = {one.probe.item_id for one in asked if not one.passes}
            left = [subject for subject in left if subject.trajectory_id not in failed]

    def _asked(self, probe: Probe) -> Asked:
        settings, item = self.settings, probe.subject.item
        test = SequentialTest(
            chance=chance_of(item.answer_type, len(item.options), settings.open_chance),
            rate=settings.prior_rate if probe.name in ("blind", "elsewhere") else settings.right_rate,
            false_positive=settings.false_positive,
            false_negative=settings.false_negative,
            max_samples=settings.max_samples,
        )
        return Asked(probe, test, detail=None if test.decides else CHANCE_IS_ENOUGH)

    def _ask(self, probes: Sequence[Asked]) -> None:
        """Rounds of answers, each as few as can decide, until every probe is decided."""
        self.asked += probes
        while waiting := [(one, one.wanted) for one in probes if one.wanted > 0]:
            whose: list[tuple[Asked, Shown]] = []
            for one, wanted in waiting:
                for sample in range(one.asked, one.asked + wanted):
                    found = shown(one.probe, sample, self.temperature)
                    if isinstance(found, str):
                        one.detail = found
                        break
                    whose.append((one, found))
            played = self._with_frames(whose)
            rows = self.runner.play_all([job for _, _, job in played])
            rotations = {row["trajectory_id"]: found.rotation for row, (_, found, _) in zip(rows, played, strict=True)}
            graded = self.verdicts(rows, rotations)
            for (one, found, _), row, verdict in zip(played, rows, graded, strict=True):
                one.asked += 1
                one.valid += verdict in ("correct", "wrong")
                one.correct += verdict == "correct"
                one.cost_usd += row["cost_usd"]
                one.windows = one.windows or found.windows
            self.rows += rows

    def _with_frames(self, whose: Sequence[tuple[Asked, Shown]]) -> list[tuple[Asked, Shown, EpisodeJob]]:
        """Jobs with the frames that had to be read; a probe whose frames cannot be read asks no more."""
        source = FrameSource(self.runner.frames_at, self.runner.store, self.runner.protocol)
        player = self.runner.pool.for_job

        def read(found: Shown) -> EpisodeJob | None:
            job = found.job
            if not found.read_s:
                return job
            try:
                frames = in_order(source.read(job, times_s, player(job)) for times_s in found.read_s)
            except FrameError:
                return None
            return replace(job, item=replace(job.item, overview=frames))

        with ThreadPoolExecutor(self.readers) as pool:
            jobs = list(pool.map(read, [found for _, found in whose]))
        ready = []
        for (one, found), job in zip(whose, jobs, strict=True):
            if job is None:
                one.detail = UNREADABLE
            else:
                ready.append((one, found, job))
        return ready
