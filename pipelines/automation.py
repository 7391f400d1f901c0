"""Jobs, schedules and a sensor. All are off until someone switches them on in the UI."""

from collections.abc import Iterator

import dagster as dg

from assets.workspace import Workspace

BATCH_ASSETS = dg.AssetSelection.groups("videos", "distillation")
"""Materialised batch by batch."""
RUN_ASSETS = dg.AssetSelection.groups("curation", "datasets", "training", "evaluation", "report")
"""Materialised over all batches."""

LIST_JOB = dg.define_asset_job(
    "list_sources",
    dg.AssetSelection.groups("sources"),
    description="List videos and read questions again; new files form new batches.",
)
BATCH_JOB = dg.define_asset_job(
    "process_batch",
    BATCH_ASSETS,
    description="From files to graded trajectories, for one batch (a partition).",
)
CURATE_JOB = dg.define_asset_job(
    "curate_and_train",
    RUN_ASSETS,
    description="From graded trajectories of all batches to data sets, policy and report.",
)
JOBS = [LIST_JOB, BATCH_JOB, CURATE_JOB]

SCHEDULES = [
    dg.ScheduleDefinition(
        name="nightly_listing",
        job=LIST_JOB,
        cron_schedule="0 1 * * *",
        description="Look for new videos and questions each night.",
    ),
    dg.ScheduleDefinition(
        name="weekly_curation",
        job=CURATE_JOB,
        cron_schedule="0 4 * * 0",
        description="Curate, write data sets, train and report each week.",
    ),
]


@dg.sensor(
    job=BATCH_JOB,
    minimum_interval_seconds=60,
    description="Process each listed batch that has no graded reflections yet.",
)
def new_batches(
    context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    waiting = [batch for batch in workspace.batches() if workspace.stamps.read("reflection_grades", batch) is None]
    if not waiting:
        yield dg.SkipReason("every batch is processed")
    for batch in waiting:
        yield dg.RunRequest(run_key=batch, partition_key=batch)


SENSORS = [new_batches]
