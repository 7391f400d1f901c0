"""The list `sources`: where videos and questions come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from videozoomer.settings.base import PositiveNumber, Settings

Role = Literal["video", "question", "answer", "options", "id", "type", "topic", "evidence", "clip_start", "clip_end"]

Split = Literal["train", "evaluation"]
UNSET: dict[str, Any] = {"answers": None, "columns": {}, "index_base": None, "frames_rate": None}


class Source(Settings):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    """Short name of the source: lower-case letters, digits and `_`; it begins the names of its batches and
    questions."""
    videos: str
    """Videos: a folder (searched recursively), a glob, one file, or a .txt file with one path or URL a line. A .zip,
    .tar or .parquet archive stands for the films in it, and `zip://season1/*.mp4::films.zip` for some of them. In a
    folder, an HLS playlist (.m3u8) with its segments is one film. fsspec URLs such as s3:// work too."""
    frames_rate: PositiveNumber | Annotated[str, Field(pattern=r"^[1-9]\d*(/[1-9]\d*)?$")] | None = None
    """Pictures per second of folders of numbered pictures (`frame_000001.jpg`), each of which is then a film: 25, or
    30000/1001. A file `frames.yaml` beside the pictures (`rate: 25`) comes first; without a rate they are passed
    over."""
    questions: str
    """Question file (.jsonl, .json, .csv, .tsv or .parquet; also a .tar with a JSON beside each film; a glob takes
    several) with the columns video, question and answer, and optionally
    id, options, type (choice, number, time, yes_no, order, text), topic and evidence ([[start_s, end_s], ...])."""
    answers: str | None = None
    """File of right answers, where the question file has none: an object from a question's id to its answer, or rows
    with id and answer. `columns: {id: ...}` names the id where it is not found."""
    columns: dict[Role, str | None] = Field(default={})
    """Columns of the question file that have other names: `{question: problem, answer: solution}`; null where the file
    has none, such as `{options: null}` for open questions. The published layouts and usual names are known without.
    `clip_start` and `clip_end` are the part of the film that a question is about."""
    index_base: Literal[0, 1] | None = None
    """What the index of the first option is, where answers are indices; null settles it from the file: one with a 0
    counts from 0, one with the number of options from 1."""
    split: Split = "train"
    """Use of the source: `train` or `evaluation`. A video must not be in both; data sets refuse one that is."""

    def _left_out(self) -> frozenset[str]:
        """Fields that change nothing where they are not set, so that older recipes keep their digest."""
        unset = {name for name, empty in UNSET.items() if getattr(self, name) == empty}
        return super()._left_out() | unset
