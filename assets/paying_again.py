"""Replies that were paid for and are gone: nobody pays for them again without having been asked."""

from __future__ import annotations

import dagster as dg

from assets.workspace import Workspace


def ask_before_paying_again(workspace: Workspace, stage: str, batch: str) -> None:
    """Stop where the ledger of a stage is missing or empty although its calls cost money before.

    Raises:
        dagster.Failure: so it is, and the run was not told to pay again.
    """
    stamp, path = workspace.stamps.read(stage, batch), workspace.ledger(stage, batch)
    paid_usd = float((stamp.facts if stamp else {}).get("calls_paid_usd") or 0)
    if not paid_usd or workspace.pay_again or _has_calls(workspace, stage, batch):
        return
    raise dg.Failure(
        f"{stage} of batch {batch} made calls for ${paid_usd:.2f} before, but their ledger {path} is "
        f"{'empty' if path.exists() else 'missing'}. Put it back from a copy, and its replies are replayed; or run "
        "with --pay-again to make and pay for the calls once more."
    )


def _has_calls(workspace: Workspace, stage: str, batch: str) -> bool:
    from distill.storage.ledger import read_entries

    path = workspace.ledger(stage, batch)
    return path.is_file() and path.stat().st_size > 0 and next(read_entries(path), None) is not None
