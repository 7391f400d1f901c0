"""Speed of reading videos, as ratios to named alternatives in the same run.

    python -m benchmarks.video                     # everything, on a generated 60-minute file
    python -m benchmarks.video --only zoom overview --rounds 9
    python -m benchmarks.video --only onepass no-shots salvage --pass-minutes 60 --rounds 3   # on the whole hour (long)
    python -m benchmarks.video --only no-shots salvage --size 160x90 --pass-minutes 1 --rounds 1   # whether they run

Costs are CPU seconds of all threads and child processes, medians over rounds. Only `processes` reports wall-clock
seconds, which need two idle cores. Needs decord (`pip install videozoomer[bench]`).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.video_rivals import (
    decode_group,
    decord_frames,
    decord_zoom,
    ffmpeg_null,
    make_video,
    remuxed_ts,
    scenedetect_shots,
    without_packets,
)
from videozoomer.video.ingest import ingest_many
from videozoomer.video.overview import overview_times
from videozoomer.video.preflight import content_hash
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.store import store_path
from videozoomer.video.tasks import ingest_one
from videozoomer.video.worker import load_libraries

LIMITS = (25_088, 100_352)
BATCH = 12
"""Two-minute files in the batch for the `processes` comparison."""
SECTIONS = ("memory", "zoom", "onepass", "salvage", "rivals", "overview", "no-shots", "processes", "six-hours")


def cpu_s() -> float:
    """CPU seconds of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost(work: Callable[[], object]) -> float:
    before = cpu_s()
    work()
    return cpu_s() - before


def medians(rounds: int, **works: Callable[[int], object]) -> dict[str, float]:
    """Median cost of each; rounds are interleaved so that all see the same machine load."""
    costs: dict[str, list[float]] = {name: [] for name in works}
    for index in range(rounds):
        for name, work in works.items():
            costs[name].append(cost(partial(work, index)))
    return {name: statistics.median(values) for name, values in costs.items()}


def zoom(hour: Path, short: Path, folder: Path, rounds: int) -> dict[str, float]:
    """16 frames at 2 fps over 8 s at random places in the hour, as JPEGs of the protocol's size."""
    stores = folder / "stores"
    # The hour's own store exists if `memory` ran before; otherwise use the store of two minutes of it.
    kept = hour if store_path(stores, str(hour)).exists() else short
    if not store_path(stores, str(kept)).exists():
        ingest_one(str(kept), IngestSettings(zoom_store_fps=8, zoom_store_dir=str(stores)))
    rng = random.Random(0)
    # Half-second starts are on the 8 fps grid, like most times models write.
    starts = [rng.randrange(0, 2 * 3580) / 2 for _ in range(rounds)]
    times = [[start + index / 2 for index in range(16)] for start in starts]
    near = times if kept is hour else [[start % 100 + index / 2 for index in range(16)] for start in starts]
    with ReaderPool(*LIMITS) as source, ReaderPool(*LIMITS, zoom_store_dir=stores) as stored:
        source.frames_at(str(hour), [0.0])
        stored.frames_at(str(kept), [0.0])
        result = medians(
            rounds,
            store=lambda index: stored.frames_at(str(kept), near[index]),
            source=lambda index: source.frames_at(str(hour), times[index]),
            bare_decode=lambda index: decode_group(hour, times[index][0], times[index][-1]),
            decord_per_call=lambda index: decord_zoom(hour, times[index], *LIMITS),
        )
        assert stored.counts.decoded == 0
    return result | {
        "decord_over_store": result["decord_per_call"] / result["store"],
        "decord_over_source": result["decord_per_call"] / result["source"],
        "source_over_bare_decode": result["source"] / result["bare_decode"],
    }


def onepass(video: Path, folder: Path, rounds: int) -> dict[str, float]:
    """Shots, overview, signature and an 8 fps zoom store of one file, against FFmpeg's bare decode."""
    settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=str(folder / "pass-stores"))
    content_hash(video)  # Read the file into the page cache so that no side waits for the disk.
    load_libraries()
    records = []
    result = medians(
        rounds,
        one_pass=lambda _: records.append(ingest_one(str(video), settings).record),
        ffmpeg_null=lambda _: ffmpeg_null(video),
    )
    size = store_path(folder / "pass-stores", str(video)).stat().st_size
    return result | {
        "one_pass_over_ffmpeg_null": result["one_pass"] / result["ffmpeg_null"],
        "store_mb_an_hour_at_8_fps": size / (records[-1].duration_s or math.nan) * 3600 / 1e6,
    }


def rivals(video: Path, folder: Path, rounds: int) -> dict[str, float]:
    """The same single pass against PySceneDetect followed by decord, each with its own decode."""
    settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=str(folder / "pass-stores"))

    def one_after_the_other(_: int) -> None:
        scenedetect_shots(video)
        decord_frames(video, settings, *LIMITS)

    load_libraries()
    result = medians(
        rounds, one_pass=lambda _: ingest_one(str(video), settings), scenedetect_then_decord=one_after_the_other
    )
    return result | {"one_after_the_other_over_one_pass": result["scenedetect_then_decord"] / result["one_pass"]}


def overview(hour: Path, rounds: int) -> dict[str, float]:
    """64 frames spread over an hour, against decoding the group of pictures around each."""
    times = overview_times(3600.0, last_frame_s=3599.96)

    def ours(_: int) -> None:
        with ReaderPool(*LIMITS) as pool:
            pool.frames_at(str(hour), times)

    result = medians(
        rounds, overview=ours, their_groups=lambda _: [decode_group(hour, time_s, None) for time_s in times]
    )
    return result | {"overview_over_their_groups": result["overview"] / result["their_groups"]}


def salvage(video: Path, rounds: int) -> dict[str, float]:
    """The single pass with `salvage` on: over a whole film, and over one that lost a kilobyte in its middle.

    Damage costs two more decodes: one finds what is certain, and the last one samples it.
    """
    whole = remuxed_ts(video)
    broken = without_packets(whole)
    load_libraries()
    settings = IngestSettings(salvage=True)
    records = []

    def ingest(path: Path, _: int) -> None:
        records.append(ingest_one(str(path), settings).record)

    result = medians(
        rounds,
        whole=partial(ingest, whole),
        whole_ffmpeg_null=lambda _: ffmpeg_null(whole),
        damaged=partial(ingest, broken),
        damaged_ffmpeg_null=lambda _: ffmpeg_null(broken),
    )
    assert {bool(record.unreadable_s) for record in records if record.uri == str(broken)} == {True}
    assert {record.unreadable_s for record in records if record.uri == str(whole)} == {None}
    return result | {
        "whole_over_ffmpeg_null": result["whole"] / result["whole_ffmpeg_null"],
        "damaged_over_ffmpeg_null": result["damaged"] / result["damaged_ffmpeg_null"],
    }


def no_shots(video: Path, rounds: int) -> dict[str, float]:
    """Ingest that decodes only the overview, against one that decodes every picture and against `ffmpeg -f null`."""
    content_hash(video)
    load_libraries()
    works = {name: IngestSettings(shots=name == "one_pass") for name in ("one_pass", "overview_only")}
    records = []

    def ingest(name: str, _: int) -> None:
        records.append(ingest_one(str(video), works[name]))

    result = medians(
        rounds, **{name: partial(ingest, name) for name in works}, ffmpeg_null=lambda _: ffmpeg_null(video)
    )
    assert all(found.overview == records[0].overview for found in records)
    return result | {
        "one_pass_over_overview_only": result["one_pass"] / result["overview_only"],
        "ffmpeg_null_over_overview_only": result["ffmpeg_null"] / result["overview_only"],
    }


def processes(video: Path, folder: Path, rounds: int) -> dict[str, float]:
    """Ingest a batch of copies with one process and with two, in wall-clock seconds including start-up.

    For comparison: the same ratio for FFmpeg decoding as many files, one after the other and two at a time.
    """
    copies = [folder / f"copy-{index}.mp4" for index in range(BATCH)]
    for copy in copies:
        copy.write_bytes(video.read_bytes())
    uris = [str(copy) for copy in copies]

    def decode(rows: int) -> None:
        with ThreadPoolExecutor(rows) as threads:
            list(threads.map(ffmpeg_null, copies[: BATCH // 3]))

    works = {
        "one_process": lambda: list(ingest_many(uris, IngestSettings(), workers=1)),
        "two_processes": lambda: list(ingest_many(uris, IngestSettings(), workers=2)),
        "ffmpeg_one_row": lambda: decode(1),
        "ffmpeg_two_rows": lambda: decode(2),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            before = time.monotonic()
            work()
            taken[name].append(time.monotonic() - before)
    result = {f"{name}_clock_s": statistics.median(values) for name, values in taken.items()}
    return result | {
        "speedup": result["one_process_clock_s"] / result["two_processes_clock_s"],
        "ffmpeg_speedup": result["ffmpeg_one_row_clock_s"] / result["ffmpeg_two_rows_clock_s"],
    }


def peak_mb(video: Path, folder: Path) -> dict[str, float]:
    """Peak resident memory of a fresh process that ingests the file, above that of the libraries alone."""
    script = (
        "import resource, sys\n"
        "from videozoomer.video.tasks import ingest_one\n"
        "from videozoomer.video.worker import load_libraries\n"
        "from videozoomer.video.settings import IngestSettings\n"
        "def high_water_kb():\n"
        "    return int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
        "load_libraries()\n"
        "before = high_water_kb()\n"
        "settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=sys.argv[2], overview='shot_aware')\n"
        "record = ingest_one(sys.argv[1], settings).record\n"
        "assert record.status == 'ok', record\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "spent_s = usage.ru_utime + usage.ru_stime\n"
        "print(before / 1024, high_water_kb() / 1024, spent_s, record.duration_s, record.frames)\n"
    )
    command = [sys.executable, "-c", script, str(video), str(folder / "stores")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    before, peak, spent, duration, frames = map(float, printed)
    return {
        "libraries_mb": before,
        "peak_mb": peak,
        "over_libraries_mb": peak - before,
        "cpu_s": spent,
        "video_s": duration,
        "frames": frames,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pass-minutes", type=int, default=2, help="length for onepass, salvage and no-shots")
    parser.add_argument("--size", default="1280x720", help="width and height of the generated films")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "videozoomer-bench")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)

    def film(minutes: int) -> Path:
        return make_video(folder, minutes=minutes, size=arguments.size)

    rounds, chosen = arguments.rounds, arguments.pass_minutes
    works: dict[str, Callable[[], dict[str, float]]] = {
        "zoom": lambda: zoom(film(60), film(2), folder, 3 * rounds),
        "onepass": lambda: onepass(film(chosen), folder, rounds),
        "salvage": lambda: salvage(film(chosen), rounds),
        "rivals": lambda: rivals(film(2), folder, rounds),
        "overview": lambda: overview(film(60), max(1, rounds // 2)),
        "no-shots": lambda: no_shots(film(chosen), rounds),
        "processes": lambda: processes(film(2), folder, rounds),
        "memory": lambda: peak_mb(film(60), folder),
        "six-hours": lambda: peak_mb(make_video(folder, minutes=360, size="160x90", fps=10), folder),
    }
    for name in arguments.only:
        for key, value in works[name]().items():
            print(json.dumps({"section": name, "what": key, "value": round(value, 4)}), flush=True)


if __name__ == "__main__":
    main()
