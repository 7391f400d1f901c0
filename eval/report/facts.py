"""Inputs of the report beyond the tables. All are optional; the report lists those that are missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from videozoomer.lake.lake import Lake


@dataclass(frozen=True, slots=True)
class ReportFacts:
    recipe_name: str | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """Protocol settings by name."""
    teacher: Mapping[str, Any] = field(default_factory=dict)
    """Server, model and temperature; never an API key."""
    shard_folders: Mapping[str, Path] = field(default_factory=dict)
    """Kind of data set -> its folder, which contains manifest.json once it is written."""
    training_folder: Path | None = None
    """Folder with metrics.jsonl and summary.json of supervised fine-tuning."""
    calls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Stage -> its counts of calls, replays, failures, tokens and US dollars."""
    trajectories: str | None = None
    """URL of the trajectory browser relative to the report."""
    made_at: str | None = None
    """Date and time to print; the report itself never reads the clock."""
    untrained: str | None = None
    """Why no policy was trained, where that is known."""
    evaluated: Sequence[str] | None = None
    """Partitions of `evaluations` that this run's recipe makes; None takes all. A home keeps those of earlier ones."""
    rl_folder: Path | None = None
    """Folder with metrics.jsonl and summary.json of reinforcement learning; None if it was not run."""


def evaluations_of(lake: Lake, facts: ReportFacts) -> pl.DataFrame:
    """Rows of `evaluations` that belong to this run."""
    if facts.evaluated is None:
        return lake.read("evaluations")
    return lake.read("evaluations", [name for name in lake.partitions("evaluations") if name in facts.evaluated])


class FactsError(ValueError):
    """An input file of the report cannot be read; the message names it and what to do."""


def read_json(path: Path) -> Any:
    """Contents of a JSON file, or None if the file does not exist.

    Raises:
        FactsError: the file is not valid JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise FactsError(f"{path} is not valid JSON ({error}); materialise its asset again") from error


def read_json_lines(path: Path) -> list[dict] | None:
    """Rows of a JSON-lines file, or None if the file does not exist. Raises the same errors as `read_json`."""
    if not path.is_file():
        return None
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise FactsError(f"{path} has a line that is not valid JSON ({error}); run the training again") from error
