"""Which results people's reviews change, so that they are made again after a review. A tag or a note changes none."""

from collections.abc import Mapping

from assets.workspace import Workspace
from videozoomer.reviews.current import digest
from videozoomer.reviews.review import DECISIONS

DECIDED = ("keep", "drop")
PAIRS = {"pair": ("leak", "no_leak")}
"""Decisions on pairs of videos and of questions, which the asset `leaks` reads."""
REVIEWED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "verdicts": {"trajectory": DECIDED, "question": DECIDED},
    "sft_shards": {"trajectory": ("judged",)},
    "report": {subject: tuple(decisions) for subject, decisions in DECISIONS.items()},
}
"""Asset -> the decisions that it reads, by subject. The card of `sft_shards` has the precision by blind judgements; its
rows, and so what is trained on them, stay the same."""


def reviewed(workspace: Workspace, asset: str) -> str | None:
    """Hash of the reviews that an asset reads; None while there are none."""
    return digest(workspace.lake, REVIEWED[asset])


def reviewed_fact(workspace: Workspace, asset: str) -> dict[str, str]:
    """The same as a fact for the asset's stamp; take it before reviews are read, so that later ones make it stale."""
    found = reviewed(workspace, asset)
    return {"listing": found} if found else {}
