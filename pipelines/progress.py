"""Live progress on a terminal; plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from assets.workspace import Advance
from assets.workspace import Progress as WorkProgress

LINE_EVERY_S = 10.0
"""Without a terminal, a long piece of work says so this often."""


class RichProgress(WorkProgress):
    """Draws a bar for each piece of work while it runs, and leaves a line behind when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        started_s = time.monotonic()
        if self.console.is_terminal:
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=self.console, transient=True) as bars:
                task = bars.add_task(label, total=total)
                yield lambda steps=1: bars.advance(task, steps)
        else:
            yield self._lines(label, total)
        self.console.print(f"  {label}: {total} in {time.monotonic() - started_s:.1f} s")

    def _lines(self, label: str, total: int) -> Advance:
        state = {"done": 0, "said_s": time.monotonic()}

        def advance(steps: int = 1) -> None:
            state["done"] += steps
            if time.monotonic() - state["said_s"] >= LINE_EVERY_S:
                state["said_s"] = time.monotonic()
                self.console.print(f"  {label}: {state['done']} of {total}")

        return advance
