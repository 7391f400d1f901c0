"""How often each rule drops a good trajectory: `python -m benchmarks.false_alarms`.

The trajectories are those of `benchmarks.good_voices`. Each rule is counted on all of them, with Wilson's interval of
95%. The intervals take the rows as independent; as a voice repeats itself from scene to scene, the true ones are wider,
so the table also names the voices that a rule hits.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.good_voices import FILM_S, FIRST, OVERVIEW_S, SECOND, Good, good_trajectories
from videozoomer.lake import CATALOG, Lake
from videozoomer.settings.model import FilterSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.false_alarms", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=0, help="thoughts to print of each rule (default: %(default)s)")
    given = parser.parse_args()
    for english in (FIRST, SECOND):
        print_rates(list(good_trajectories(english)), given.examples)


def print_rates(good: list[Good], examples: int) -> None:
    found = dropped(good)
    print(f"{len(good)} good trajectories in {len({one.voice for one in good})} voices")
    print("| rule | dropped | of them | 95% interval | voices |\n| --- | ---: | ---: | --- | --- |")
    for rule, hit in sorted(found.items(), key=lambda one: -len(one[1])):
        low, high = wilson(len(hit), len(good))
        voices = Counter(good[index].voice for index in hit)
        print(f"| `{rule}` | {len(hit)} | {len(hit) / len(good):.1%} | {low:.1%} to {high:.1%} | {', '.join(voices)} |")
        for index in hit[:examples]:
            print(
                "   ",
                good[index].voice,
                "|",
                " / ".join([*(look.thought for look in good[index].looks), good[index].conclusion]),
            )
    kept = len(good) - len({index for hit in found.values() for index in hit})
    low, high = wilson(len(good) - kept, len(good))
    print(f"dropped by any rule: {len(good) - kept}, {1 - kept / len(good):.1%} ({low:.1%} to {high:.1%})")


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson, "Probable Inference", 1927)."""
    share, spread = hits / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def dropped(good: list[Good]) -> dict[str, list[int]]:
    """Rule -> indices of the trajectories that it drops. `repeats_another` is left out: scenes repeat by design."""
    from filters.rules import run_rules

    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        write(lake, good)
        verdicts = run_rules(lake, FilterSettings(skip_rules=("repeats_another",), non_zoom_share=1.0)).verdicts
    found: dict[str, list[int]] = defaultdict(list)
    for name, reasons in verdicts.select("trajectory_id", "reasons").iter_rows():
        for reason in reasons:
            found[reason].append(int(name))
    return {rule: sorted(hit) for rule, hit in found.items()}


def write(lake: Lake, good: list[Good]) -> None:
    """Tables as a run has them, one film, question and exemplar for each."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for index, one in enumerate(good):
        video, name = f"v{index:04d}", f"{index:04d}"
        rows["videos"].append(
            _row(
                "videos", uri=f"{video}.mp4", video_id=video, source="s", batch="s-0000", status="ok", duration_s=FILM_S
            )
        )
        rows["overviews"] += [
            _row(
                "overviews", video_id=video, index=place, requested_s=time_s, time_s=time_s, policy="uniform",
                frame_id=f"{video}-{place}",
            )
            for place, time_s in enumerate(OVERVIEW_S)
        ]  # fmt: skip
        start_s, end_s = one.evidence
        rows["questions"].append(
            _row(
                "questions", question_id=f"q{name}", source="s", video_uri=f"{video}.mp4", split="train", status="ok",
                question=one.question, options=list(one.options), answer=one.answer, answer_type=one.answer_type,
                evidence=[{"start_s": start_s, "end_s": end_s}],
            )
        )  # fmt: skip
        turns = [_zoom(look.thought, look.start_s, look.end_s, look.fps) for look in one.looks]
        reply = f"<think>{one.conclusion}</think><answer>{one.answer}</answer>"
        turns.append(_turn("answer", reply) | {"answer": one.answer})
        rows["trajectories"].append(
            _row(
                "trajectories", trajectory_id=name, question_id=f"q{name}", video_id=video, batch="s-0000",
                kind="exemplar", player="t", sample=0, temperature=1.0, max_zooms=4, status="answered",
                answer=one.answer, turns=turns, zooms=len(one.looks), frames_shown=64 + 16 * len(one.looks),
                messages=[{"role": "assistant", "train": True, "parts": []} for _ in turns], well_formed=True,
                input_tokens=1, output_tokens=1, cost_usd=0.0, protocol_version="1", prompt_version="v1",
            )
        )  # fmt: skip
        rows["grades"].append(
            _row(
                "grades", trajectory_id=name, question_id=f"q{name}", batch="s-0000", verdict="correct", grader="g",
                hit=True,
            )
        )  # fmt: skip
    for table, listed in rows.items():
        lake.write(table, listed)


def _zoom(thought: str, start_s: float, end_s: float, fps: float) -> dict[str, Any]:
    call = f'{{"segment": [{start_s:.1f}, {end_s:.1f}], "fps": {fps:g}}}'
    times = [start_s + (index + 0.5) / fps for index in range(round((end_s - start_s) * fps))]
    return _turn("zoom", f"<think>{thought}</think>\n<video_zoom>{call}</video_zoom>") | {
        "start_s": start_s, "end_s": end_s, "fps": fps, "frame_times_s": times,
        "frame_ids": [f"z{time_s:.2f}" for time_s in times],
    }  # fmt: skip


def _turn(action: str, reply: str) -> dict[str, Any]:
    names = ("start_s", "end_s", "fps", "answer", "fault", "fault_text", "finish_reason", "call_key")
    return dict.fromkeys(names) | {
        "reply": reply, "author": "t", "action": action, "well_formed": True, "frame_ids": [], "frame_times_s": [],
    }  # fmt: skip


def _row(table: str, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(column.name for column in CATALOG[table].columns) | values


if __name__ == "__main__":
    main()
