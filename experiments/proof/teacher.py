"""The proof's teacher: plays an episode by what it sees in the frames it is shown, and by nothing else."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from experiments.proof.sight import Seen, see
from experiments.proof.warmup import told
from experiments.proof.world import COLOURS, OVERVIEW_S
from videozoomer.protocol import Episode, Turn

RATE_FPS = 2
"""Half a second between frames: no disc slips through."""
WIDE_SHARE = 0.15
"""How often two stretches are looked at in one zoom."""
_ASKED = re.compile(r"in the (\w+) scene")


def ask(scene_name: str) -> str:
    return f"Disc in the {scene_name} scene?"


class Teacher:
    """Every reply names what it goes by: the scene and a time in it, or the colour of the disc.

    An answer begins with a space, so that it is the token that the thought named: copied, where another would first have
    to be learnt to mean the same. (Without it, some trainings named the disc in their thought and answered by chance.)
    """

    def __init__(self, jpeg: Callable[[str], bytes], seed: str) -> None:
        self._see: Callable[[str], Seen] = cache(lambda frame_id: see(jpeg(frame_id)))
        self._rng = random.Random(seed)

    def reply(self, episode: Episode) -> str:
        name = _ASKED.search(episode.task.question)[1]
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
        """The answer by the overview alone: gone through frame by frame, to the disc of the asked scene or to that scene's end."""
        name = _ASKED.search(episode.task.question)[1]
        seen = [self._see(frame.frame_id) for frame in episode.overview]
        said, found, passed = "", None, False
        for number, (frame, sight) in enumerate(zip(episode.overview, seen, strict=True)):
            # A disc hides much of its frame: where the frames around it agree, they say which scene it is in.
            around = {other.name for other in seen[max(0, number - 1) : number + 2] if not other.disc}
            place = around.pop() if sight.disc and len(around) == 1 else sight.name
            if passed and place != name:
                break
            passed |= place == name
            if place == name and sight.disc:
                found = sight.disc
                break
            said += told(place, frame.time_s)
        guess = found or self._rng.choice(list(COLOURS))
        return f"<think>{said} {found or 'none'}</think><answer> {guess}</answer>"

    def _thought(self, episode: Episode, zooms: Sequence[Turn], name: str, start_s: int) -> str:
        """The overview is gone through up to where it is zoomed; after a zoom, what it showed comes first, and where
        that was the stretch just before, going on from there is enough."""
        begin_s, shown = 0.0, ""
        if zooms:
            there = self._there(zooms[-1])
            shown = " none." if there == name else f" {there}."
            if zooms[-1].end_s == start_s:
                begin_s = start_s
        passed = [frame for frame in episode.overview if begin_s <= frame.time_s <= start_s]
        return shown + "".join(told(self._see(frame.frame_id).name, frame.time_s) for frame in passed)

    def _there(self, turn: Turn) -> str:
        """The scene that a zoom showed: a disc hides much of its own frame."""
        return Counter(self._see(frame.frame_id).name for frame in turn.frames).most_common(1)[0][0]
