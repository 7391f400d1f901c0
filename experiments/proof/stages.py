"""The stages of one seed. Each stores its episodes or a checkpoint and is skipped while they are current.

warm-up -> student (exemplars) -> its failures -> reflections -> sft (both) -> rl; the same network on uniform frames is
the baseline.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.proof.datasets import exemplars, glances, kept, reflections, shown, write_trajectories
from experiments.proof.figures import per_question
from experiments.proof.library import Library
from experiments.proof.plan import Plan
from experiments.proof.play import MAX_NEW_TOKENS, PlayedQuestion, play
from videozoomer.lake.atomic import write_text
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import Recipe

Say = Callable[[str], None]
MAX_ZOOMS = 4
REPORTED = ("accuracy", "hit_rate", "zooms", "frames")
GLANCE_TOKENS = 400
"""Limit of a turn that walks through all uniform frames."""
_PROGRESS_EVERY_S = 60.0
_PROGRESS = re.compile(r"(step|round) \d+ of ")


class StageError(RuntimeError):
    """A training run failed; the message names its log."""


def stamp_of(module: str, shards: Path, recipe: Recipe, start: Path | None) -> str:
    """Hash of what decides a training run: a changed number of RL rounds must not repeat the warm-up."""
    settings = recipe.model_dump_json(include={"protocol", "policy", module.removeprefix("train.")})
    weights = (start / "model.safetensors").read_bytes() if start else b""
    return hashlib.sha256(
        (shards / "manifest.json").read_bytes() + settings.encode() + hashlib.sha256(weights).digest()
    ).hexdigest()


def train(
    module: str, home: Path, shards: Path, recipe: Recipe, say: Say, *, start: Path | None, processes: int = 1
) -> Path:
    """Train in a separate process unless the same run is finished; return its checkpoint.

    `start` is the initial checkpoint; None starts from random weights. Reports progress every minute.

    Raises:
        StageError: the training failed.
    """
    if module == "train.sft":
        recipe = recipe.model_copy(
            update={"policy": recipe.policy.model_copy(update={"checkpoint": str(start) if start else None})}
        )
    begin = ["--policy", str(start)] if module == "train.rl" else []
    stamp, done = stamp_of(module, shards, recipe, start), home / "done.json"
    if done.is_file() and json.loads(done.read_text())["stamp"] == stamp:
        return home / "checkpoint"
    began_s = time.monotonic()
    write_text(home / "recipe.json", recipe.model_dump_json())
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    command = [
        sys.executable,
        *launcher,
        "-m",
        module,
        "--shards",
        str(shards),
        "--out",
        str(home),
        "--recipe",
        str(home / "recipe.json"),
        *begin,
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    log_path = home / "log.txt"
    with log_path.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
        while (failed := _ended(process, _PROGRESS_EVERY_S)) is None:
            if far := [line for line in log_path.read_text(errors="replace").splitlines() if _PROGRESS.match(line)]:
                say(f"{home.name}: {far[-1]}")
    if failed:
        raise StageError(f"{module} failed with exit status {failed}; its log is {log_path}")
    write_text(done, json.dumps({"stamp": stamp, "seconds": time.monotonic() - began_s}))
    return home / "checkpoint"


def _ended(process: subprocess.Popen, within_s: float) -> int | None:
    """Its exit status, or None if it is still running."""
    try:
        return process.wait(within_s)
    except subprocess.TimeoutExpired:
        return None


class SeedRun:
    """All stages of one seed."""

    def __init__(self, home: Path, plan: Plan, recipe: Recipe, warm: Path, seed: int, say: Say) -> None:
        self.home, self.plan, self.recipe, self.warm, self.seed, self.say = (
            home / f"seed-{seed}",
            plan,
            recipe,
            warm,
            seed,
            say,
        )
        self.home.mkdir(parents=True, exist_ok=True)
        self.processes = 2 if len(plan.seeds) == 1 else 1
        """Several seeds already share the cores."""
        films = home / "films"
        self.library = Library(films, "train", plan.train_films, recipe, seed=0, world=plan.world)
        self.tests = Library(films, "test", plan.test_films, recipe, seed=0, world=plan.world)
        questions = self.library.questions(self.library.films)
        random.Random(f"questions {seed}").shuffle(questions)
        self.questions = questions
        self.asked = self.tests.questions(self.tests.films, each=plan.test_each)

    def run(self) -> None:
        plan = self.plan
        good = kept(exemplars(self.library, self.questions[: plan.exemplar_questions], self.recipe, self.seed))
        self._write("student-shards", {"exemplar": good})
        student = self._sft("student", "student-shards", plan.student_steps)
        self._report("student", student)

        questions, temperature = self.questions[: plan.failed_questions], self.recipe.rl.temperature
        own = play(student, self.library, questions, self.recipe, temperature=temperature, seed=self.seed)
        repaired = kept(reflections(self.library, own, self.seed))
        failed = sum(not outcome.correct for outcome in own)
        self.say(f"{failed} of {len(own)} student episodes failed, {len(repaired)} reflections kept")
        self._write("sft-shards", {"exemplar": good, "reflection": repaired})
        sft = self._sft("sft", "sft-shards", plan.sft_steps)
        played = self._report("sft", sft)

        policy = sft
        if plan.rl_rounds:
            about = {"stage": "questions for reinforcement learning"}
            self.library.write_questions(self.home / "rl-shards", self.questions, about)
            policy = self._rl(sft)
            played = self._report("rl", policy)
        for most in range(MAX_ZOOMS):
            self._report(f"at-most-{most}", policy, max_zooms=most)

        frames = round(statistics.fmean(outcome["frames"] for outcome in played.values()))
        asked = self.tests.questions(self.tests.films, frames=frames, each=plan.test_each)
        self._record("uniform-teacher", per_question(glances(self.tests, asked, self.recipe, self.seed)), "teacher")
        if not plan.uniform_steps:
            return
        glanced = glances(
            self.library, self.library.questions(self.library.films, frames=frames), self.recipe, self.seed
        )
        self._write(
            "uniform-shards", {"exemplar": [outcome for outcome in glanced if outcome.correct and shown(outcome)]}
        )
        uniform = self._sft("uniform", "uniform-shards", plan.uniform_steps)
        self._report("uniform", uniform, max_zooms=0, questions=asked, max_new_tokens=GLANCE_TOKENS)

    def _write(self, name: str, kinds: dict[str, Sequence[PlayedQuestion]]) -> None:
        write_trajectories(self.library, self.home / name, kinds, {"stage": name, "seed": self.seed})

    def _sft(self, name: str, shards: str, steps: int) -> Path:
        settings = self.recipe.sft.model_copy(
            update={
                "max_steps": steps,
                "seed": self.seed,
                "learning_rate": self.plan.learning_rate,
                "micro_batch_size": self.plan.batch_size // self.processes,
            }
        )
        recipe = self.recipe.model_copy(update={"sft": settings})
        began_s = time.monotonic()
        checkpoint = train(
            "train.sft",
            self.home / name,
            self.home / shards,
            recipe,
            self.say,
            start=self.warm,
            processes=self.processes,
        )
        self.say(f"{name}: {steps} steps in {time.monotonic() - began_s:.0f} s")
        return checkpoint

    def _rl(self, start: Path) -> Path:
        settings = self.recipe.rl.model_copy(update={"steps": self.plan.rl_rounds, "seed": self.seed})
        # The vision tower is good enough after the warm-up; frozen, a frame's features are computed once.
        frozen = self.recipe.policy.model_copy(update={"freeze_vision": True})
        recipe = self.recipe.model_copy(update={"rl": settings, "policy": frozen})
        began_s = time.monotonic()
        checkpoint = train(
            "train.rl",
            self.home / "rl",
            self.home / "rl-shards",
            recipe,
            self.say,
            start=start,
            processes=self.processes,
        )
        self.say(f"rl: {self.plan.rl_rounds} rounds in {time.monotonic() - began_s:.0f} s")
        return checkpoint

    def _report(
        self,
        name: str,
        checkpoint: Path,
        *,
        max_zooms: int | None = None,
        questions: Sequence[PlayableQuestion] | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> dict[str, dict]:
        """Play the held-out questions unless these weights already have; store and print the metrics."""
        target = self.home / f"{name}.json"
        weights = hashlib.sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest()
        kept_there = json.loads(target.read_text()) if target.is_file() else {}
        if kept_there.get("weights") != weights or len(kept_there["played"]) != len(self.asked):
            outcomes = play(
                checkpoint,
                self.tests,
                questions or self.asked,
                self.recipe,
                max_zooms=max_zooms,
                max_new_tokens=max_new_tokens,
            )
            kept_there = {"weights": weights, "played": per_question(outcomes)}
        self._record(name, kept_there["played"], weights)
        return kept_there["played"]

    def _record(self, name: str, played: dict[str, dict], weights: str) -> None:
        """Store the metrics of the held-out questions and print them."""
        write_text(self.home / f"{name}.json", json.dumps({"weights": weights, "played": played}))
        mean = {metric: statistics.fmean(row[metric] for row in played.values()) for metric in REPORTED}
        self.say(
            f"{name}: {mean['accuracy']:.1%} correct, {mean['hit_rate']:.1%} hit the evidence, "
            f"{mean['zooms']:.2f} zooms, {mean['frames']:.1f} frames"
        )
