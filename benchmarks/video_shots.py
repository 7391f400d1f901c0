"""Precision, recall and cost of each shot detector.

    python -m benchmarks.video_shots                                  # all of them (transnet is slow)
    python -m benchmarks.video_shots --only adaptive+threshold transnet

The test film concatenates excerpts around every cut, fade and dissolve of the sample world's evaluation videos, whose
times are known exactly; the joints between excerpts are cuts as well. A detected cut matches at most one transition,
within TOLERANCE_S. Cost is the CPU time of scaling and detection on a 720p file, without decoding, on one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import av

from benchmarks.video_rivals import make_video
from examples.world import World, make_world
from videozoomer.video.shots import ShotFinder
from videozoomer.video.transnet import is_installed

CHOICES = ("adaptive+threshold", "transnet", "adaptive", "content", "histogram", "hash", "threshold")
FPS = 25.0
"""Frame rate of the test film."""
AROUND_FRAMES = 40
"""Frames of an excerpt before and after the middle of its transition."""
TOLERANCE_S = 0.25
COSTED_FRAMES = 1_000
Transition = tuple[str, float, float]
"""Kind, middle and length in seconds."""


@dataclass(frozen=True)
class Film:
    frames: list[av.VideoFrame]
    known: list[Transition]


def film(world: World) -> Film:
    """Alternate between videos so that adjacent excerpts differ."""
    videos = [
        (name, video) for name, video in sorted(world.truth()["videos"].items()) if video["split"] == "evaluation"
    ]
    turns = zip_longest(*(_excerpts(world.evaluation_videos / name, video["scenes"]) for name, video in videos))
    frames: list[av.VideoFrame] = []
    known: list[Transition] = []
    for kind, length_s, excerpt in (excerpt for turn in turns for excerpt in turn if excerpt is not None):
        if frames:
            known.append(("cut", len(frames) / FPS, 0.0))
        known.append((kind, (len(frames) + AROUND_FRAMES) / FPS, length_s))
        frames += excerpt
    return Film(frames, known)


def _excerpts(path: Path, scenes: list[dict]) -> Iterator[tuple[str, float, list[av.VideoFrame]]]:
    """Kind and length of each transition, and the frames from AROUND_FRAMES before its middle to as many after it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate
        shown, rate = list(container.decode(stream)), float(stream.average_rate)
        starts_s = [frame.time - shown[0].time for frame in shown]
    for scene in scenes:
        middle = bisect_left(starts_s, scene["start_s"] - 1e-3)
        excerpt = shown[middle - AROUND_FRAMES : middle + AROUND_FRAMES]
        if scene["way_in"] != "start" and len(excerpt) == 2 * AROUND_FRAMES:
            # Length in the time base of the test film.
            yield scene["way_in"], scene["way_in_s"] * rate / FPS, excerpt


def cuts_s(frames: list[av.VideoFrame], detectors: list[str]) -> list[float]:
    finder = ShotFinder(detectors, FPS)
    for number, frame in enumerate(frames):
        finder.take(frame, number / FPS)
    return [shot.start_s for shot in finder.shots(len(frames) / FPS)[1:]]


def found(cuts: list[float], known: list[Transition]) -> list[str]:
    """Kinds of the detected transitions."""
    kinds, left = [], list(cuts)
    for kind, middle_s, length_s in known:
        near = [cut for cut in left if abs(cut - middle_s) <= length_s / 2 + TOLERANCE_S]
        if near:
            left.remove(min(near, key=lambda cut: abs(cut - middle_s)))
            kinds.append(kind)
    return kinds


def cost_ms(video: Path, detectors: list[str]) -> float:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate
        finder, spent_s = ShotFinder(detectors, float(stream.average_rate)), 0.0
        for number, frame in enumerate(islice(container.decode(stream), COSTED_FRAMES)):
            before_s = time.process_time()
            finder.take(frame, number / 30)
            spent_s += time.process_time() - before_s
    return 1000 * spent_s / COSTED_FRAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=CHOICES, help="detectors; join with + to combine")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "videozoomer-bench")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    import cv2

    cv2.setNumThreads(1)
    if any("transnet" in choice for choice in arguments.only):
        if not is_installed():
            raise SystemExit(
                "transnet needs a package: pip install 'videozoomer[transnet]', or name others with --only"
            )
        import torch

        torch.set_num_threads(1)
    made = film(make_world(arguments.folder / "world"))
    all_of_them = Counter(kind for kind, _, _ in made.known)
    print(json.dumps({"frames": len(made.frames), **all_of_them}), flush=True)
    for choice in arguments.only:
        cuts = cuts_s(made.frames, choice.split("+"))
        right = Counter(found(cuts, made.known))
        row = {
            "detectors": choice,
            "precision": right.total() / max(1, len(cuts)),
            "recall": right.total() / all_of_them.total(),
            **{kind: right[kind] for kind in all_of_them},
            "ms_a_frame": cost_ms(make_video(arguments.folder, minutes=2), choice.split("+")),
        }
        print(
            json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}),
            flush=True,
        )


if __name__ == "__main__":
    main()
