"""Metrics of a training run: metrics.jsonl, TensorBoard if installed, the terminal, Dagster."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from videozoomer.lake.atomic import write_text

PRINT_EVERY_S = 5.0


class MetricsLog:
    """Does nothing on processes other than the main one."""

    def __init__(self, out: Path, stage: str, *, is_main: bool, from_step: int) -> None:
        """`stage` prefixes the curves in TensorBoard. A resumed run drops the lines of steps after `from_step`."""
        self.is_main = is_main
        self._stage = stage
        self._printed_s = float("-inf")
        self._board = None
        if not is_main:
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

    def step(self, metrics: dict[str, Any], sentence: str, *, of: int, now_s: float) -> None:
        """Write one line per step to disk, and print `sentence` every few seconds, filled with the metrics and `of`.

        The metrics include `step`, counted from 1.
        """
        if not self.is_main:
            return
        self._file.write(json.dumps(metrics) + "\n")
        self._file.flush()
        if self._board:
            for name, value in metrics.items():
                if name != "step" and value is not None:
                    self._board.add_scalar(f"{self._stage}/{name}", value, metrics["step"])
        if now_s - self._printed_s >= PRINT_EVERY_S or metrics["step"] == of:
            self._printed_s = now_s
            shown = {name: float("nan") if value is None else value for name, value in metrics.items()}
            self.message(sentence.format(**shown, of=of))

    def message(self, sentence: str) -> None:
        if not self.is_main:
            return
        print(sentence, file=sys.stderr, flush=True)
        from dagster_pipes import PipesContext

        if PipesContext.is_initialized():
            PipesContext.get().log.info(sentence)

    def close(self) -> None:
        if self.is_main:
            self._file.close()
        if self._board:
            self._board.close()
