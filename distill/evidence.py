"""Probes of evidence: what each of them shows of a trajectory, and to whom it is as if it had been asked.

| probe | the player sees | a trajectory that rests on what it saw |
| --- | --- | --- |
| blind | the question alone | is answered right no more often than by guessing |
| sufficiency | the frames of its zooms, without the overview | stays right |
| shuffled | the same frames, options in other places | stays right, the letter moving along |
| elsewhere | as many frames at the same rates, from elsewhere in the film | does not stay right |
| leave_one_out | the frames of all its zooms but one | shows which zoom carried it |

Everything is chosen by hashes of ids and sample numbers, so a rerun asks the same and is replayed from the ledger. The
right answer is not known here; known evidence only keeps the frames of `elsewhere` away from it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from distill.items import EpisodeJob
from videozoomer.protocol.evidence import EDGE_S, Window
from videozoomer.protocol.messages import FrameRef
from videozoomer.protocol.question import QuestionItem

ProbeName = Literal["blind", "sufficiency", "shuffled", "elsewhere", "leave_one_out"]
NO_ROOM = "the rest of the film has no room for as many frames at the same rate"
REFER_TO_OTHERS = "its options refer to one another, so their order means something"
_REFERS = re.compile(
    r"\b(?:all|none|both|any|neither|either) of (?:the|these|those|them)\b|\b(?:above|below)\b"
    r"|\bboth [a-h] and [a-h]\b",
    re.I,
)
"""An option such as 'all of the above'; in another place it would be another option."""


@dataclass(frozen=True, slots=True)
class Zoom:
    """A zoom that returned frames."""

    segment: Window
    fps: float
    frames: tuple[FrameRef, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A trajectory that is probed."""

    trajectory_id: str
    item: QuestionItem
    zooms: tuple[Zoom, ...]
    evidence: tuple[Window, ...] = ()
    """Where the answer is known to be seen; never shown."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a trajectory or, if blind, of a question."""

    name: ProbeName
    subject: Subject
    zoom: int = 0
    """The zoom that is left out, from 1; 0 if none is."""

    @property
    def item_id(self) -> str:
        """What table `evidence` has the row for."""
        return self.subject.item.question_id if self.name == "blind" else self.subject.trajectory_id

    @property
    def zooms(self) -> tuple[Zoom, ...]:
        """The zooms whose frames are shown."""
        return tuple(zoom for number, zoom in enumerate(self.subject.zooms, 1) if number != self.zoom)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one answer to a probe is asked of."""

    job: EpisodeJob
    """Without frames where `read_s` is not empty: they are read first."""
    rotation: int = 0
    """Places by which each option moved to the left."""
    windows: tuple[Window, ...] = ()
    read_s: tuple[tuple[float, ...], ...] = ()
    """Times in seconds of frames to read, one tuple a segment."""


def subject_of(row: Mapping[str, Any], item: QuestionItem, evidence: Iterable[Window] = ()) -> Subject:
    """A row of table `trajectories` as a subject."""
    zooms = tuple(
        Zoom(
            Window(turn["start_s"], turn["end_s"]),
            turn["fps"],
            tuple(FrameRef(i, t) for i, t in zip(turn["frame_ids"], turn["frame_times_s"], strict=True)),
        )
        for turn in row["turns"]
        if turn["action"] == "zoom" and turn["frame_ids"]
    )
    return Subject(row["trajectory_id"], item, zooms, tuple(evidence))


def probes_of(subject: Subject, name: ProbeName) -> list[Probe]:
    """The probes of one kind that fit a trajectory: none of zoomed frames where it did not zoom, none that shuffles
    options where there are none, and one for each zoom where there are two or more."""
    if name == "blind":
        return [Probe(name, subject)]
    if name == "shuffled":
        return [Probe(name, subject)] if len(subject.item.options) > 1 else []
    if name == "leave_one_out":
        count = len(subject.zooms)
        return [Probe(name, subject, number) for number in range(1, count + 1)] if count > 1 else []
    return [Probe(name, subject)] if subject.zooms else []


def shown(probe: Probe, sample: int, temperature: float) -> Shown | str:
    """What the answer number `sample` to a probe is asked of, or why it cannot be asked."""
    item, subject = probe.subject.item, probe.subject
    if probe.name == "blind":
        alone = replace(item, overview=())
        return Shown(EpisodeJob(alone, "evidence", sample, temperature, max_zooms=0, probe=probe.name))
    named = f"{probe.name} {probe.zoom}" if probe.zoom else probe.name
    job = EpisodeJob(
        item, "evidence", sample, temperature, max_zooms=0, probe=named, probed_id=subject.trajectory_id,
        frames_alone=bool(subject.zooms),
    )  # fmt: skip
    if probe.name == "elsewhere":
        places = elsewhere(subject, sample)
        if places is None:
            return NO_ROOM
        times = tuple(
            tuple(window.start_s + index / zoom.fps for index in range(len(zoom.frames)))
            for window, zoom in zip(places, subject.zooms, strict=True)
        )
        return Shown(replace(job, item=replace(item, overview=())), windows=places, read_s=times)
    frames = in_order(zoom.frames for zoom in probe.zooms) if subject.zooms else item.overview
    rotation, options = 0, item.options
    if probe.name == "shuffled":
        if any(_REFERS.search(option) for option in item.options):
            return REFER_TO_OTHERS
        rotation = 1 + (_hash(subject.trajectory_id, "shuffled") + sample) % (len(options) - 1)
        options = rotated(options, rotation)
    seen = replace(item, overview=frames, options=options)
    return Shown(replace(job, item=seen), rotation, tuple(zoom.segment for zoom in probe.zooms))


def rotated(options: Sequence[str], places: int) -> tuple[str, ...]:
    """The options, each moved to the left by so many places, the first ones behind the last: every letter changes."""
    return (*options[places:], *options[:places])


def in_order(groups: Iterable[Sequence[FrameRef]]) -> tuple[FrameRef, ...]:
    """Frames of several zooms by time, each once."""
    return tuple(
        sorted({frame for group in groups for frame in group}, key=lambda frame: (frame.time_s, frame.frame_id))
    )


def elsewhere(subject: Subject, sample: int) -> tuple[Window, ...] | None:
    """A segment for each zoom, as long as its frames and away from all zooms, known evidence, what cannot be read, and
    the other segments; None where the film has no room.

    The place follows from a hash of the trajectory and the sample: each answer is asked of another place.
    """
    item = subject.item
    taken = [*(zoom.segment for zoom in subject.zooms), *subject.evidence, *item.bad_spans]
    places: dict[int, Window] = {}
    # Long segments first: a short one fits anywhere.
    order = sorted(range(len(subject.zooms)), key=lambda number: (-_length_s(subject.zooms[number]), number))
    for number in order:
        length_s = _length_s(subject.zooms[number])
        free = [
            Window(gap.start_s, gap.end_s - length_s)
            for gap in _gaps(taken, item.duration_s)
            if gap.end_s - gap.start_s >= length_s
        ]
        room_s = sum(gap.end_s - gap.start_s for gap in free)
        if not free:
            return None
        left_s = room_s * (_hash(subject.trajectory_id, f"elsewhere {sample} {number}") / 2**32)
        for gap in free:
            if left_s <= gap.end_s - gap.start_s:
                break
            left_s -= gap.end_s - gap.start_s
        start_s = round(min(gap.start_s + left_s, gap.end_s), 3)
        places[number] = Window(start_s, start_s + length_s)
        taken.append(places[number])
    return tuple(places[number] for number in range(len(subject.zooms)))


def _length_s(zoom: Zoom) -> float:
    """From the first frame to the end of the last."""
    return len(zoom.frames) / zoom.fps


def _gaps(taken: Iterable[Window], duration_s: float) -> list[Window]:
    """What is left of the film, in order, a little away from what is taken."""
    margin_s = max(0.5, 2 * EDGE_S)
    gaps, at_s = [], 0.0
    for window in sorted(taken, key=lambda window: (window.start_s, window.end_s)):
        if window.start_s - margin_s > at_s:
            gaps.append(Window(at_s, window.start_s - margin_s))
        at_s = max(at_s, window.end_s + margin_s)
    if duration_s > at_s:
        gaps.append(Window(at_s, duration_s))
    return gaps


def _hash(*named: str) -> int:
    """32 bits that follow from names alone."""
    return int.from_bytes(hashlib.sha256("\n".join(named).encode()).digest()[:4], "big")
