"""`videos`, `shots`, `overviews`: each file is decoded once; unreadable ones are quarantined with a reason.

What cannot be read of a damaged file is in the table `bad_spans`, and what copies of a film are found by in the table
`signatures`; both are written with `videos`.
"""

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.kept_films import KeptFilms, split_kept
from assets.retries import retry_facts, settled
from assets.workspace import BATCHES, Workspace, content_of, finish, preview, step
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import BadSpanRow, FileRow, FrameRow, OverviewRow, ShotRow, SignatureRow

if TYPE_CHECKING:
    from videozoomer.video.settings import Ingested, IngestSettings

GROUP = "videos"
KINDS = {"parquet", "pyav"}
PARTITION = "overviews.{batch}"
"""Partition of the table `frames` with a batch's overview frames."""


@dataclass
class Collected:
    """Rows of one batch, gathered file by file."""

    policy: str
    """How overview times are chosen, a column of `overviews`."""
    videos: list[dict[str, Any]] = field(default_factory=list)
    shots: list[ShotRow] = field(default_factory=list)
    bad_spans: list[BadSpanRow] = field(default_factory=list)
    signatures: list[SignatureRow] = field(default_factory=list)
    overviews: list[OverviewRow] = field(default_factory=list)
    frames: dict[str, FrameRow] = field(default_factory=dict)
    """Rows of the table `frames` by frame id."""
    sheet: list[tuple[float, bytes]] = field(default_factory=list)
    """Time in seconds and JPEG of each overview frame of the first readable video."""
    readable: set[str] = field(default_factory=set)
    """Ids of the videos whose shots and overview are in these rows."""

    def add(self, item: "Ingested", source: str, batch: str) -> None:
        record = item.record
        self.videos.append({**asdict(record), "source": source, "batch": batch})
        if record.status != "ok" or record.video_id is None or record.video_id in self.readable:
            # A second file with the same content has the same id, so its shots and frames are stored already.
            return
        self.readable.add(record.video_id)
        self.shots += [
            {
                "video_id": record.video_id,
                "index": shot.index,
                "start_s": shot.start_s,
                "end_s": shot.end_s,
                "score": shot.score,
                "detector": item.detector,
            }
            for shot in item.shots
        ]
        self.bad_spans += [
            {
                "video_id": record.video_id,
                "index": index,
                "start_s": span.start_s,
                "end_s": span.end_s,
                "reason": span.reason,
                "packets": span.packets,
            }
            for index, span in enumerate(item.bad_spans)
        ]
        self.signatures += [
            {
                "video_id": record.video_id,
                "track": found.track,  # type: ignore[typeddict-item]
                "pictures": found.pictures,
                "motions": found.motions,
            }
            for found in item.signature
        ]
        for index, frame in enumerate(item.overview):
            self.overviews.append(
                {
                    "video_id": record.video_id,
                    "index": index,
                    "requested_s": frame.requested_s,
                    "time_s": frame.time_s,
                    "frame_id": frame.frame_id,
                    "policy": self.policy,
                }
            )
            self.frames.setdefault(
                frame.frame_id,
                {
                    "frame_id": frame.frame_id,
                    "video_id": record.video_id,
                    "time_s": frame.time_s,
                    "width": frame.width,
                    "height": frame.height,
                    "jpeg": frame.jpeg,
                },
            )
        self.sheet = self.sheet or [(frame.time_s, frame.jpeg) for frame in item.overview]

    @property
    def lost(self) -> list[dict[str, Any]]:
        return [row for row in self.videos if row["status"] != "ok"]


@dg.multi_asset(
    name="ingest",
    partitions_def=BATCHES,
    specs=[
        dg.AssetSpec(
            "videos",
            deps=["sources"],
            group_name=GROUP,
            code_version="6",
            kinds=KINDS,
            description="Every file of the batch, probed and decoded once: codec, size, frame rate, keyframes, "
            "and status `ok` or `quarantined` with a reason. The table `bad_spans` has what of a damaged file cannot "
            "be read, the table `signatures` what copies of a video are found by.",
        ),
        dg.AssetSpec(
            "shots",
            deps=["sources"],
            group_name=GROUP,
            code_version="5",
            kinds=KINDS,
            description="Shots of every readable video, found by the recipe's detectors during the same decode.",
        ),
        dg.AssetSpec(
            "overviews",
            deps=["sources"],
            group_name=GROUP,
            code_version="5",
            kinds=KINDS,
            description="The glance: up to `protocol.overview_frames` frames of every readable video at protocol "
            "size, each with its own presentation time.",
        ),
    ],
)
@step
def ingest(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult]:
    batch, lake, chosen = context.partition_key, workspace.lake, workspace.recipe.video
    versions = context.assets_def.code_versions_by_key
    kept = KeptFilms(
        workspace.scratch("ingest", batch),
        " ".join(sorted(f"{key.to_user_string()}:{version}" for key, version in versions.items())),
        workspace.zoom_store,
    )
    inputs = workspace.inputs("videos")
    rows = _collect(context, workspace, kept, settled(workspace, batch, inputs, PARTITION.format(batch=batch)))
    lost = len(rows.lost)
    if rows.videos and lost > chosen.failed_share * len(rows.videos):
        reasons = sorted({f"{row['uri']}: {row['detail']}" for row in rows.lost})
        raise dg.Failure(
            f"{lost} of {len(rows.videos)} videos of batch {batch} cannot be read, more than video.failed_share "
            f"({chosen.failed_share:.0%}) allows. Remove them or raise the share. First: {reasons[0]}"
        )
    lake.write("videos", rows.videos, batch)
    lake.write("bad_spans", rows.bad_spans, batch)
    lake.write("signatures", rows.signatures, batch)
    lake.write("shots", rows.shots, batch)
    lake.write("overviews", rows.overviews, batch)
    lake.write("frames", list(rows.frames.values()), PARTITION.format(batch=batch))
    yield finish(
        context,
        workspace,
        content_of(workspace, [("videos", batch), ("bad_spans", batch), ("signatures", batch)]),
        asset="videos",
        facts={
            "videos": len(rows.videos),
            "ok": len(rows.videos) - lost,
            "quarantined": lost,
            "salvaged": sum(bool(row["unreadable_s"]) for row in rows.videos),
            **retry_facts(rows.videos, chosen),
            "hours": round(sum(row["duration_s"] or 0 for row in rows.videos) / 3600, 3),
        },
        metadata={
            "preview": preview(
                lake.read("videos", [batch]),
                ["uri", "status", "reason", "codec", "width", "height", "duration_s", "variable_rate"],
            )
        },
    )
    yield finish(
        context,
        workspace,
        content_of(workspace, [("shots", batch)]),
        asset="shots",
        facts={"shots": len(rows.shots)},
        metadata={
            "preview": preview(
                lake.read("shots", [batch]), ["video_id", "index", "start_s", "end_s", "score", "detector"]
            )
        },
    )
    yield finish(
        context,
        workspace,
        content_of(workspace, [("overviews", batch)]),
        asset="overviews",
        facts={"overview_frames": len(rows.overviews), "bytes": sum(len(row["jpeg"]) for row in rows.frames.values())},
        metadata=_contact_sheet(rows.sheet),
    )
    workspace.after_commit(kept.clear)


ASSETS = [ingest]


def _collect(
    context: dg.AssetExecutionContext, workspace: Workspace, kept: KeptFilms, before: "list[Ingested]"
) -> Collected:
    """Decode the batch's files, several at once; log each one that is quarantined.

    Films that an unfinished run has kept are not read, nor are those in `before`, whose results stay.
    """
    from videozoomer.video.ingest import ingest_many

    batch, chosen = context.partition_key, workspace.recipe.video
    files = rows_as(FileRow, workspace.lake.read("files", [batch]))
    source_of = {file["uri"]: file["source"] for file in files}
    stays = {item.record.uri for item in before}
    found, unread = split_kept(kept, [file for file in files if file["uri"] not in stays])
    if found:
        context.log.info(f"{len(found)} of {len(files)} videos of {batch} were read by an earlier run")
    rows = Collected(policy=chosen.overview)
    shares: dict[str, float] = {}
    with workspace.progress.task(f"read videos of {batch}", len(files)) as advance:

        def on_progress(uri: str, share: float) -> None:
            advance(share - shares.get(uri, 0.0))
            shares[uri] = share

        for item in [*before, *found]:
            rows.add(item, source_of[item.record.uri], batch)
            advance(1)
        for item in ingest_many(
            list(unread),
            _ingest_settings(workspace),
            workers=chosen.workers,
            timeout_s=chosen.timeout_s,
            memory_mb=chosen.memory_mb,
            on_progress=on_progress,
        ):
            record = item.record
            kept.keep(*unread[record.uri], item)
            rows.add(item, source_of[record.uri], batch)
            on_progress(record.uri, 1.0)
            if record.status != "ok":
                context.log.warning(f"quarantined {record.uri}: {record.reason}: {record.detail}")
            elif item.bad_spans:
                context.log.warning(f"{record.uri} is {record.detail}")
    return rows


def _ingest_settings(workspace: Workspace) -> "IngestSettings":
    from videozoomer.video.settings import IngestSettings

    recipe = workspace.recipe
    return IngestSettings(
        recipe.protocol.to_protocol(),
        shots=recipe.video.shots,
        detectors=recipe.video.detectors,
        overview=recipe.video.overview,
        salvage=recipe.video.salvage,
        unreadable_share=recipe.video.unreadable_share,
        zoom_store_fps=recipe.video.zoom_store_fps,
        zoom_store_dir=workspace.zoom_store,
        stream=recipe.video.stream_index,
        unpacked_dir=workspace.unpacked,
    )


def _contact_sheet(frames: list[tuple[float, bytes]]) -> dict[str, dg.MarkdownMetadataValue]:
    if not frames:
        return {}
    from eval.figures import contact_sheet

    encoded = base64.b64encode(contact_sheet(frames[:64], 6)).decode()
    return {"overview": dg.MetadataValue.md(f"![overview of the first video](data:image/jpeg;base64,{encoded})")}
