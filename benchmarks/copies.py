"""How well copies of films are found, on real films and on made films that look alike; and what an index of many costs.

    python -m benchmarks.copies FOLDER                  # recall and false alarms on the folder's films (8 s and more)
    python -m benchmarks.copies FOLDER --keep /tmp/c    # keep the copies, some 35 of each film, for a second run
    python -m benchmarks.copies --hard                  # made pairs of one template, one studio, one intro and more
    python -m benchmarks.copies --many 10000            # as many made-up films of ten minutes against as many

The folder should hold different films: every pair of two of its files that is found counts as a false alarm. Films that
a file `same.txt` in it names on one line, separated by tabs, are parts or copies of one another and not counted. Rates
have 95% intervals (Wilson). Costs are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.copies_hard import hard_pairs
from benchmarks.copies_many import many
from benchmarks.copies_transforms import MIN_S, make_copies
from filters.copies.film import Film
from filters.copies.find import Copy, find_copies, status_of
from videozoomer.video.hashing import Hashes
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.tasks import ingest_one

BLANK_S = 6.0
"""A film with fewer seconds that are not blank is left out."""


def film_of(path: Path) -> tuple[Film | None, Ingested]:
    """The film by its signature; None if it cannot be read."""
    found = ingest_one(str(path), IngestSettings(detectors=("threshold",), threads=1))
    tracks = {
        track.track: Hashes(
            *(np.frombuffer(packed, "<u8").astype(np.uint64) for packed in (track.pictures, track.motions))
        )
        for track in found.signature
    }
    return (Film(str(path), tracks) if tracks else None), found


def films_of(paths: Sequence[Path]) -> dict[str, tuple[Film, Ingested]]:
    with ProcessPoolExecutor(2) as processes:
        read = zip(paths, processes.map(film_of, paths, chunksize=4), strict=True)
        return {str(path): (film, found) for path, (film, found) in read if film is not None}


def wilson(hits: int, of: int) -> str:
    """A share with its 95% interval."""
    if not of:
        return "none"
    share, z = hits / of, 1.96
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{hits} of {of}, {share:.4f} ({max(0.0, low):.5f} to {high:.5f})"


def verdicts(copies: Iterable[Copy]) -> dict[tuple[str, str], str]:
    return {
        (copy.left, copy.right): status_of(copy.match.evidence, copy.match.share, copy.match.length_s)
        for copy in copies
    }


def real(folder: Path, keep: Path) -> dict[str, object]:
    """Recall over copies of each film; false alarms between different films, and between films and others' copies."""
    import imageio_ffmpeg

    originals = films_of(sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".txt"))
    chosen = {
        name: pair for name, pair in originals.items()
        if pair[0].length_s >= BLANK_S and (pair[1].record.duration_s or 0.0) >= MIN_S
    }  # fmt: skip
    listing = folder / "same.txt"
    groups = [line.split("\t") for line in listing.read_text().splitlines()] if listing.exists() else []
    group_of = {str(folder / name): number for number, names in enumerate(groups) for name in names}

    def same(one: str, other: str) -> bool:
        return one == other or (one in group_of and group_of[one] == group_of.get(other))

    def copied(name: str) -> list[Path]:
        target, record = keep / Path(name).stem, chosen[name][1].record
        if not (target / "done").exists():
            assert record.duration_s and record.width and record.height
            size = record.duration_s, record.width, record.height
            list(make_copies(imageio_ffmpeg.get_ffmpeg_exe(), Path(name), *size, target))
            (target / "done").touch()
        return sorted(target.glob("*.mp4"))

    with ThreadPoolExecutor(2) as threads:
        files = {path: name for name, paths in zip(chosen, threads.map(copied, chosen), strict=True) for path in paths}
    copies = films_of(list(files))
    left = [film for film, _ in chosen.values()]
    before = time.process_time()
    found = verdicts(find_copies(left, [film for film, _ in copies.values()]))
    cpu_s = time.process_time() - before
    true = [(files[path], str(path)) for path in files]
    missed = Counter(Path(copy).stem for one, copy in true if found.get((one, copy)) != "verdict")
    others = {pair: status for pair, status in found.items() if not same(pair[0], files[Path(pair[1])])}
    between = {
        pair: s for pair, s in verdicts(find_copies(left, left)).items() if not same(*pair) and pair[0] < pair[1]
    }
    pairs = sum(not same(one, other) for one in chosen for other in chosen if one < other)
    crossed = sum(not same(one, files[path]) for one in chosen for path in files)
    return {
        "films": len(chosen),
        "copies": len(true),
        "recall at the verdict": wilson(sum(found.get(pair) == "verdict" for pair in true), len(true)),
        "recall on the list": wilson(sum(pair in found for pair in true), len(true)),
        "missed at the verdict": dict(missed.most_common()),
        "false between films, verdict": wilson(sum(s == "verdict" for s in between.values()), pairs),
        "false between films, list": wilson(len(between), pairs),
        "false with others' copies, verdict": wilson(sum(s == "verdict" for s in others.values()), crossed),
        "false with others' copies, list": wilson(len(others), crossed),
        "listed by mistake": sorted(f"{Path(one).stem} / {other}" for one, other in [*between, *others])[:20],
        "cpu_s of the comparison": round(cpu_s, 1),
    }


def hard(folder: Path) -> dict[str, object]:
    """Made pairs of different films that look alike."""
    result: dict[str, object] = {}
    for kind, pairs in hard_pairs(folder).items():
        read = films_of([path for pair in pairs for path in pair])
        found: Counter[str] = Counter()
        for one, other in pairs:
            found.update(verdicts(find_copies([read[str(one)][0]], [read[str(other)][0]])).values())
        result[kind] = {"pairs": len(pairs), "verdict": found["verdict"], "listed": found["listed"]}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of different films")
    parser.add_argument("--keep", type=Path, help="folder for the copies that are made")
    parser.add_argument("--hard", action="store_true", help="compare made films that look alike")
    parser.add_argument("--many", type=int, metavar="FILMS", help="compare this many made-up films on each side")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="videozoomer-copies-") as scratch:
        if chosen.folder:
            print(json.dumps(real(chosen.folder, chosen.keep or Path(scratch)), indent=1))
        if chosen.hard:
            print(json.dumps(hard(Path(scratch)), indent=1))
        if chosen.many:
            print(json.dumps(many(chosen.many), indent=1))


if __name__ == "__main__":
    main()
