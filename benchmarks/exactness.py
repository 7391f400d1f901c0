"""Whether the frames that are served are the right ones, on any folder of videos: a straight decode of each file is the
oracle, which seeks nowhere and skips nothing.

python -m benchmarks.exactness FOLDER

For every file that ingest accepts, frames are read at the start, in the middle and at the end of what they are on the
screen for: from the source, one by one and as zooms of 16; from the zoom store; and as the overview has them. Time and
picture must be the oracle's. What ingest does not accept is counted by its reason. Exit code 1 if a frame is wrong.

The pictures of both sides are encoded by the same code: this compares which frame is served, not its colours.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

from videozoomer.protocol.protocol import Protocol
from videozoomer.sources.listing import list_place
from videozoomer.video.ingest import Ingested, IngestSettings, ingest_many
from videozoomer.video.opening import open_container
from videozoomer.video.picture import FrameEncoder, orientation_of
from videozoomer.video.reader import ReaderPool
from videozoomer.video.streams import video_stream
from videozoomer.video.types import Frame, FrameError

ZOOM = 16
"""Frames of a zoom."""
app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass
class Outcome:
    """What was found for one file."""

    name: str
    reason: str = "ok"
    """`ok`, or the reason of its quarantine; `no_oracle` if a straight decode fails where ingest does not."""
    compared: Counter[str] = field(default_factory=Counter)
    """Frames by where they came from: source, zoom, store, overview."""
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Frames that were not served, with the error."""


@dataclass(frozen=True)
class Oracle:
    """A straight decode: when each frame is on the screen, and the pictures of some."""

    starts_s: tuple[float, ...]
    end_s: float
    pictures: dict[int, str]
    """Frame id by number."""

    def expected(self, time_s: float) -> int:
        # Products of ticks are not exact: 14 s may be 14.000000000000002.
        return max(0, bisect_right(self.starts_s, time_s + 1e-7) - 1)


def straight_decode(uri: str, index: int | None, protocol: Protocol, every: int, zero_s: float) -> Oracle:
    """Decode a stream from its first packet to its last; encode every so many frames from the one at `zero_s` on.

    Frames before it are leading pictures whose references are not in the file: a decoder shows them all the same.

    Raises:
        av.error.FFmpegError, ValueError, OSError: as the decoder does.
    """
    encoder = FrameEncoder(protocol.min_pixels, protocol.max_pixels)
    pts: list[int] = []
    pictures: dict[int, str] = {}
    with open_container(uri) as container:
        stream = video_stream(container, index)
        if stream is None or stream.time_base is None:
            raise ValueError("it has no video stream with times")
        stream.thread_type = "AUTO"
        aspect = float(stream.sample_aspect_ratio or 1) or 1.0
        orientation, last = None, 0
        for frame in container.decode(stream):
            orientation = orientation or orientation_of(frame)
            if frame.pts is None:
                raise ValueError("a frame has no time")
            if not pts and float(frame.pts * stream.time_base) < zero_s - 1e-4:
                continue
            if len(pts) % every == 0:
                pictures[len(pts)] = encoder.encode(frame, aspect, orientation).frame_id
            pts.append(frame.pts)
            last = frame.duration or 0
        tick = float(stream.time_base)
    return Oracle(tuple((value - pts[0]) * tick for value in pts), (pts[-1] - pts[0] + last) * tick, pictures)


def times_of(oracle: Oracle) -> list[tuple[float, int]]:
    """Times to ask for, with the number of the frame on the screen: start, middle and end of each encoded frame."""
    asked = []
    for number in sorted(oracle.pictures):
        start_s = oracle.starts_s[number]
        until_s = oracle.starts_s[number + 1] if number + 1 < len(oracle.starts_s) else max(oracle.end_s, start_s)
        # A clock may round a frame's start; a millionth of a second later it is on the screen by any.
        asked += [(start_s + 1e-6, number), ((start_s + until_s) / 2, number), (until_s - 1e-4, number)]
    return [(time_s, number) for time_s, number in asked if oracle.expected(time_s) == number and time_s >= 0]


def check(made: Ingested, settings: IngestSettings, samples: int) -> Outcome:
    """Compare what is served of one file with its straight decode."""
    record = made.record
    outcome = Outcome(record.uri, record.reason or "ok")
    if record.status != "ok":
        return outcome
    every = max(1, (record.frames or 0) // samples)
    protocol = settings.protocol
    try:
        oracle = straight_decode(record.uri, record.stream_index, protocol, every, record.start_offset_s or 0.0)
    except (OSError, ValueError, IndexError) as error:
        outcome.reason = "no_oracle"
        outcome.refused.append(str(error))
        return outcome
    asked = times_of(oracle)
    limits = protocol.min_pixels, protocol.max_pixels
    with ReaderPool(*limits) as plain, ReaderPool(*limits, zoom_store_dir=settings.zoom_store_dir) as stored:
        _compare(outcome, oracle, "source", _one_by_one(plain, record.uri, asked[:: max(1, len(asked) // samples)]))
        _compare(outcome, oracle, "zoom", _as_zooms(plain, record.uri, asked))
        before = stored.counts.stored
        _compare(outcome, oracle, "store", _as_zooms(stored, record.uri, asked))
        outcome.compared["from the store itself"] += stored.counts.stored - before
    shown = [(frame.requested_s, oracle.expected(frame.requested_s), frame) for frame in made.overview]
    _compare(outcome, oracle, "overview", shown)
    return outcome


Answer = tuple[float, int, Frame | FrameError]


def _one_by_one(pool: ReaderPool, uri: str, asked: Sequence[tuple[float, int]]) -> Iterator[Answer]:
    # From the end to the start: every frame is a seek of its own.
    for time_s, number in reversed(asked):
        try:
            yield time_s, number, pool.frames_at(uri, [time_s])[0]
        except FrameError as error:
            yield time_s, number, error


def _as_zooms(pool: ReaderPool, uri: str, asked: Sequence[tuple[float, int]]) -> Iterator[Answer]:
    for first in range(0, len(asked), ZOOM):
        part = asked[first : first + ZOOM]
        try:
            frames: Iterable[Frame] = pool.frames_at(uri, [time_s for time_s, _ in part])
            yield from ((time_s, number, frame) for (time_s, number), frame in zip(part, frames, strict=True))
        except FrameError:
            yield from _one_by_one(pool, uri, part)


def _compare(outcome: Outcome, oracle: Oracle, where: str, answers: Iterable[Answer]) -> None:
    for time_s, number, served in answers:
        if isinstance(served, FrameError):
            outcome.refused.append(f"{where}: {served}")
            continue
        outcome.compared[where] += 1
        start_s = oracle.starts_s[number]
        picture = oracle.pictures.get(number)
        if abs(served.time_s - start_s) > 1e-4:
            outcome.wrong.append(f"{where} at {time_s:.6f} s: the frame of {served.time_s:.6f}, not of {start_s:.6f}")
        elif picture is not None and served.frame_id != picture:
            outcome.wrong.append(f"{where} at {time_s:.6f} s: another picture than that of frame {number}")


def outcomes(uris: Sequence[str], store: Path, *, samples: int = 150, workers: int = 2) -> Iterator[Outcome]:
    """Ingest the files and check each in a process of its own."""
    settings = IngestSettings(zoom_store_fps=8.0, zoom_store_dir=str(store))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        running: deque[Future[Outcome]] = deque()
        for made in ingest_many(uris, settings, workers=workers):
            running.append(processes.submit(check, made, settings, samples))
            while running and running[0].done():
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


@app.command()
def main(
    folder: Annotated[str, typer.Argument(help="A folder, a glob, or a .txt list of videos.")],
    samples: Annotated[int, typer.Option(help="About how many frames of each file are compared.")] = 150,
    workers: int = 2,
    details: Annotated[int, typer.Option(help="Wrong and refused frames to print, per file.")] = 3,
) -> None:
    """Compare every file of a folder with its straight decode."""
    reasons: Counter[str] = Counter()
    compared: Counter[str] = Counter()
    wrong = refused = 0
    with tempfile.TemporaryDirectory() as store:
        uris = [item.uri for item in list_place(folder).offered]
        for outcome in outcomes(uris, Path(store), samples=samples, workers=workers):
            reasons[outcome.reason] += 1
            compared += outcome.compared
            wrong += len(outcome.wrong)
            refused += len(outcome.refused)
            for kind, found in (("wrong", outcome.wrong), ("refused", outcome.refused)):
                for line in found[:details]:
                    print(f"{kind} ({len(found)}) {outcome.name}: {line}", flush=True)
    print(f"{len(uris)} files: " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))
    print("frames compared: " + ", ".join(f"{count:,} {where}" for where, count in compared.most_common()))
    print(f"wrong frames: {wrong}; refused with an error: {refused}")
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    app()
