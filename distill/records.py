"""An episode as a row of table `trajectories`, and back. A row contains nothing that a rerun would change."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distill.client.calls import Reply
from distill.items import AUTHORS, EpisodeJob
from videozoomer.protocol import Episode, FrameRef, Prompts, Protocol, Task, Text, Turn
from videozoomer.protocol.message_rows import from_rows, to_rows
from videozoomer.protocol.protocol import VERSION

if TYPE_CHECKING:
    from videozoomer.lake.rows import TrajectoryRow, TurnRow


class RecordError(ValueError):
    """A row cannot become an episode again; the message names the trajectory and the reason."""


@dataclass
class Spent:
    """Tokens and money of an episode, over all its calls."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    served_models: set[str] = field(default_factory=set)
    """The models that the replies name."""

    def add(self, reply: Reply | None) -> None:
        if reply is not None:
            self.input_tokens += reply.input_tokens
            self.output_tokens += reply.output_tokens
            self.cost_usd += reply.cost_usd
            if reply.served_model is not None:
                self.served_models.add(reply.served_model)


def trajectory_id(job: EpisodeJob, player: str, protocol: Protocol, prompts: Prompts) -> str:
    """32 hex digits; the same for the same question, played under the same conditions by the same player."""
    named = {
        "question": job.item.question_id,
        "video": job.item.video_id,
        "kind": job.kind,
        "player": player,
        "sample": job.sample,
        "max_zooms": protocol.max_zooms if job.max_zooms is None else min(job.max_zooms, protocol.max_zooms),
        "blind": not job.item.overview,
        "protocol": VERSION,
        "prompts": prompts.version,
        "parent": job.parent_row["trajectory_id"] if job.parent_row else None,
        "opening": job.opening,
    }
    if job.probe is not None:
        named |= {"probe": job.probe, "probed": job.probed_id}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:32]


def to_row(
    job: EpisodeJob,
    episode: Episode | None,
    player: str,
    spent: Spent,
    failure: str | None,
    protocol: Protocol,
    prompts: Prompts,
) -> TrajectoryRow:
    """The row of an episode that ended, or that broke off with a `failure`; `episode` is None if it could not begin."""
    status = "failed" if failure or episode is None else episode.status
    return {
        "trajectory_id": trajectory_id(job, player, protocol, prompts),
        "question_id": job.item.question_id,
        "video_id": job.item.video_id,
        "batch": job.item.batch,
        "kind": job.kind,
        "player": player,
        "served_models": sorted(spent.served_models) or None,
        "sample": job.sample,
        "temperature": float(job.temperature),
        "max_zooms": episode.max_zooms if episode else protocol.max_zooms if job.max_zooms is None else job.max_zooms,
        "status": status,
        "failure": failure,
        "answer": episode.answer if episode else None,
        "turns": [turn_row(turn) for turn in episode.turns] if episode else [],
        "as_written": _as_written(episode.turns) if episode else None,
        "messages": to_rows(episode.transcript) if episode else [],
        "zooms": episode.zooms if episode else 0,
        "frames_shown": episode.frames_shown if episode else 0,
        "well_formed": bool(episode and episode.well_formed),
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "cost_usd": float(spent.cost_usd),
        "parent_id": job.parent_row["trajectory_id"] if job.parent_row else job.probed_id,
        "protocol_version": VERSION,
        "prompt_version": prompts.version,
    }


def to_episode(row: Mapping[str, Any], task: Task, protocol: Protocol, prompts: Prompts) -> Episode:
    """Replay a stored exemplar, student rollout, probe or evaluation, reply by reply, without a player.

    Raises:
        RecordError: the row has another protocol or prompt version, or replays differently.
    """
    name = row["trajectory_id"]
    if (row["protocol_version"], row["prompt_version"]) != (VERSION, prompts.version):
        raise RecordError(
            f"trajectory {name} was played under protocol {row['protocol_version']} and prompts "
            f"{row['prompt_version']}, "
            f"not {VERSION} and {prompts.version}; play it again"
        )
    if row["kind"] == "reflection":
        raise RecordError(
            f"trajectory {name} is a reflection, whose first turns are another player's: replay its parent"
        )
    overview = overview_of(row)
    episode = Episode(task, overview, protocol, prompts, max_zooms=row["max_zooms"], author=AUTHORS[row["kind"]])
    as_written = row.get("as_written") or [""] * len(row["turns"])
    for turn, written in zip(row["turns"], as_written, strict=True):
        asked = episode.step(turn["reply"], finish_reason=turn["finish_reason"], call_key=turn["call_key"])
        episode.turns[-1] = dataclasses.replace(episode.turns[-1], as_written=written or None)
        frames = _frames(turn)
        if len(asked) != len(frames):
            if not frames and row["status"] == "failed":
                break
            raise RecordError(
                f"trajectory {name} asks for {len(asked)} frames where {len(frames)} are stored; play it again"
            )
        if asked:
            episode.show(frames)
    return episode


def overview_of(row: Mapping[str, Any]) -> tuple[FrameRef, ...]:
    """The frames of the first user message."""
    messages = from_rows(row["messages"])
    return (
        tuple(FrameRef(p.frame_id, p.time_s) for p in messages[1].parts if not isinstance(p, Text))
        if len(messages) > 1
        else ()
    )


def turn_row(turn: Turn) -> TurnRow:
    """A turn as table `trajectories` holds it."""
    return {
        "reply": turn.reply,
        "author": turn.author,
        "action": turn.action,
        "start_s": turn.start_s,
        "end_s": turn.end_s,
        "fps": turn.fps,
        "answer": turn.answer,
        "fault": turn.fault,
        "fault_text": turn.fault_text,
        "well_formed": turn.well_formed,
        "finish_reason": turn.finish_reason,
        "frame_ids": [frame.frame_id for frame in turn.frames],
        "frame_times_s": [float(frame.time_s) for frame in turn.frames],
        "call_key": turn.call_key,
    }


def _as_written(turns: Sequence[Turn]) -> list[str] | None:
    written = [turn.as_written or "" for turn in turns]
    return written if any(written) else None


def _frames(turn: Mapping[str, Any]) -> list[FrameRef]:
    return [FrameRef(i, t) for i, t in zip(turn["frame_ids"], turn["frame_times_s"], strict=True)]
