"""The settings of a recipe that each asset's result depends on.

An asset's code version is the number in its decorator, raised by hand when its code gives other results, followed by
the digests of these settings in this order. Changing an entry or its order makes results of existing runs stale.
"""

from collections.abc import Callable, Iterable

from videozoomer.settings import Recipe
from videozoomer.settings.model import Settings

Used = Callable[[Recipe], Iterable[Settings | str | None]]
"""Sections of the recipe, or a text for part of a section; a section that the recipe leaves out counts for nothing."""


def _nothing(recipe: Recipe) -> Iterable[Settings]:
    return ()


def _decoded(recipe: Recipe) -> Iterable[Settings]:
    return recipe.video, recipe.protocol


def _played(recipe: Recipe) -> Iterable[Settings]:
    return recipe.teacher, recipe.distill, recipe.protocol


def _probed(recipe: Recipe) -> Iterable[Settings | str]:
    """As other episodes of the teacher, and how many probes of which kind: the other filters change no probe."""
    chosen = recipe.filters
    return *_played(recipe), f"{chosen.probe_without_video:d}{chosen.probe_overview:d}{chosen.probe_samples}"


def _exemplars(recipe: Recipe) -> Iterable[Settings | str | None]:
    """As other episodes; where right answers decide how many are played, the graders and the test do too."""
    from filters.graders.grade import VERSION

    chosen, evidence = recipe.distill, recipe.filters.evidence
    fixed = chosen.enough_correct is None and chosen.max_samples is None
    test = f"{evidence.pass_level}-{evidence.open_chance}" if evidence and chosen.max_samples is not None else None
    return *_played(recipe), None if fixed else f"graders{VERSION}", test


def _graded(recipe: Recipe) -> Iterable[Settings | None]:
    return (recipe.filters.judge,)


def _curated(recipe: Recipe) -> Iterable[Settings]:
    return recipe.filters, recipe.protocol


def _exported(recipe: Recipe) -> Iterable[Settings]:
    return recipe.shards, recipe.protocol


def _fine_tuned(recipe: Recipe) -> Iterable[Settings]:
    return recipe.policy, recipe.sft, recipe.protocol


def _policy_evaluated(recipe: Recipe) -> Iterable[Settings]:
    return recipe.evaluation, recipe.protocol, recipe.policy


SETTINGS_USED: dict[str, Used] = {
    "sources": lambda recipe: recipe.sources,
    "questions": lambda recipe: recipe.sources,
    "videos": _decoded,
    "shots": _decoded,
    "overviews": _decoded,
    "probes": _probed,
    "exemplars": _exemplars,
    "reflections": _played,
    "probe_grades": _graded,
    "exemplar_grades": _graded,
    "reflection_grades": _graded,
    "student_shards": lambda recipe: (recipe.shards, recipe.filters),
    "student": _fine_tuned,
    "student_rollouts": lambda recipe: (recipe.student, recipe.protocol),
    "student_grades": _nothing,
    "leaks": _curated,
    "evidence_probes": lambda recipe: (recipe.filters, recipe.teacher, recipe.protocol),
    "verdicts": _curated,
    "question_stats": _curated,
    "funnel": _curated,
    "balance": _nothing,
    "sft_shards": _exported,
    "rl_shards": _exported,
    "evaluation_shards": _exported,
    "sft_policy": _fine_tuned,
    "rl_policy": lambda recipe: (recipe.policy, recipe.rl, recipe.protocol),
    "rft_shards": lambda recipe: (recipe.rl.harvest, recipe.filters, recipe.shards),
    "rft_policy": _fine_tuned,
    "teacher_evaluation": lambda recipe: (recipe.evaluation, recipe.protocol, recipe.teacher),
    "policy_evaluation": _policy_evaluated,
    "rl_policy_evaluation": _policy_evaluated,
    "report": _nothing,
    "viewer": _nothing,
    "lake_views": _nothing,
}


def code_version(version: str, used: Iterable[Settings | str | None]) -> str:
    """`version`, then the first eight digits of each digest, joined by hyphens."""
    parts = (item.digest()[:8] if isinstance(item, Settings) else item for item in used if item is not None)
    return "-".join([version, *parts])
