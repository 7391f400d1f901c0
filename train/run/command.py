"""What the commands `python -m train.sft` and `python -m train.rl` have in common."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from train.policy.checkpoint import disable_progress_bars
from train.run.failure import recorded_failure
from train.run.process_group import ProcessInfo, join_process_group, leave_process_group


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="output folder for the checkpoint and the metrics")
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe as JSON")
    parser.add_argument(
        "--local_rank",
        type=int,
        default=None,
        help="set by the deepspeed launcher; ignored (read from the environment)",
    )


@contextmanager
def training_process(bf16: bool, out: Path) -> Iterator[ProcessInfo]:
    """This process within its process group, reporting to Dagster if Dagster started it, and its failure to `out`."""
    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    # DeepSpeed calls torch's collectives by their old names, and each call would warn.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    with recorded_failure(out):
        process = join_process_group(bf16)
        disable_progress_bars()
        reports = PipesEnvVarParamsLoader().is_dagster_pipes_process() and process.is_main
        with open_dagster_pipes() if reports else nullcontext():
            yield process
        leave_process_group()
