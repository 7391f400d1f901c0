"""CPU time of every step of a fine-tuning run in this process, for benchmarks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest.mock import patch


def run_sft(shards: Path, out: Path, recipe: Path) -> list[float]:
    """Fine-tune and return the CPU time of this process at the end of each step, in seconds.

    Validation is not measured: it is kept to one row.
    """
    from train.run.metrics_log import MetricsLog
    from train.sft import samples
    from train.sft.command import main

    ends: list[float] = []
    log_step = MetricsLog.step

    def step(self: MetricsLog, facts: dict[str, Any], sentence: str, *, of: int, now_s: float) -> None:
        ends.append(time.process_time())
        log_step(self, facts, sentence, of=of, now_s=now_s)

    with patch.object(MetricsLog, "step", step), patch.object(samples, "WATCHED_ROWS", 1):
        main(["--shards", str(shards), "--out", str(out), "--recipe", str(recipe)])
    return ends
