"""Quarantined files that may be readable at another try: only they are read again, not the rest of their batch."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from assets.workspace import Workspace, raised_limits
from videozoomer.settings.video import VideoSettings

if TYPE_CHECKING:
    from videozoomer.video.settings import Ingested

ALWAYS = frozenset({"unreadable"})
"""Reasons that may pass by themselves, such as a network that fails; every run tries again."""
LIMITS = {"timeout": "timeout_s", "out_of_memory": "memory_mb"}
"""Reasons that pass once a setting of `video` is raised."""


def retry_facts(rows: Iterable[Mapping[str, Any]], chosen: VideoSettings) -> dict[str, Any]:
    """Facts for the stamp of `videos`: how many files every run tries again, and the limits that others ran into."""
    reasons = [row["reason"] for row in rows]
    limits = {LIMITS[reason]: getattr(chosen, LIMITS[reason]) for reason in reasons if reason in LIMITS}
    return {"retryable": sum(reason in ALWAYS for reason in reasons), **({"limits": limits} if limits else {})}


def settled(workspace: Workspace, batch: str, inputs: str, frames: str) -> "list[Ingested]":
    """Results of the batch that stay as they are; empty unless the batch is stale for files to try again alone.

    `inputs` is the hash of what the batch would be made from now, `frames` the partition with its overview frames.
    """
    from videozoomer.video.settings import Ingested
    from videozoomer.video.types import BadSpan, Frame, Shot, SignatureTrack, VideoRecord

    stamp = workspace.stamps.read("videos", batch)
    if stamp is None or stamp.inputs != inputs:
        return []
    raised = raised_limits(stamp, workspace.recipe)
    again = ALWAYS | {reason for reason, name in LIMITS.items() if name in raised}
    lake = workspace.lake
    videos = lake.read("videos", [batch]).to_dicts()
    if not any(row["reason"] in again for row in videos):
        return []
    jpegs = {row["frame_id"]: row for row in lake.read("frames", [frames]).to_dicts()}
    shots: dict[str, list[Shot]] = {}
    detector: dict[str, str] = {}
    for row in lake.read("shots", [batch]).sort("video_id", "index").to_dicts():
        shots.setdefault(row["video_id"], []).append(Shot(row["index"], row["start_s"], row["end_s"], row["score"]))
        detector[row["video_id"]] = row["detector"]
    overviews: dict[str, list[Frame]] = {}
    policy: dict[str, str] = {}
    for row in lake.read("overviews", [batch]).sort("video_id", "index").to_dicts():
        shown = jpegs[row["frame_id"]]
        overviews.setdefault(row["video_id"], []).append(
            Frame(row["frame_id"], row["time_s"], row["requested_s"], shown["width"], shown["height"], shown["jpeg"])
        )
        policy[row["video_id"]] = row["policy"]
    bad_spans: dict[str, list[BadSpan]] = {}
    for row in lake.read("bad_spans", [batch]).sort("video_id", "index").to_dicts():
        span = BadSpan(row["start_s"], row["end_s"], row["reason"], row["packets"])
        bad_spans.setdefault(row["video_id"], []).append(span)
    signatures: dict[str, list[SignatureTrack]] = {}
    for row in lake.read("signatures", [batch]).to_dicts():
        track = SignatureTrack(row["track"], row["pictures"], row["motions"])
        signatures.setdefault(row["video_id"], []).append(track)
    names = [field.name for field in fields(VideoRecord)]

    def record(row: dict[str, Any]) -> VideoRecord:
        values: dict[str, Any] = {name: row[name] for name in names}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return VideoRecord(**values)

    return [
        Ingested(
            record(row),
            tuple(shots.get(row["video_id"], ())),
            detector.get(row["video_id"], ""),
            tuple(overviews.get(row["video_id"], ())),
            policy.get(row["video_id"], ""),
            tuple(bad_spans.get(row["video_id"], ())),
            tuple(signatures.get(row["video_id"], ())),
        )
        for row in videos
        if row["reason"] not in again
    ]
