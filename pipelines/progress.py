"""Live progress bars on a terminal; plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from assets.workspace import Advance
from assets.workspace import Progress as WorkProgress

LINE_EVERY_S = 10.0
"""Without a terminal, long work prints a line this often."""


class RichProgress(WorkProgress):
    """Draws a bar for each piece of work while it runs, and prints one line when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        started_s = time.monotonic()
        if self.console.is_terminal:
            columns = (
                TextColumn("  {task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=self.console, transient=True) as bars:
                task = bars.add_task(label, total=total)

                def advance(steps: float = 1) -> None:
                    bars.advance(task, steps)

                yield advance
        else:
            yield self._lines(label, total)
        self.console.print(f"  {label}: {total} in {time.monotonic() - started_s:.1f} s", markup=False)

    def _lines(self, label: str, total: int) -> Advance:
        done, printed_s = 0.0, time.monotonic()

        def advance(steps: float = 1) -> None:
            nonlocal done, printed_s
            done += steps
            if time.monotonic() - printed_s >= LINE_EVERY_S:
                printed_s = time.monotonic()
                self.console.print(f"  {label}: {round(done, 1):g} of {total}", markup=False)

        return advance
