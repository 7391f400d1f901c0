"""Questions of evaluation sets that a recipe names as plain files: they are compared, never played."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import fsspec
import polars as pl

from videozoomer.settings.sources import Source
from videozoomer.sources.files import SourceError
from videozoomer.sources.questions import read_source
from videozoomer.sources.reading import question_files

FILM_ALONE = frozenset(
    ("unknown_video", "no_video", "ambiguous_video", "several_videos", "part_of_film", "bad_evidence")
)
"""Reasons for which a question cannot be played, but can be compared."""


def read_files(places: Sequence[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows of table `questions` that can be compared, and how many of each file cannot.

    Raises:
        SourceError: a file cannot be read, or its columns are not understood.
    """
    rows, unusable = [], {}
    for place in places:
        name = re.sub(r"[^a-z0-9]+", "_", PurePosixPath(place).stem.lower()).strip("_") or "evaluation"
        source = Source.model_construct(name=name, videos="", questions=place, split="evaluation")
        read = [row for row in read_source(source, []).rows if row["question"] and row["answer"]]
        usable = [row for row in read if row["reason"] is None or row["reason"] in FILM_ALONE]
        unusable[place] = len(read) - len(usable)
        rows += [{**row, "question_id": f"{place}#{row['question_id']}", "source": place} for row in usable]
    columns = ("question_id", "source", "video_uri", "question", "options", "answer")
    schema = {name: pl.List(pl.String) if name == "options" else pl.String() for name in columns}
    return pl.DataFrame([{name: row[name] for name in columns} for row in rows], schema=schema), unusable


def digest(places: Sequence[str]) -> str:
    """Hash of the files' content.

    Raises:
        SourceError: a file does not exist.
    """
    found = hashlib.sha256()
    for place in places:
        for file in question_files(place):
            try:
                with fsspec.open(file, "rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").hexdigest()
            except FileNotFoundError as error:
                raise SourceError(f"question file {file} does not exist; check filters.evaluation_questions") from error
            found.update(json.dumps([file, content]).encode())
    return found.hexdigest()[:16]
