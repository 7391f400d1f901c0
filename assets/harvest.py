"""`rft_shards`, `rft_policy`: good rollouts of RL as a data set, and the policy fine-tuned on them.

They are in the graph only where the recipe has `rl.harvest`.
"""

import dagster as dg

from assets.datasets import warn_if_empty
from assets.training import GROUP, checkpoint_of, fine_tune, nothing_to_train_on
from assets.workspace import Workspace, finish, step


@dg.asset(
    group_name=GROUP,
    kinds={"parquet", "huggingface"},
    deps=["rl_policy", "verdicts", "leaks", "questions", "videos"],
    code_version="3",
    description="Rollouts of RL that are correct, well formed, looked at the evidence and differ from one another. "
    "They pass the same rules as all trajectories and have a manifest and a card like every data set.",
)
@step
def rft_shards(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from filters.rules import run_rules
    from train.rl.harvest import harvest
    from videozoomer.protocol.question import bad_spans_by_video
    from videozoomer.shards.build import about_recipe, build_sft
    from videozoomer.shards.read import ShardSet
    from videozoomer.video.reader import ReaderPool

    chosen, lake, target = workspace.recipe, workspace.lake, workspace.shards("rft")
    settings = chosen.rl.harvest
    if settings is None:
        raise dg.Failure(f"recipe {chosen.name} harvests no rollouts; set rl.harvest")
    played = ShardSet(workspace.shards("rl"))
    played.verify()
    with ReaderPool(
        chosen.protocol.min_pixels,
        chosen.protocol.max_pixels,
        unpacked_dir=workspace.unpacked,
        stream=chosen.video.stream_index,
        bad_spans=bad_spans_by_video(played.questions()),
    ) as readers:
        # Without a policy there is no rollout; what an earlier one played is in the folder still.
        run = workspace.training("rl") if checkpoint_of(workspace, "rl") else None
        left_out = harvest(run, played, lake, readers, settings)
    verdicts = run_rules(lake, chosen.filters).verdicts
    for reasons, count in verdicts.filter(kind="rollout", outcome="rejected").group_by("reasons").len().iter_rows():
        left_out["dropped by a rule: " + ", ".join(reasons)] = count
    about = about_recipe(chosen) | {"left_out": {reason: count for reason, count in left_out.items() if count}}
    workspace.begin_writing()
    manifest = build_sft(lake, target, chosen.shards, about, verdicts=verdicts, kinds=["rollout"])
    warn_if_empty(context, "rft", manifest)
    return finish(
        context,
        workspace,
        manifest.content_hash,
        facts={
            "rows": manifest.rows,
            "frames": manifest.frames,
            "bytes": manifest.bytes,
            "left_out": sum(left_out.values()),
        },
        metadata={
            "path": dg.MetadataValue.path(str(target)),
            "card": dg.MetadataValue.md((target / "README.md").read_text()),
        },
    )


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "deepspeed"},
    deps=[rft_shards, "rl_policy"],
    code_version="1",
    description="The policy of RL, fine-tuned on its own good rollouts.",
)
@step
def rft_policy(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    start = checkpoint_of(workspace, "rl")
    if start is None:
        return nothing_to_train_on(context, workspace, "rft", "there is no policy of RL to start from")
    policy = workspace.recipe.policy.model_copy(update={"checkpoint": str(start)})
    return fine_tune(
        context,
        workspace,
        pipes,
        "rft",
        "fine-tune the policy on its own good rollouts",
        workspace.recipe.model_copy(update={"policy": policy}),
    )
