"""For tests of edits: films that are text files, a stand-in for reading them, and a home that follows each edit."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import yaml
from PIL import Image

from pipelines.run import run
from videozoomer.lake import Lake
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.settings import Recipe, load_recipe
from videozoomer.video.settings import Ingested
from videozoomer.video.types import Frame, Shot, VideoRecord

WANTED = ("verdicts", "question_stats", "funnel", "leaks")
"""With what they are made from: every table but those of training and evaluation."""
TABLES = (
    "questions", "videos", "shots", "overviews", "frames", "trajectories", "grades", "leaks", "verdicts",
    "question_stats", "funnel",
)  # fmt: skip


def picture(text: str) -> bytes:
    out = io.BytesIO()
    red, green, blue = hashlib.sha256(text.encode()).digest()[:3]
    Image.new("RGB", (8, 8), (red, green, blue)).save(out, "JPEG")
    return out.getvalue()


def read_films(uris: Sequence[str], *settings: object, **limits: object) -> Iterator[Ingested]:
    """Stands for `ingest_many`: a film's text decides its id and its pictures; `damaged` cannot be read."""
    for uri in uris:
        text = Path(uri).read_text()
        if text == "damaged":
            yield Ingested(VideoRecord(uri, "quarantined", reason="damaged", detail="damaged"))
            continue
        jpeg, name = picture(text), hashlib.sha256(text.encode()).hexdigest()[:16]
        frames = tuple(Frame(frame_id_of(jpeg), time_s, time_s, 8, 8, jpeg) for time_s in (0.0, 0.5))
        record = VideoRecord(uri, "ok", name, width=8, height=8, duration_s=1.0, keyframes_s=(0.0,))
        yield Ingested(record, (Shot(0, 0.0, 1.0),), "none", frames, "uniform")


class EditedHome:
    """A folder of films and questions that a user edits, and the home that follows. One film a batch."""

    def __init__(self, folder: Path, teacher_url: str) -> None:
        self.folder, self.teacher_url = folder, teacher_url
        self.questions: dict[str, dict[str, object]] = {}
        self.settings: dict[str, dict[str, object]] = {
            "video": {"batch_size": 1, "failed_share": 1.0},
            "distill": {"samples": 1},
            "filters": {},
        }
        (folder / "videos").mkdir(parents=True)

    def film(self, name: str) -> Path:
        return self.folder / "videos" / f"{name}.mp4"

    def ask(self, number: int, film: str, answer: str) -> None:
        self.questions[f"q{number}"] = {
            "id": f"q{number}",
            "video": f"{film}.mp4",
            "question": f"Which letter is in picture {number}?",
            "options": ["first", "second"],
            "answer": answer,
        }

    def recipe(self, home: Path, url: str | None = None) -> Recipe:
        lines = [json.dumps(row) for row in self.questions.values()]
        (self.folder / "questions.jsonl").write_text("".join(line + "\n" for line in lines))
        source = {
            "name": "films",
            "videos": str(self.folder / "videos"),
            "questions": str(self.folder / "questions.jsonl"),
        }
        teacher = {"base_url": url or self.teacher_url, "identity": "teacher", "model": "rule-player", "retries": 0}
        path = self.folder / "recipe.yaml"
        recipe = {"name": "test", "home": str(home), "sources": [source], "teacher": teacher, **self.settings}
        path.write_text(yaml.safe_dump(recipe))
        return load_recipe(path)

    def run(self, home: Path | None = None, url: str | None = None) -> set[tuple[str, str]]:
        """Bring the home up to date and return what was made."""
        return set(run(self.recipe(home or self.folder / "home", url), only=WANTED_AND_BEFORE).materialized)

    def batch_of(self, film: str) -> str:
        files = Lake(self.folder / "home" / "tables").read("files")
        return files.filter(pl.col("uri") == str(self.film(film)))["batch"].item()


WANTED_AND_BEFORE = (
    "sources", "questions", "videos", "shots", "overviews", "probes", "exemplars", "probe_grades", "exemplar_grades",
    "reflections", "reflection_grades", *WANTED,
)  # fmt: skip


def contents(home: Path) -> dict[str, list[str]]:
    """All rows of the tables, without the numbers of batches: these depend on the order in which films came."""
    lake = Lake(home / "tables")
    rows = {}
    for name in TABLES:
        table = lake.read(name)
        texts = {json.dumps(row, sort_keys=True, default=repr) for row in table.drop("batch", strict=False).to_dicts()}
        rows[name] = sorted(re.sub(r"films-\d{4}", "films", text) for text in texts)
    return rows
