"""The proof's films, ingested by the pipeline: overviews, and every shown frame by id."""

from __future__ import annotations

import hashlib
import itertools
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.proof.teacher import ask
from experiments.proof.world import FPS, GLYPH_S, Film, Scene, World, make_films
from videozoomer.lake.atomic import write_bytes
from videozoomer.lake.rows import FrameRow
from videozoomer.protocol import FrameRef, Message
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.message_rows import to_rows
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import Recipe
from videozoomer.shards.manifest import Manifest
from videozoomer.shards.schema import frame_ids
from videozoomer.shards.write import write_dataset
from videozoomer.video.ingest import IngestSettings, ingest_many
from videozoomer.video.overview import overview_times
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import Frame

MAX_ROWS = 4000


class Library:
    """The films of one split. Use it as a context manager: it keeps readers open."""

    def __init__(self, folder: Path, split: str, count: int, recipe: Recipe, *, seed: int, world: World) -> None:
        self.films = make_films(folder, split, count, seed, world)
        self.split = split
        protocol = recipe.protocol
        self._size = (protocol.min_pixels, protocol.max_pixels)
        settings = IngestSettings(protocol.to_protocol())
        self._played_by = {"protocol": protocol.to_protocol().to_dict(), "prompt_version": protocol.prompts}
        self._frames: dict[str, FrameRow] = {}
        self._video_ids: dict[str, str] = {}
        self._overviews: dict[str, list[FrameRef]] = {}
        self.duration_s: dict[str, float] = {}
        for uri, (video_id, duration_s, overview) in self._ingested(
            folder / f"{split}-{count}-{seed}-{self._stamp(settings)}.pickle", settings
        ).items():
            self._video_ids[uri], self.duration_s[uri] = video_id, duration_s
            self._overviews[uri] = self._kept(uri, overview)
        self.readers = ReaderPool(*self._size)

    def _stamp(self, settings: IngestSettings) -> str:
        """Hash of ingest settings and files: a change to either is ingested again."""
        written = [(film.path.name, film.path.stat().st_size, film.path.stat().st_mtime_ns) for film in self.films]
        return hashlib.sha256(repr((settings, written)).encode()).hexdigest()[:12]

    def _ingested(self, cache: Path, settings: IngestSettings) -> dict[str, tuple[str, float, Sequence[Frame]]]:
        """Id, duration and overview of each film, ingested once for all seeds."""
        if cache.is_file():
            return pickle.loads(cache.read_bytes())
        read: dict[str, tuple[str, float, Sequence[Frame]]] = {}
        for found in ingest_many([str(film.path) for film in self.films], settings):
            record = found.record
            if record.video_id is None or record.duration_s is None:
                raise RuntimeError(
                    f"{record.uri} could not be read: {record.reason} ({record.detail}); delete it and run again"
                )
            read[record.uri] = (record.video_id, record.duration_s, found.overview)
        write_bytes(cache, pickle.dumps(read))
        return read

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.readers.close()

    def overview(self, film: Film, frames: int | None = None) -> list[FrameRef]:
        """The ingested overview, or `frames` uniformly spaced frames."""
        uri = str(film.path)
        if frames is None:
            return self._overviews[uri]
        times = overview_times(self.duration_s[uri], fps=frames / self.duration_s[uri], max_frames=frames)
        return self.frames_for(uri, times)

    def frames_for(self, uri: str, times_s: Sequence[float]) -> list[FrameRef]:
        return self._kept(uri, self.readers.frames_at(uri, times_s))

    def jpeg(self, frame_id: str) -> bytes:
        return self._frames[frame_id]["jpeg"]

    def questions(
        self, films: Iterable[Film], *, frames: int | None = None, each: int | None = None
    ) -> list[PlayableQuestion]:
        """A question about each scene; `each` limits the scenes taken from a film."""
        return [
            self._question(film, number, scene, frames)
            for film in films
            for number, scene in enumerate(film.scenes[:each])
        ]

    def _question(self, film: Film, number: int, scene: Scene, frames: int | None) -> PlayableQuestion:
        uri = str(film.path)
        return PlayableQuestion(
            question_id=f"{film.path.stem}-{number}",
            video_uri=uri,
            split="evaluation" if self.split == "test" else "train",
            question=ask(scene.name),
            answer=scene.disc,
            answer_type="text",
            topic="glyph",
            # A window is closed: it ends with the last frame that shows the disc.
            evidence=(Window(scene.disc_s, scene.disc_s + GLYPH_S - 1 / FPS),),
            video_id=self._video_ids[uri],
            batch=self.split,
            duration_s=self.duration_s[uri],
            overview=tuple(self.overview(film, frames)),
        )

    def conversation(
        self, name: str, film: Film, kind: str, messages: Sequence[Message], *, zooms: int = 0, answer: str = ""
    ) -> dict:
        """One row of an SFT data set."""
        return {
            "id": name,
            "question_id": name,
            "video_id": self._video_ids[str(film.path)],
            "kind": kind,
            "split": "train",
            "messages": to_rows(messages),
            "zooms": zooms,
            "answer": answer,
        }

    def write_questions(self, target: Path, questions: Sequence[PlayableQuestion], about: dict) -> Manifest:
        """Write an RL data set; the teacher was not asked, so its pass rate is unknown."""
        asked: dict = {"pass_rate": None, "valid": 0, "correct": 0, "evidence_source": "given"}
        return self.write("rl", target, [question.to_shard_row() | asked for question in questions], about)

    def write(self, kind: str, target: Path, rows: list[dict], about: dict) -> Manifest:
        shown = dict.fromkeys(itertools.chain.from_iterable(frame_ids(kind, row) for row in rows))
        frames = (self._frames[frame_id] for frame_id in shown)
        return write_dataset(kind, target, rows, frames, about=about | self._played_by, max_rows=MAX_ROWS)

    def _kept(self, uri: str, frames: Sequence[Frame]) -> list[FrameRef]:
        for frame in frames:
            row: FrameRow = {
                "frame_id": frame.frame_id,
                "video_id": self._video_ids[uri],
                "time_s": frame.time_s,
                "width": frame.width,
                "height": frame.height,
                "jpeg": frame.jpeg,
            }
            self._frames.setdefault(frame.frame_id, row)
        return [FrameRef(frame.frame_id, frame.time_s) for frame in frames]
