"""What would spoil a run, found before it decodes or asks anything: servers, questions, prices and disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from assets.training_process import missing_packages
from distill.client.endpoints import servers_of
from distill.client.preflight import Finding, check_server
from pipelines.disk import DiskNeed, disk_need, free_bytes, size
from pipelines.estimate import expected_stages, films_of, usable_questions
from videozoomer.settings import Recipe
from videozoomer.settings.model import Endpoint
from videozoomer.settings.policy import is_hub_name

LOW_DISK_BYTES = 2 * 2**30


def check_recipe(recipe: Recipe, *, with_calls: bool) -> list[Finding]:
    """Everything that can be known now. `with_calls` also sends each server one call, which may cost money.

    Raises:
        SourceError: a source has nothing to list, or a question file cannot be read.
    """
    found: list[Finding] = []
    films = films_of(recipe)
    questions = usable_questions(recipe, films)
    if not any(questions.values()):
        found.append(Finding("error", "no question can be asked; `videozoomer sources check` prints why, row by row"))
    protocol, judge = recipe.protocol.to_protocol(), recipe.filters.judge
    for server in servers_of(recipe):
        found += check_server(server, protocol, shows_frames=server is not judge, with_call=with_calls)
        found += _prices(recipe, server)
    listed = [film for of_source in films.values() for film in of_source]
    return found + _training(recipe) + _disk(recipe, disk_need(recipe, listed, expected_stages(recipe, questions)))


def _prices(recipe: Recipe, server: Endpoint) -> list[Finding]:
    prices, name = server.prices, server.model or server.base_url
    if prices.input_per_million or prices.output_per_million:
        return []
    remedy = "set its prices.input_per_million and output_per_million"
    if recipe.distill.budget_usd is not None:
        return [
            Finding("warning", f"distill.budget_usd is set, but {name} has no prices, so nothing is counted; {remedy}")
        ]
    if server.api_key_env:
        return [Finding("warning", f"{name} has no prices, so its calls are counted at 0 USD; {remedy}")]
    return []


def _training(recipe: Recipe) -> list[Finding]:
    """What would end the training, hours later."""
    if not recipe.trains:
        return []
    found, policy, sft = [], recipe.policy, recipe.sft
    if missing := missing_packages(adapters=policy.lora_rank > 0):
        found.append(
            f"the recipe trains a policy, which needs {', '.join(missing)}; run `pip install 'videozoomer[train]'`, or "
            "remove policy from the recipe"
        )
    if policy.checkpoint and not Path(policy.checkpoint).is_dir() and not is_hub_name(policy.checkpoint):
        found.append(
            f"policy.checkpoint {policy.checkpoint} is neither a folder nor a name on the hub (ORGANISATION/NAME)"
        )
    if not sft.packing and sft.batch_size % (sft.micro_batch_size * sft.processes):
        found.append(
            f"sft.batch_size {sft.batch_size} is no multiple of sft.micro_batch_size {sft.micro_batch_size} x "
            f"{sft.processes} processes; change one of them"
        )
    return [Finding("error", sentence) for sentence in found]


def _disk(recipe: Recipe, need: DiskNeed) -> list[Finding]:
    home = recipe.home_path
    place, free = free_bytes(home)
    written = sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) if home.is_dir() else 0
    remedies = ["free some", "set home to another disk"]
    if recipe.video.zoom_store_fps:
        remedies.append("lower video.zoom_store_fps")
    said = f"the run needs about {need}; {place} has {size(free)} free"
    if free < LOW_DISK_BYTES and need.bytes - written <= free:
        return [Finding("warning", f"only {size(free)} are free at {place}; free some, or set home to another disk")]
    if need.bytes - written <= free:
        return [Finding("note", f"disk: {said}")]
    level: Literal["error", "warning"] = "error" if need.certain - written > free else "warning"
    return [Finding(level, f"{said}; {', or '.join(remedies)}")]
