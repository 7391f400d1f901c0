"""`sft_shards`, `rl_shards`, `evaluation_shards`: what leaves the house, each with manifest, checksums and a card."""

import dagster as dg

from assets.workspace import Workspace, code_version, finish
from videozoomer.settings import Recipe

GROUP = "datasets"
KINDS = {
    "sft": "Verified exemplars and reflections as conversations with their frames, byte for byte as the teacher was sent them; "
    "a reflection's failed turns are marked as not to be trained on.",
    "rl": "Training questions with truth, evidence windows, pass rate and overview: what multi-turn RL needs.",
    "evaluation": "Evaluation questions with truth, evidence windows and overview.",
}


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    version = code_version("2", recipe.shards, recipe.protocol)

    def one(kind: str, description: str) -> dg.AssetsDefinition:
        deps = (
            ["questions", "videos", "overviews", "leaks"]
            if kind == "evaluation"
            else ["verdicts", "question_stats", "funnel", "leaks"]
        )

        @dg.asset(
            name=f"{kind}_shards",
            group_name=GROUP,
            code_version=version,
            deps=deps,
            description=description,
            kinds={"parquet", "huggingface"},
        )
        def shards(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
            from videozoomer.shards.build import write_shards

            manifest = write_shards(kind, workspace.lake, workspace.shards(kind), workspace.recipe)
            return finish(
                context,
                workspace,
                manifest.content_hash,
                facts={"rows": manifest.rows, "frames": manifest.frames, "bytes": manifest.bytes},
                metadata={
                    "path": dg.MetadataValue.path(str(workspace.shards(kind))),
                    "card": dg.MetadataValue.md((workspace.shards(kind) / "README.md").read_text()),
                },
            )

        return shards

    return [one(kind, description) for kind, description in KINDS.items()]
