"""What would spoil a run, found before it decodes or asks anything: servers, questions, prices and disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from assets.training_process import missing_packages
from distill.client.endpoints import servers_of
from distill.client.preflight import Finding, check_server
from pipelines.estimate import usable_questions
from videozoomer.settings import Recipe

LOW_DISK_BYTES = 2 * 2**30


def check_recipe(recipe: Recipe, *, with_calls: bool) -> list[Finding]:
    """Everything that can be known now. `with_calls` also sends each server one call, which may cost money.

    Raises:
        SourceError: a source has nothing to list, or a question file cannot be read.
    """
    found: list[Finding] = []
    questions = usable_questions(recipe)
    if not any(questions.values()):
        found.append(
            Finding("error", "no question can be asked; `videozoomer sources add` prints the reasons, row by row")
        )
    protocol, judge = recipe.protocol.to_protocol(), recipe.filters.judge
    for server in servers_of(recipe):
        found += check_server(server, protocol, shows_frames=server is not judge, with_call=with_calls)
        prices = server.prices
        if recipe.distill.budget_usd is not None and not (prices.input_per_million or prices.output_per_million):
            found.append(
                Finding(
                    "warning",
                    f"distill.budget_usd is set, but {server.model or server.base_url} has no prices, so nothing is "
                    "counted; set its prices.input_per_million and output_per_million",
                )
            )
    return found + _training(recipe) + _disk(recipe)


def _training(recipe: Recipe) -> list[Finding]:
    missing = missing_packages(adapters=recipe.policy.lora_rank > 0) if recipe.trains else []
    if not missing:
        return []
    return [
        Finding(
            "error",
            f"the recipe trains a policy, which needs {', '.join(missing)}; run `pip install 'videozoomer[train]'`, or "
            "remove policy from the recipe",
        )
    ]


def _disk(recipe: Recipe) -> list[Finding]:
    home = recipe.home_path
    place = next((folder for folder in (home, *home.parents) if folder.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    if free >= LOW_DISK_BYTES:
        return []
    return [Finding("warning", f"only {free / 1e9:.1f} GB are free at {place}; free some, or set home to another disk")]
