"""Every rule over a million graded trajectories: CPU seconds and memory.

    python -m benchmarks.rules_million --folder /tmp/million            # writes the tables once, then measures
    python -m benchmarks.rules_million --folder /tmp/million --rules    # and the CPU seconds of each rule

The tables are made up, but in the shape of a run: 4 exemplars of each of 200,000 questions about 10,000 films, 60,000
reflections, 140,000 probes; 2.5 turns of 300 characters with times, zoom windows and frames; one thought in fifty has a
fault. The rules run in a process of their own with two threads. The figures are its own: CPU seconds (user and system),
the largest resident set, and the elapsed time, which other programs on the machine lengthen.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from videozoomer.lake import CATALOG, Lake
from videozoomer.settings.model import FilterSettings

FILMS, QUESTIONS_OF_A_FILM, SAMPLES, REFLECTIONS, PROBES = 10_000, 20, 4, 60_000, 140_000
FILM_S, OVERVIEW_FRAMES = 600.0, 64
BATCH_FILMS = 500
"""Films of an ingest batch, and so of a partition."""
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "grey", "pink")
THINGS = ("disc", "flag", "door", "boat", "lamp", "bird", "train", "letter", "ball", "chair", "clock", "kite", "tent")
WORDS = tuple(
    "the a then near behind while someone walks turns opens holds left right of table street window slowly camera "
    "moves towards people crowd light wall hand screen shows sign old small large first second scene cut after before "
    "building water road car bicycle hat coat bag box tree sky grass bridge stair corner room shelf paper glass".split()
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.rules_million", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the tables are, or will be written")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the million (default: %(default)s)")
    parser.add_argument("--rules", action="store_true", help="print the CPU seconds of each rule")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(Lake(given.folder), given.rules)))
        return
    if not (given.folder / "done").exists():
        make(Lake(given.folder), given.scale)
        (given.folder / "done").touch()
    options = ["--rules"] if given.rules else []
    command = [sys.executable, "-m", "benchmarks.rules_million", "--folder", str(given.folder), "--measure", *options]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def measure(lake: Lake, each_rule: bool) -> dict[str, Any]:
    """Run the rules and return the figures of this process."""
    from filters import rules

    seconds: dict[str, float] = {}
    drop = rules.drop

    def timed(rule: rules.Rule, *rest: Any) -> None:
        started_s = time.process_time()
        drop(rule, *rest)
        seconds[rule.name] = round(time.process_time() - started_s, 1)

    started_s = time.monotonic()
    with patch.object(rules, "drop", timed):
        result = rules.run_rules(lake, FilterSettings(), threads=2)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "trajectories": lake.scan("trajectories", columns=["trajectory_id"]).collect().height,
        "verdicts": result.verdicts.height,
        "kept": result.verdicts.filter(outcome="kept").height,
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "elapsed_s": round(time.monotonic() - started_s, 1),
        "peak_gb": round(usage.ru_maxrss / 1e6, 2),
        **({"rules_cpu_s": seconds} if each_rule else {}),
        "rejected": dict(
            result.verdicts.explode("reasons").drop_nulls("reasons")["reasons"].value_counts().iter_rows()
        ),
    }


def make(lake: Lake, scale: float) -> None:
    """Write the tables of a run with this share of a million trajectories."""
    rng = random.Random(7)
    films = round(FILMS * scale)
    share = {"reflection": REFLECTIONS / FILMS, "probe": PROBES / FILMS}
    for first in range(0, films, BATCH_FILMS):
        batch = f"s-{first // BATCH_FILMS:04d}"
        videos, overviews, questions = [], [], []
        made: dict[str, list[dict]] = {"exemplar": [], "reflection": [], "probe": []}
        grades: list[dict] = []
        for film in range(first, min(films, first + BATCH_FILMS)):
            video = f"v{film:06d}"
            videos.append(
                _row("videos", uri=f"/films/{video}.mp4", video_id=video, source="s", batch=batch, status="ok")
            )
            overviews += [
                _row(
                    "overviews", video_id=video, index=index, requested_s=index * FILM_S / 63, policy="uniform",
                    time_s=index * FILM_S / 63, frame_id=f"{film:06d}{index:026d}",
                )
                for index in range(OVERVIEW_FRAMES)
            ]  # fmt: skip
            for number in range(QUESTIONS_OF_A_FILM):
                asked = _question(rng, video, number)
                questions.append(asked)
                played = [("exemplar", sample) for sample in range(SAMPLES)]
                played += [("reflection", 0)] * (rng.random() < share["reflection"] / QUESTIONS_OF_A_FILM)
                played += [("probe", 0)] * (rng.random() < share["probe"] / QUESTIONS_OF_A_FILM)
                for kind, sample in played:
                    row, grade = _trajectory(rng, asked, video, batch, kind, sample)
                    made[kind].append(row)
                    grades.append(grade)
        lake.write("videos", videos, batch)
        lake.write("overviews", overviews, batch)
        lake.write("questions", questions, batch)
        lake.write("grades", grades, batch)
        for kind, rows in made.items():
            lake.write("trajectories", rows, f"{kind}.{batch}")
    lake.write("leaks", [])


def _row(table: str, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(column.name for column in CATALOG[table].columns) | values


def _question(rng: random.Random, video: str, number: int) -> dict[str, Any]:
    colour, options = rng.choice(COLOURS), rng.sample(THINGS, 4)
    start_s = rng.uniform(10, FILM_S - 30)
    return _row(
        "questions", question_id=f"{video}-{number}", source="s", video_uri=f"/films/{video}.mp4", split="train",
        question=f"What does the {colour} one pass {rng.choice(WORDS)} the {rng.choice(WORDS)} in part {number}?",
        options=options, answer=rng.choice("ABCD"), answer_type="choice", status="ok",
        evidence=[{"start_s": start_s, "end_s": start_s + 6}],
    )  # fmt: skip


def _trajectory(
    rng: random.Random, asked: dict, video: str, batch: str, kind: str, sample: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    turns, messages = [], [{"role": "user", "train": True, "parts": []}]
    right = rng.random() < 0.6
    answer = asked["answer"] if right else rng.choice("ABCD")
    zooms = 0 if kind == "probe" or rng.random() < 0.15 else rng.choice((1, 1, 2, 2, 3))
    failed = rng.choice((1, 2)) if kind == "reflection" else 0
    for place in range(zooms + failed):
        start_s = asked["evidence"][0]["start_s"] - 2 if place == zooms + failed - 1 else rng.uniform(0, FILM_S - 20)
        text = _thought(rng, rng.randrange(60) * FILM_S / 63)
        call = f'{{"segment": [{start_s:.1f}, {start_s + 8:.1f}], "fps": 2}}'
        turns.append(
            _turn("zoom", f"<think>{text}</think>\n<video_zoom>{call}</video_zoom>")
            | {
                "start_s": start_s,
                "end_s": start_s + 8,
                "fps": 2.0,
                "frame_ids": [f"{rng.getrandbits(128):032x}" for _ in range(16)],
                "frame_times_s": [start_s + index / 2 for index in range(16)],
            }
        )
    option = asked["options"]["ABCD".index(answer)]
    seen_s = asked["evidence"][0]["start_s"] if zooms + failed else rng.randrange(60) * FILM_S / 63
    thought = f"{_thought(rng, seen_s)} So the answer is {option}."
    turns.append(_turn("answer", f"<think>{thought}</think><answer>{answer}</answer>") | {"answer": answer})
    messages += [{"role": "assistant", "train": place >= failed, "parts": []} for place in range(len(turns))]
    name = f"{asked['question_id']}-{kind}-{sample}"
    row = _row(
        "trajectories", trajectory_id=name, question_id=asked["question_id"], video_id=video, batch=batch, kind=kind,
        player="teacher", sample=sample, temperature=1.0, max_zooms=0 if kind == "probe" else 4, status="answered",
        answer=answer, turns=turns, messages=messages, zooms=zooms + failed, frames_shown=64 + 16 * (zooms + failed),
        well_formed=True, input_tokens=9000, output_tokens=100 * len(turns), cost_usd=0.01, protocol_version="1",
        prompt_version="v1",
    )  # fmt: skip
    grade = _row(
        "grades", trajectory_id=name, question_id=asked["question_id"], batch=batch, grader="choice-1",
        verdict="correct" if right or answer == asked["answer"] else "wrong", hit=zooms > 0,
    )  # fmt: skip
    return row, grade


def _turn(action: str, reply: str) -> dict[str, Any]:
    names = ("start_s", "end_s", "fps", "answer", "fault", "fault_text", "finish_reason", "call_key")
    return dict.fromkeys(names) | {
        "reply": reply, "author": "teacher", "action": action, "well_formed": True, "frame_ids": [],
        "frame_times_s": [],
    }  # fmt: skip


FAULTS = (
    "The ground truth given is A.",
    "As an AI language model I cannot watch it.",
    "I will just guess.",
    "It is at 5,000 s.",
    "Write to someone@example.org.",
    "It goes on. It goes on. It goes on. It goes on.",
)


def _thought(rng: random.Random, time_s: float) -> str:
    said = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(12, 40)))
    faulty = f" {rng.choice(FAULTS)}" if rng.random() < 0.02 else ""
    return (
        f"The overview shows the {rng.choice(COLOURS)} {rng.choice(THINGS)} from about {time_s:.1f} to "
        f"{time_s + 8:.1f} s. I see {said}.{faulty} The {rng.choice(THINGS)} is there at {time_s:.1f} s."
    )


if __name__ == "__main__":
    main()
