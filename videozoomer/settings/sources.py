"""The list `sources`: where videos and questions come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from videozoomer.settings.base import Settings


class Source(Settings):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    """Short name of the source: lower-case letters, digits and `_`; it begins the names of its batches and
    questions."""
    videos: str
    """Videos: a folder (searched recursively), a glob, one file, or a .txt file with one path or URL a line; fsspec
    URLs such as s3:// work too."""
    questions: str
    """Question file (.jsonl, .json, .csv or .parquet) with the columns video, question and answer, and optionally id,
    options, type (choice, number, time, yes_no, order, text), topic and evidence ([[start_s, end_s], ...])."""
    split: Literal["train", "evaluation"] = "train"
    """Use of the source: `train` or `evaluation`. A video must not be in both; data sets refuse one that is."""
