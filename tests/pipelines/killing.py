"""A process that ends after so many writes to a home, in the middle of a run: as an exception, or by kill -9."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from videozoomer.lake import atomic


class Killed(BaseException):
    """Stands for a process that ends: from now on nothing is written."""


def _killed() -> None:
    raise Killed


@contextmanager
def killed_after(written: int, home: Path, end: Callable[[], None] = _killed) -> Iterator[None]:
    """End instead of the next write to the home after so many: of a table's file, a page, or an entry of the log."""
    left = itertools.count(written, -1)

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def placed(partial: Path, target: Path, **how: bool) -> Any:
            if home in target.parents and not {"dagster", ".probe"} & set(target.parts) and next(left) <= 0:
                end()
            return write(partial, target, **how)

        return placed

    with pytest.MonkeyPatch.context() as patch:
        for name in ("commit", "create"):
            patch.setattr(atomic, name, counted(getattr(atomic, name)))
        yield


def kill_9(recipe: Path, home: Path, only: tuple[str, ...], written: int) -> bool:
    """Run in a process of its own, which kills itself after so many writes; whether it came that far."""
    given = json.dumps([str(recipe), str(home), only, written])
    process = subprocess.run([sys.executable, __file__, given], capture_output=True, text=True, check=False)
    assert process.returncode in (0, 1, -signal.SIGKILL), process.stderr
    return process.returncode == -signal.SIGKILL


if __name__ == "__main__":
    from edited_home import read_films

    from pipelines.run import RunFailed, run
    from videozoomer.settings import load_recipe
    from videozoomer.video import ingest

    recipe, home, only, written = json.loads(sys.argv[1])
    ingest.ingest_many = read_films
    with killed_after(written, Path(home), lambda: os.kill(os.getpid(), signal.SIGKILL)):
        try:
            run(load_recipe(recipe), only=only)
        except RunFailed:
            sys.exit(1)
