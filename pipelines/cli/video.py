"""`videozoomer video`: read a video as the pipeline does, one file at a time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipelines.cli.output import console, reported, stop

if TYPE_CHECKING:
    from videozoomer.video.settings import Ingested, IngestSettings
    from videozoomer.video.types import BadSpan, Frame

app = typer.Typer(
    help="Read a video as the pipeline does: probe it, extract frames, find shots, cut a clip.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
NOT_READABLE = 1
"""Exit code when a video or frame cannot be read. A wrong option exits with 2."""

_SPANS = 8
"""Bad spans that `probe` prints of a damaged file."""

FILE = Annotated[str, typer.Argument(help="Path or fsspec URL of the video.")]
STREAM = Annotated[
    int | None,
    typer.Option(min=0, help="Video stream, by its position among all streams; by default the one FFmpeg would take."),
]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SHEET = Annotated[Path | None, typer.Option(help="Write a contact sheet to this JPEG.")]


@app.command()
def probe(
    files: Annotated[list[str], typer.Argument(help="Paths or fsspec URLs of videos.")],
    stream: STREAM = None,
    as_json: JSON = False,
    timeout_s: Annotated[float, typer.Option(help="Maximum CPU time for one file, in seconds.")] = 120.0,
) -> None:
    """Print the properties of each file and whether it can be read; exit with 1 when one cannot.

    Examples:

    - `videozoomer video probe talk.mp4`
    - `videozoomer video probe *.mp4 --json | jq -r 'select(.status != "ok") | .uri'` - prints one JSON object per line
    """
    from videozoomer.video.ingest import inspect_many

    readable = True
    for result in inspect_many(files, timeout_s=timeout_s, stream=stream):
        readable &= result.status == "ok"
        facts = dataclasses.asdict(result)
        if as_json:
            print(json.dumps(facts))
        else:
            console.print(facts.pop("uri"), soft_wrap=True)
            console.print(_facts_table(facts))
    if not readable:
        raise typer.Exit(NOT_READABLE)


@app.command()
def frames(
    file: FILE,
    at: Annotated[list[float] | None, typer.Option(min=0, help="A time in seconds (repeatable).")] = None,
    start: Annotated[float | None, typer.Option(help="Start of a zoom, in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="End of a zoom, in seconds.")] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of a zoom.", min=0.001)] = 2.0,
    overview: Annotated[bool, typer.Option("--overview", help="The frames of the overview (the glance).")] = False,
    out: Annotated[Path | None, typer.Option(help="Write each frame as a JPEG to this folder.")] = None,
    sheet: SHEET = None,
    stream: STREAM = None,
    as_json: JSON = False,
) -> None:
    """Extract the frames shown at given times, byte for byte as a teacher or a policy receives them.

    Examples:

    - `videozoomer video frames talk.mp4 --at 12.5 --at 61 --out frames/`
    - `videozoomer video frames talk.mp4 --start 120 --end 124 --fps 4 --sheet zoom.jpg`
    - `videozoomer video frames talk.mp4 --overview --sheet glance.jpg`
    """
    from videozoomer.protocol import Protocol
    from videozoomer.video.reader import ReaderPool
    from videozoomer.video.types import FrameError

    times_s = list(at or [])
    if (start is None) != (end is None):
        raise typer.BadParameter("a zoom needs both --start and --end")
    if start is not None and end is not None:
        from videozoomer.protocol.protocol import zoom_times

        if end <= start:
            raise typer.BadParameter(f"the zoom ends at {end:g} s, before it starts at {start:g} s")
        times_s += zoom_times(start, end, fps)
    if overview:
        times_s += _overview_times(file, stream)
    if not times_s:
        raise typer.BadParameter("name the frames: --at, --start and --end, or --overview")
    protocol = Protocol()
    limits = protocol.min_pixels, protocol.max_pixels
    with reported(FrameError):
        try:
            with ReaderPool(*limits, stream=stream) as pool:
                found = pool.frames_at(file, times_s)
        except FrameError:
            if not (spans := _bad_spans(file, stream)):
                raise
            with ReaderPool(*limits, stream=stream, bad_spans={file: spans}) as pool:
                found = pool.frames_at(file, times_s)
    written = _write_frames(found, out) if out else [None] * len(found)
    _write_sheet(found, sheet)
    rows = [
        {
            "requested_s": f.requested_s,
            "time_s": f.time_s,
            "frame_id": f.frame_id,
            "width": f.width,
            "height": f.height,
            "bytes": len(f.jpeg),
            "file": str(path) if path else None,
        }
        for f, path in zip(found, written, strict=True)
    ]
    _print_rows(rows, as_json)


@app.command()
def shots(
    file: FILE,
    detector: Annotated[
        list[str] | None, typer.Option(help="adaptive, content, hash, histogram, threshold or transnet (repeatable).")
    ] = None,
    sheet: SHEET = None,
    stream: STREAM = None,
    as_json: JSON = False,
) -> None:
    """Find the shots of a video; the contact sheet shows the middle frame of each.

    Examples:

    - `videozoomer video shots film.mp4 --sheet shots.jpg`
    - `videozoomer video shots film.mp4 --detector histogram --detector threshold --json`
    """
    from videozoomer.video.settings import DETECTORS, IngestSettings

    unknown = set(detector or ()) - set(DETECTORS)
    if unknown:
        raise typer.BadParameter(f"no detector {', '.join(sorted(unknown))}; choose from {', '.join(DETECTORS)}")
    with reported(ValueError):
        settings = IngestSettings(stream=stream)
        if detector:
            settings = dataclasses.replace(settings, detectors=tuple(detector))
    result = _ingested(file, settings)
    if sheet:
        from videozoomer.video.reader import ReaderPool

        with ReaderPool(settings.protocol.min_pixels, settings.protocol.max_pixels, stream=stream) as pool:
            middles = [(shot.start_s + shot.end_s) / 2 for shot in result.shots]
            _write_sheet(pool.frames_at(file, middles), sheet)
    if not as_json:
        console.print(f"{len(result.shots)} shots by {result.detector}")
    _print_rows([dataclasses.asdict(shot) for shot in result.shots], as_json)


@app.command()
def clip(
    file: FILE,
    start: Annotated[float, typer.Argument(help="Start in seconds.")],
    end: Annotated[float, typer.Argument(help="End in seconds.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the MP4.")],
    width: Annotated[int, typer.Option(help="Maximum width in pixels.", min=16)] = 640,
    stream: STREAM = None,
    as_json: JSON = False,
) -> None:
    """Cut a small MP4 to watch.

    Example: `videozoomer video clip film.mp4 61.5 75 -o scene.mp4`
    """
    from videozoomer.video.clip import ClipError, write_clip

    with reported(ClipError):
        written = write_clip(file, start, end, out, max_width=width, stream=stream)
    size = written.stat().st_size
    if as_json:
        _print_rows([{"file": str(written), "start_s": start, "end_s": end, "bytes": size}], as_json)
    else:
        console.print(f"wrote {written} ({size} bytes)", soft_wrap=True)


def _bad_spans(file: str, stream: int | None) -> Sequence[BadSpan]:
    """What of a damaged file cannot be read; it is decoded whole to learn that."""
    from videozoomer.video.ingest import inspect_many

    (result,) = inspect_many([file], workers=1, timeout_s=3600, stream=stream)
    return result.bad_spans


def _ingested(file: str, settings: IngestSettings) -> Ingested:
    from videozoomer.video.ingest import ingest_many

    (result,) = ingest_many([file], settings, workers=1)
    if result.record.status != "ok":
        raise stop(f"{file}: {result.record.reason}: {result.record.detail}")
    return result


def _overview_times(file: str, stream: int | None) -> list[float]:
    from videozoomer.video.ingest import inspect_many
    from videozoomer.video.overview import overview_times

    (result,) = inspect_many([file], workers=1, stream=stream)
    if result.status != "ok" or not result.duration_s:
        raise stop(f"{file}: {result.reason or 'no duration'}: {result.detail or 'the file declares none'}")
    return overview_times(result.duration_s)


def _write_frames(found: Sequence[Frame], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, frame in enumerate(found):
        paths.append(folder / f"{index:03d}-{frame.time_s:.3f}s.jpg")
        paths[-1].write_bytes(frame.jpeg)
    return paths


def _write_sheet(found: Sequence[Frame], target: Path | None) -> None:
    if target is not None:
        from eval.figures import contact_sheet

        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(contact_sheet([(frame.time_s, frame.jpeg) for frame in found], 8))


def _print_rows(rows: Sequence[dict], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(*rows[0]) if rows else Table()
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    console.print(table)


def _facts_table(facts: dict) -> Table:
    keyframes = facts.pop("keyframes_s")
    if keyframes:
        longest = max((after - before for before, after in pairwise(keyframes)), default=0.0)
        facts["keyframes"] = f"{len(keyframes)}, up to {longest:.2f} s apart"
    spans = facts.pop("bad_spans")
    if spans:
        shown = [f"{span['start_s']:.2f} to {span['end_s']:.2f} s ({span['reason']})" for span in spans[:_SPANS]]
        more = f" and {len(spans) - _SPANS} more" if len(spans) > _SPANS else ""
        facts["cannot be read"] = "; ".join(shown) + more
    table = Table(show_header=False)
    for name, value in facts.items():
        if value not in (None, ()):
            table.add_row(name, _shown(value))
    return table


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, tuple | list):
        return ", ".join(_shown(item) for item in value)
    return str(value) if value is not None else ""
