"""`videos`, `shots`, `overviews`: one decode of each file of a batch; unreadable files are quarantined with a reason."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from assets.workspace import BATCHES, Workspace, code_version, content_of, finish, preview
from videozoomer.settings import Recipe

GROUP = "videos"
PARTITION = "overviews.{batch}"
"""Partition of the table `frames` that holds a batch's overview frames."""


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    version = code_version("2", recipe.video, recipe.protocol)
    common = {"code_version": version, "kinds": {"parquet", "pyav"}, "group_name": GROUP}

    @dg.multi_asset(
        name="ingest",
        partitions_def=BATCHES,
        specs=[
            dg.AssetSpec(
                "videos",
                deps=["sources"],
                **common,
                description="Every file of the batch, probed and decoded once: codec, size, rate, "
                "keyframes, perceptual signature; status `ok` or `quarantined` with its reason.",
            ),
            dg.AssetSpec(
                "shots",
                deps=["sources"],
                **common,
                description="Shots of every readable video, by the recipe's detectors on the same decode.",
            ),
            dg.AssetSpec(
                "overviews",
                deps=["sources"],
                **common,
                description="The glance: at most K frames of every readable video, at protocol size, "
                "each with its own presentation time.",
            ),
        ],
    )
    def ingest(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult]:
        from videozoomer.video.ingest import IngestSettings, ingest_many

        batch, lake, chosen, protocol = (
            context.partition_key,
            workspace.lake,
            workspace.recipe.video,
            workspace.recipe.protocol,
        )
        files = lake.read("files", [batch])
        source_of = dict(zip(files["uri"], files["source"], strict=True))
        settings = IngestSettings(
            protocol.to_protocol(),
            detectors=chosen.detectors,
            overview=chosen.overview,
            zoom_store_fps=chosen.zoom_store_fps,
            zoom_store_dir=workspace.zoom_store,
        )
        videos, shots, overviews, frames, sheet = [], [], [], {}, []
        done_ids: set[str] = set()
        with workspace.progress.task(f"read videos of {batch}", files.height) as advance:
            for item in ingest_many(
                files["uri"].to_list(),
                settings,
                workers=chosen.workers,
                timeout_s=chosen.timeout_s,
                memory_mb=chosen.memory_mb,
            ):
                record = item.record
                videos.append({**asdict(record), "source": source_of[record.uri], "batch": batch})
                advance(1)
                if record.status != "ok":
                    context.log.warning(f"quarantined {record.uri}: {record.reason}: {record.detail}")
                    continue
                if record.video_id in done_ids:
                    continue
                done_ids.add(record.video_id)
                shots += [
                    {"video_id": record.video_id, "detector": item.detector, **asdict(shot)} for shot in item.shots
                ]
                for index, frame in enumerate(item.overview):
                    overviews.append(
                        {
                            "video_id": record.video_id,
                            "index": index,
                            "requested_s": frame.requested_s,
                            "time_s": frame.time_s,
                            "frame_id": frame.frame_id,
                            "policy": chosen.overview,
                        }
                    )
                    frames.setdefault(
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
                if not sheet:
                    sheet = [(frame.time_s, frame.jpeg) for frame in item.overview]
        lost = sum(row["status"] != "ok" for row in videos)
        if files.height and lost > chosen.failed_share * files.height:
            reasons = sorted({f"{row['uri']}: {row['detail']}" for row in videos if row["status"] != "ok"})
            raise dg.Failure(
                f"{lost} of {files.height} videos of batch {batch} cannot be read, more than video.failed_share "
                f"({chosen.failed_share:.0%}) allows. Remove them or raise the share. First: {reasons[0]}"
            )
        lake.write("videos", videos, batch)
        lake.write("shots", shots, batch)
        lake.write("overviews", overviews, batch)
        lake.write("frames", list(frames.values()), PARTITION.format(batch=batch))
        yield finish(
            context,
            workspace,
            content_of(workspace, [("videos", batch)]),
            asset="videos",
            facts={
                "videos": len(videos),
                "ok": len(videos) - lost,
                "quarantined": lost,
                "hours": round(sum(row["duration_s"] or 0 for row in videos) / 3600, 3),
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
            facts={"shots": len(shots)},
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
            facts={"overview_frames": len(overviews), "bytes": sum(len(row["jpeg"]) for row in frames.values())},
            metadata=_contact_sheet(sheet),
        )

    return [ingest]


def _contact_sheet(frames: list[tuple[float, bytes]]) -> dict[str, dg.MarkdownMetadataValue]:
    if not frames:
        return {}
    import base64

    from eval.figures import contact_sheet

    encoded = base64.b64encode(contact_sheet(frames[:64], 6)).decode()
    return {"overview": dg.MetadataValue.md(f"![overview of the first video](data:image/jpeg;base64,{encoded})")}
