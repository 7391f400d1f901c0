"""The stages of one seed. Each leaves what was played or a checkpoint behind, and is not run again while that is there.

warm-up -> student (exemplars) -> its failures -> reflections -> sft (both) -> rl; beside them, the same network on uniform frames.
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
from experiments.proof.play import MAX_NEW_TOKENS, Outcome, play
from videozoomer.settings.model import Recipe

Say = Callable[[str], None]
MAX_ZOOMS = 4
GLANCE_TOKENS = 400
"""Most of one turn that goes through all uniform frames."""
_TOLD_EVERY_S = 60.0
_PROGRESS = re.compile(r"(step|round) \d+ of ")


class StageError(RuntimeError):
    """A training of the proof failed; the message names its log."""


def stamp_of(module: str, shards: Path, recipe: Recipe, start: Path | None) -> str:
    """Hash of what a training goes by: another number of RL rounds is no reason to warm up again."""
    told = recipe.model_dump_json(include={"protocol", "policy", module.removeprefix("train.")})
    weights = (start / "model.safetensors").read_bytes() if start else b""
    return hashlib.sha256(
        (shards / "manifest.json").read_bytes() + told.encode() + hashlib.sha256(weights).digest()
    ).hexdigest()


def train(
    module: str, home: Path, shards: Path, recipe: Recipe, say: Say, *, start: Path | None, processes: int = 1
) -> Path:
    """Run a training in a process of its own, unless the same one is done; returns its checkpoint. `start` is the one it
    begins with; without one it begins with fresh weights. How far it is, is said every minute.

    Raises:
        StageError: it failed.
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
    home.mkdir(parents=True, exist_ok=True)
    (home / "recipe.json").write_text(recipe.model_dump_json())
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
    told = home / "log.txt"
    with told.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
        while (failed := _ended(process, _TOLD_EVERY_S)) is None:
            if far := [line for line in told.read_text(errors="replace").splitlines() if _PROGRESS.match(line)]:
                say(f"{home.name}: {far[-1]}")
    if failed:
        raise StageError(f"{module} ended with status {failed}; its last words are in {told}")
    done.write_text(json.dumps({"stamp": stamp, "seconds": time.monotonic() - began_s}))
    return home / "checkpoint"


def _ended(process: subprocess.Popen, within_s: float) -> int | None:
    """Its exit status, or None where it goes on for longer."""
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
        """More seeds than one share the cores as they are."""
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
        self.say(
            f"{sum(not outcome.correct for outcome in own)} of {len(own)} student episodes failed, {len(repaired)} kept reflections"
        )
        self._write("sft-shards", {"exemplar": good, "reflection": repaired})
        sft = self._sft("sft", "sft-shards", plan.sft_steps)
        played = self._report("sft", sft)

        policy = sft
        if plan.rl_rounds:
            self.library.write(
                "rl", self.home / "rl-shards", self.questions, {"stage": "questions for reinforcement learning"}
            )
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

    def _write(self, name: str, kinds: dict[str, Sequence[Outcome]]) -> None:
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
        # The tower sees all it needs to; frozen, a frame's features are computed once for all that are shown it.
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
        questions: Sequence[dict] | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> dict[str, dict]:
        """Play the held-out questions, unless these weights have played them, and say how it went."""
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
        """Keep how the held-out questions went, and tell it."""
        (self.home / f"{name}.json").write_text(json.dumps({"weights": weights, "played": played}))
        rows = played.values()
        self.say(
            f"{name}: {statistics.fmean(row['accuracy'] for row in rows):.1%} right, {statistics.fmean(row['hit_rate'] for row in rows):.1%} hit, "
            f"{statistics.fmean(row['zooms'] for row in rows):.2f} zooms, {statistics.fmean(row['frames'] for row in rows):.1f} frames"
        )
