"""The state machine of an episode: a reply goes in; a request for frames, an answer or a fault comes out.

It does not know who plays or where frames come from:

    episode = Episode(task, overview, protocol, prompts)
    while episode.running:
        reply = ...ask any model with episode.messages...
        times_s = episode.step(reply)          # not empty if the player zoomed
        if times_s:
            episode.show(...the frames at those times...)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from videozoomer.protocol.as_meant import as_meant
from videozoomer.protocol.evidence import Look, Window
from videozoomer.protocol.messages import FrameRef, Message, Part, Text, merged, tagged
from videozoomer.protocol.options import LETTERS, lettered_lines
from videozoomer.protocol.parsing import Answer, Fault, Zoom, cut_reply, parse_reply
from videozoomer.protocol.prompts import Prompts
from videozoomer.protocol.protocol import Protocol, frames_asked, zoom_times
from videozoomer.protocol.unreadable import unreadable_at

Status = Literal["running", "answered", "exhausted"]
_HOW = {
    "choice": "Answer with the letter of the right option.",
    "number": "Answer with a number.",
    "time": "Answer with a time in seconds.",
    "yes_no": "Answer with yes or no.",
    "order": "Answer with the items in order, separated by commas.",
    "text": "Answer in a few words.",
}


@dataclass(frozen=True, slots=True)
class Task:
    """The question without its answer: a player cannot leak an answer it never receives."""

    question: str
    options: tuple[str, ...]
    answer_type: str
    duration_s: float
    bad_spans: tuple[Window, ...] = ()
    """What of a damaged video cannot be read; a zoom into it is refused."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One generation and its result."""

    reply: str
    author: str
    """Who wrote it: `policy`, `student` or `teacher`. A reflection has turns of two authors."""
    action: Literal["zoom", "answer", "fault"]
    well_formed: bool
    start_s: float | None = None
    end_s: float | None = None
    fps: float | None = None
    answer: str | None = None
    fault: str | None = None
    fault_text: str | None = None
    finish_reason: str | None = None
    call_key: str | None = None
    """Ledger key of the call that produced the reply."""
    as_written: str | None = None
    """The reply as its author wrote it, where it was not to the letter and `reply` is what it means."""
    frames: tuple[FrameRef, ...] = ()


class Episode:
    """One question being played. Deterministic: the same replies and frames give the same messages."""

    def __init__(
        self,
        task: Task,
        overview: Sequence[FrameRef],
        protocol: Protocol,
        prompts: Prompts,
        *,
        max_zooms: int | None = None,
        author: str = "policy",
        read_as_meant: bool = False,
        system: str | None = None,
    ) -> None:
        """`max_zooms=0` plays with the overview alone; with an empty overview too, it plays blind. `read_as_meant`: a
        zoom call that is not to the letter but beyond doubt is rewritten into the protocol's form and played. `system`
        replaces the prompts' own system text.

        Raises:
            ValueError: there are more overview frames or options than the protocol can show.
        """
        if len(overview) > protocol.overview_frames:
            raise ValueError(
                f"{len(overview)} overview frames exceed the protocol's {protocol.overview_frames}; play the question "
                "by the protocol that its overview was made with"
            )
        if len(task.options) > len(LETTERS):
            raise ValueError(f"{len(task.options)} options exceed the {len(LETTERS)} letters; give the question fewer")
        self.task = task
        self.overview = tuple(overview)
        self.protocol = protocol
        self.prompts = prompts
        self.max_zooms = protocol.max_zooms if max_zooms is None else min(max_zooms, protocol.max_zooms)
        self.author = author
        self.read_as_meant = read_as_meant
        self._template = system
        self.status: Status = "running"
        self.turns: list[Turn] = []
        self._messages: list[Message] = [self._system(), self._ask()]
        self._hint: str | None = None
        self._times: list[float] | None = None
        self._inherited = 0

    @classmethod
    def reflecting_on(
        cls, failed: Episode, opening: str, *, author: str = "teacher", read_as_meant: bool = False
    ) -> Episode:
        """A new episode that continues a failed one from before its final answer, for a player who corrects it.

        The player sees `prompts.reflect` after the last tool answer. The transcript leaves it out, so that training
        teaches to continue from the failure itself. The failed turns get `train=False`.

        Raises:
            ValueError: the failed episode never zoomed, has no round left for a correction, or still waits for frames.
        """
        if failed._times is not None:
            raise ValueError("an episode that still waits for frames cannot be reflected on; show its frames first")
        kept = [turn for turn in failed.turns if turn.action != "answer"]
        if not any(turn.action == "zoom" for turn in kept):
            raise ValueError("only an episode that zoomed can be reflected on; choose another one")
        # A correction needs two rounds: another zoom and an answer.
        while kept and len(kept) > failed.max_zooms - 1:
            kept.pop()
        if not any(turn.action == "zoom" for turn in kept):
            raise ValueError("no round is left to correct the failed zoom; choose an episode with fewer turns")
        episode = cls(
            failed.task,
            failed.overview,
            failed.protocol,
            failed.prompts,
            max_zooms=failed.max_zooms,
            author=author,
            read_as_meant=read_as_meant,
        )
        for turn in kept:
            episode._record(dataclasses.replace(turn, frames=()), train=False)
            episode._respond(turn.frames, turn.fault_text)
            episode.turns[-1] = turn
        episode._inherited = len(kept)
        episode._hint = "\n" + failed.prompts.reflect.format(opening=opening)
        return episode

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that the next call sends."""
        if self._hint is None:
            return tuple(self._messages)
        last = self._messages[-1]
        hinted = Message(last.role, merged([*last.parts, Text(self._hint)]), last.train)
        return (*self._messages[:-1], hinted)

    @property
    def transcript(self) -> tuple[Message, ...]:
        """The complete conversation as it is stored and trained on, without a reflection's request."""
        return tuple(self._messages)

    @property
    def zooms(self) -> int:
        """Zooms that returned frames."""
        return sum(turn.action == "zoom" and bool(turn.frames) for turn in self.turns)

    @property
    def looks(self) -> tuple[Look, ...]:
        """The segment of every zoom that returned frames, with the times of those frames."""
        return tuple(
            Look(Window(turn.start_s, turn.end_s), tuple(frame.time_s for frame in turn.frames))
            for turn in self.turns
            if turn.frames and turn.start_s is not None and turn.end_s is not None
        )

    @property
    def rounds_left(self) -> int:
        return self.max_zooms + 1 - len(self.turns)

    @property
    def answer(self) -> str | None:
        return self.turns[-1].answer if self.turns and self.status == "answered" else None

    @property
    def well_formed(self) -> bool:
        """Whether it was answered and every turn was well formed; the failed turns of a reflection do not count."""
        own = self.turns[self._inherited :]
        return self.status == "answered" and all(turn.well_formed and turn.action != "fault" for turn in own)

    @property
    def frames_shown(self) -> int:
        return len(self.overview) + sum(len(turn.frames) for turn in self.turns)

    def step(self, reply: str, *, finish_reason: str | None = None, call_key: str | None = None) -> list[float]:
        """Process a reply. Returns the times in seconds of the frames to `show` next; empty if it did not zoom.

        Raises:
            RuntimeError: the episode is over, or still waits for frames.
        """
        if not self.running or self._times is not None:
            raise RuntimeError(
                "the episode is over; begin another one"
                if not self.running
                else "the episode waits for frames; call show"
            )
        reply, as_written = cut_reply(reply), None
        if self.read_as_meant and (meant := as_meant(reply)) is not None:
            reply, as_written = meant, reply
        parsed = self._checked(parse_reply(reply))
        turn = Turn(
            reply,
            self.author,
            "fault",
            False,
            finish_reason=finish_reason,
            call_key=call_key,
            as_written=as_written,
        )
        if isinstance(parsed, Answer):
            self._record(dataclasses.replace(turn, action="answer", well_formed=parsed.well_formed, answer=parsed.text))
            self.status = "answered"
            return []
        if isinstance(parsed, Fault):
            self._record(dataclasses.replace(turn, fault=parsed.kind, fault_text=parsed.text))
            if self.rounds_left <= 0:
                self.status = "exhausted"
            else:
                self._respond((), parsed.text)
            return []
        self._record(
            dataclasses.replace(
                turn,
                action="zoom",
                well_formed=parsed.well_formed,
                start_s=parsed.start_s,
                end_s=parsed.end_s,
                fps=parsed.fps,
            )
        )
        self._times = zoom_times(parsed.start_s, parsed.end_s, parsed.fps)
        return list(self._times)

    def show(self, frames: Sequence[FrameRef]) -> None:
        """Give the frames at the times that `step` returned, in order.

        Raises:
            RuntimeError: the last step did not zoom.
            ValueError: the number of frames is wrong.
        """
        if self._times is None:
            raise RuntimeError("the episode does not wait for frames; call step first")
        if len(frames) != len(self._times):
            raise ValueError(f"the zoom needs {len(self._times)} frames, not {len(frames)}; give one for each time")
        self._times = None
        self._respond(tuple(frames), None)

    def _record(self, turn: Turn, *, train: bool = True) -> None:
        self.turns.append(turn)
        self._messages.append(Message("assistant", (Text(turn.reply),), train))
        self._hint = None

    def _respond(self, frames: tuple[FrameRef, ...], fault_text: str | None) -> None:
        if frames:
            self.turns[-1] = dataclasses.replace(self.turns[-1], frames=frames)
        inside: Sequence[Part] = (
            tagged(frames) if fault_text is None else [Text(self.prompts.fault.format(fault=fault_text))]
        )
        left = self.rounds_left - 1
        after = self.prompts.go_on.format(left=left) if left > 0 else self.prompts.last_round
        self._messages.append(
            Message("user", merged([Text("<tool_response>"), *inside, Text("</tool_response>\n"), Text(after)]))
        )

    def _checked(self, parsed: Zoom | Answer | Fault) -> Zoom | Answer | Fault:
        """A zoom that can be served, cut at the end of the video, or else the fault in its numbers."""
        if not isinstance(parsed, Zoom):
            return parsed
        start_s, end_s, fps, limit_s = parsed.start_s, parsed.end_s, parsed.fps, self.task.duration_s
        budget = self.protocol.zoom_frames

        def fault(kind: str, text: str) -> Fault:
            return Fault(kind, text, parsed.thought)

        if self.rounds_left <= 1:
            return fault("no_zoom_left", "No further zoom is allowed; a final answer is due.")
        if fps <= 0:
            return fault("bad_rate", f"The rate must be above 0 frames per second, not {fps:g}.")
        if end_s < start_s:
            return fault("reversed", f"The segment [{start_s:g}, {end_s:g}] ends before it starts.")
        if end_s == start_s:
            return fault("empty_segment", f"The segment [{start_s:g}, {end_s:g}] is empty.")
        if start_s < 0 or start_s >= limit_s or end_s > limit_s + self.protocol.end_tolerance_s:
            return fault(
                "outside",
                f"The segment [{start_s:g}, {end_s:g}] is outside the video, which lasts from 0 to {limit_s:.2f} s.",
            )
        asked = frames_asked(start_s, end_s, fps)
        if asked > budget:
            return fault(
                "over_budget",
                f"The call asks for {asked} frames; at most {budget} are allowed. "
                "Shorten the segment or lower the rate.",
            )
        zoom = dataclasses.replace(parsed, end_s=min(end_s, limit_s))
        for time_s in zoom_times(zoom.start_s, zoom.end_s, zoom.fps):
            if (span := unreadable_at(self.task.bad_spans, time_s)) is not None:
                return fault(
                    "unreadable",
                    f"The video is damaged and cannot be read from {span.start_s:.2f} to {span.end_s:.2f} s. "
                    "Choose a segment that does not reach into it.",
                )
        return zoom

    def _system(self) -> Message:
        template = self._template or (self.prompts.system if self.max_zooms else self.prompts.no_zoom)
        text = template.format(
            overview_frames=self.protocol.overview_frames,
            zoom_frames=self.protocol.zoom_frames,
            max_zooms=self.max_zooms,
        )
        return Message("system", (Text(text),))

    def _ask(self) -> Message:
        options = "".join(f"{line}\n" for line in lettered_lines(self.task.options))
        text = self.prompts.question.format(
            question=self.task.question,
            options=options,
            duration=f"{self.task.duration_s:.2f}",
            how=_HOW.get(self.task.answer_type, _HOW["text"]),
        )
        # Tags and frames alternate, so only the question needs merging with the line before it.
        return Message("user", (*tagged(self.overview), Text("\n" + text)) if self.overview else (Text(text),))
