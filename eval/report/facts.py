"""What the report needs beyond the tables. All of it is optional: what is absent is said to be absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ReportFacts:
    recipe_name: str | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the protocol, by name."""
    teacher: Mapping[str, Any] = field(default_factory=dict)
    """Server, model, temperature; never a key."""
    shard_folders: Mapping[str, Path] = field(default_factory=dict)
    """Kind of data set -> its folder, which holds manifest.json once it is written."""
    training_folder: Path | None = None
    """Folder with metrics.jsonl and summary.json."""
    calls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Stage -> its counts of calls, replays, failures, tokens and dollars."""
    trajectories: str | None = None
    """Address of the trajectory browser, relative to the report."""
    made_at: str | None = None
    """Date and time to print; the report never reads the clock."""
    rl_folder: Path | None = None
    """Folder with metrics.jsonl and summary.json of a training by reinforcement; null where none was run."""


class FactsError(ValueError):
    """A file that the report was pointed to cannot be read; the message names it and what to do."""


def read_json(path: Path) -> Any:
    """Contents of a JSON file, or None where there is no such file.

    Raises:
        FactsError: the file is there but is no JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise FactsError(f"{path} is not valid JSON ({error}); write it again by materialising its asset") from error


def read_json_lines(path: Path) -> list[dict] | None:
    """Rows of a JSON-lines file, or None where there is no such file; the same errors as `read_json`."""
    if not path.is_file():
        return None
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise FactsError(
            f"{path} has a line that is not valid JSON ({error}); write it again by training again"
        ) from error
