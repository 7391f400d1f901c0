"""What a training run tells while it runs: metrics.jsonl, TensorBoard where it is installed, the screen, Dagster."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from videozoomer.lake.atomic import write_text

SAY_EVERY_S = 5.0


class MetricsLog:
    """Silent on every process but the first."""

    def __init__(self, out: Path, stage: str, *, first: bool, from_step: int) -> None:
        """`stage` names the curves in TensorBoard. `from_step`: a resumed run drops the lines of steps that it takes again."""
        self.first = first
        self._stage = stage
        self._said_s = float("-inf")
        self._board = None
        if not first:
            return
        path = out / "metrics.jsonl"
        kept = (
            [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= from_step]
            if from_step and path.exists()
            else []
        )
        write_text(path, "".join(line + "\n" for line in kept))
        self._file = path.open("a")
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(out / "tensorboard"), purge_step=from_step or None)

    def step(self, facts: dict[str, Any], sentence: str, *, of: int, now_s: float) -> None:
        """One line a step on disk, one every few seconds on the screen: `sentence`, filled with the facts and `of`.
        The facts have `step`, from 1."""
        if not self.first:
            return
        self._file.write(json.dumps(facts) + "\n")
        self._file.flush()
        if self._board:
            for name, value in facts.items():
                if name != "step" and value is not None:
                    self._board.add_scalar(f"{self._stage}/{name}", value, facts["step"])
        if now_s - self._said_s >= SAY_EVERY_S or facts["step"] == of:
            self._said_s = now_s
            shown = {name: float("nan") if value is None else value for name, value in facts.items()}
            self.say(sentence.format(**shown, of=of))

    def say(self, sentence: str) -> None:
        if not self.first:
            return
        print(sentence, file=sys.stderr, flush=True)
        from dagster_pipes import PipesContext

        if PipesContext.is_initialized():
            PipesContext.get().log.info(sentence)

    def close(self) -> None:
        if self.first:
            self._file.close()
        if self._board:
            self._board.close()
