"""The proof's teacher: plays from the pixels of the frames it receives and nothing else."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from experiments.proof.sight import Seen, see
from experiments.proof.warmup import scene_and_time
from experiments.proof.world import COLOURS, OVERVIEW_S
from videozoomer.protocol import Episode, Turn

RATE_FPS = 2
"""A frame every half second: no disc is missed."""
WIDE_SHARE = 0.15
"""Share of zooms that cover two overview gaps at once."""
_ASKED = re.compile(r"in the (\w+) scene")


def ask(scene_name: str) -> str:
    return f"Disc in the {scene_name} scene?"


class PixelTeacher:
    """Every thought names its evidence: the scene and a time in it, or the colour of the disc.

    The answer begins with a space, so that it is the same token as in the thought and can be copied. (Without the
    space, some training runs named the disc in the thought and then answered at chance.)
    """

    def __init__(self, jpeg: Callable[[str], bytes], seed: str) -> None:
        self._see: Callable[[str], Seen] = cache(lambda frame_id: see(jpeg(frame_id)))
        self._rng = random.Random(seed)

    def reply(self, episode: Episode) -> str:
        name = _asked_scene(episode.task.question)
        zooms = [turn for turn in episode.turns if turn.frames]
        for turn in zooms:
            discs = [seen.disc for frame in turn.frames if (seen := self._see(frame.frame_id)).disc]
            if discs and self._there(turn) == name:
                return f"<think> {discs[0]}</think><answer> {discs[0]}</answer>"
        shown = {frame.time_s for turn in zooms for frame in turn.frames}
        places = [frame.time_s for frame in episode.overview if self._see(frame.frame_id).name == name]
        left = [time_s for time_s in places if time_s + OVERVIEW_S / 2 not in shown]
        if not left or episode.rounds_left <= 1:
            guess = self._rng.choice(list(COLOURS))
            return f"<think> none</think><answer> {guess}</answer>"
        start_s = int(left[0])
        wide = start_s + OVERVIEW_S in left and self._rng.random() < WIDE_SHARE
        end_s = start_s + OVERVIEW_S * (2 if wide else 1)
        return (
            f"<think>{self._thought(episode, zooms, name, start_s)}</think>"
            f'<video_zoom>{{"segment": [{start_s}, {end_s}], "fps": {RATE_FPS}}}</video_zoom>'
        )

    def glance(self, episode: Episode) -> str:
        """Answer from the overview alone, frame by frame, up to the asked scene's disc or its end."""
        name = _asked_scene(episode.task.question)
        seen = [self._see(frame.frame_id) for frame in episode.overview]
        listed, found, passed = "", None, False
        for number, (frame, sight) in enumerate(zip(episode.overview, seen, strict=True)):
            # A disc hides much of its frame: the frames around it identify the scene if they agree.
            around = {other.name for other in seen[max(0, number - 1) : number + 2] if not other.disc}
            place = around.pop() if sight.disc and len(around) == 1 else sight.name
            if passed and place != name:
                break
            passed |= place == name
            if place == name and sight.disc:
                found = sight.disc
                break
            listed += scene_and_time(place, frame.time_s)
        guess = found or self._rng.choice(list(COLOURS))
        return f"<think>{listed} {found or 'none'}</think><answer> {guess}</answer>"

    def _thought(self, episode: Episode, zooms: Sequence[Turn], name: str, start_s: int) -> str:
        """Walk through the overview up to the next zoom. After a zoom, start with what it showed; if it covered the
        preceding gap, continue from there.
        """
        begin_s, shown = 0.0, ""
        if zooms:
            there = self._there(zooms[-1])
            shown = " none." if there == name else f" {there}."
            if zooms[-1].end_s == start_s:
                begin_s = start_s
        passed = [frame for frame in episode.overview if begin_s <= frame.time_s <= start_s]
        return shown + "".join(scene_and_time(self._see(frame.frame_id).name, frame.time_s) for frame in passed)

    def _there(self, turn: Turn) -> str:
        """The scene a zoom showed, by majority: a disc hides much of its own frame."""
        return Counter(self._see(frame.frame_id).name for frame in turn.frames).most_common(1)[0][0]


def _asked_scene(question: str) -> str:
    """Name of the scene that a question asks about.

    Raises:
        ValueError: it is no question of this world.
    """
    match = _ASKED.search(question)
    if match is None:
        raise ValueError(f"not a question of the proof's world: {question!r}")
    return match[1]
