"""Benchmarks of distillation, one command each. Everything runs against a local server in a separate process.

python -m benchmarks.distill throughput   # against the ideal, and against a plain loop
python -m benchmarks.distill memory       # 1,000 and 10,000 questions
python -m benchmarks.distill kill         # 30 times kill -9
python -m benchmarks.distill storm        # a server that fails in six ways
python -m benchmarks.distill cap          # a budget of 60% of the need
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from benchmarks.distill.cap import cap
from benchmarks.distill.kill import kill, kill_run
from benchmarks.distill.memory import memory, memory_run
from benchmarks.distill.storm import storm
from benchmarks.distill.throughput import throughput

app = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, pretty_exceptions_enable=False)
SHOWN: tuple[Callable[..., None], ...] = (throughput, memory, kill, storm, cap)
HIDDEN: tuple[Callable[..., None], ...] = (memory_run, kill_run)
for command in SHOWN:
    app.command()(command)
for command in HIDDEN:
    app.command(hidden=True)(command)

if __name__ == "__main__":
    app()
