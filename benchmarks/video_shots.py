"""How well shots are found, and at what cost, by each detector.

    python -m benchmarks.video_shots                                  # all of them (transnet takes its time)
    python -m benchmarks.video_shots --only adaptive+threshold transnet

Right and wrong are counted on the sample world, whose cuts, fades and dissolves are known because it painted them;
a transition is found by a cut no further from it than TOLERANCE_S, and each cut finds one. The cost is CPU time for
scaling and detecting the frames of a 720p file, without their decoding, on one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import av

from benchmarks.video_rivals import make_video
from samples.world import World, make_world
from video.shots import ShotFinder
from video.transnet import is_installed

CHOICES = ("adaptive+threshold", "transnet", "adaptive", "content", "histogram", "hash", "threshold")
TOLERANCE_S = 0.25
COSTED_FRAMES = 1_000
Transition = tuple[str, float, float]
"""Kind, middle and length in seconds."""


def transitions(world: World) -> dict[Path, list[Transition]]:
    """Of the evaluation videos, each of which is like no other."""
    known = {}
    for file, video in world.truth()["videos"].items():
        if video["split"] == "evaluation":
            scenes = [scene for scene in video["scenes"] if scene["way_in"] != "start"]
            known[world.evaluation_videos / file] = [(scene["way_in"], scene["start_s"], scene["way_in_s"]) for scene in scenes]
    return known


def cuts_s(path: Path, detectors: list[str]) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        finder, end_s = ShotFinder(detectors, float(stream.average_rate)), 0.0
        for frame in container.decode(stream):
            end_s = float(frame.pts * stream.time_base)
            finder.take(frame, end_s)
    return [shot.start_s for shot in finder.shots(end_s + 0.04)[1:]]


def found(cuts: list[float], known: list[Transition]) -> list[str]:
    """Kinds of the transitions that were found."""
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
        finder, spent_s = ShotFinder(detectors, float(stream.average_rate)), 0.0
        for number, frame in enumerate(islice(container.decode(stream), COSTED_FRAMES)):
            before_s = time.process_time()
            finder.take(frame, number / 30)
            spent_s += time.process_time() - before_s
    return 1000 * spent_s / COSTED_FRAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=CHOICES, help="detectors, joined by + where they work together")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "videozoomer-bench")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    import cv2

    cv2.setNumThreads(1)
    if any("transnet" in choice for choice in arguments.only):
        if not is_installed():
            raise SystemExit("transnet needs a package: pip install 'videozoomer[transnet]', or name others with --only")
        import torch

        torch.set_num_threads(1)
    known = transitions(make_world(arguments.folder / "world"))
    all_of_them = Counter(kind for of_one in known.values() for kind, _, _ in of_one)
    print(json.dumps({"videos": len(known), **all_of_them}), flush=True)
    for choice in arguments.only:
        told, right = 0, Counter()
        for path, of_one in known.items():
            cuts = cuts_s(path, choice.split("+"))
            told += len(cuts)
            right.update(found(cuts, of_one))
        row = {
            "detectors": choice, "precision": right.total() / max(1, told), "recall": right.total() / all_of_them.total(),
            **{kind: right[kind] for kind in all_of_them}, "ms_a_frame": cost_ms(make_video(arguments.folder, minutes=2), choice.split("+")),
        }
        print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}), flush=True)


if __name__ == "__main__":
    main()
