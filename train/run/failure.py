"""How a training process tells what started it why it failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from videozoomer.lake.atomic import write_text

FAILURE = "failure.json"
"""File in the output folder with the error of a process that failed; of several processes, the first one's."""


class NothingToTrainOn(ValueError):
    """The data set has no row that can be trained on; the message says why."""


@dataclass(frozen=True)
class Failure:
    kind: str
    """Name of the exception's class."""
    message: str


@contextmanager
def recorded_failure(out: Path) -> Iterator[None]:
    """Write the error that ends the block to FAILURE; a stop by the user is none."""
    try:
        yield
    except Exception as error:
        if not (out / FAILURE).exists():
            out.mkdir(parents=True, exist_ok=True)
            own = type(error).__module__.partition(".")[0] in ("train", "videozoomer", "distill", "eval", "filters")
            kind, text = type(error).__name__, str(error).strip()
            told = Failure(kind, text if own and text else f"{kind}: {text}" if text else kind)
            write_text(out / FAILURE, json.dumps(asdict(told)))
        raise
