"""The state of a run that may be killed, and the checkpoint of one that has ended."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shards.manifest import sha256_of
from train.engine import Place, whole_state
from train.policy import Policy, save_policy

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

CODE = "1"
"""Raised when the same recipe and data would train another policy."""


def stamp_of(*facts: object) -> str:
    """A state is gone on from only by a run that would have come to it itself: same code, data, recipe and machines."""
    return hashlib.sha256(json.dumps([CODE, *facts]).encode()).hexdigest()[:32]


def resume(engine: DeepSpeedEngine, out: Path, stamp: str, beginning: dict) -> dict:
    """Load weights, optimiser and progress of a killed run whose state lies there; otherwise `beginning`."""
    state = out / "state"
    if _is_of(state, stamp) and (state / "latest").exists():
        _, progress = engine.load_checkpoint(str(state))
        return {name: progress[name] for name in beginning}
    return dict(beginning)


def save_state(engine: DeepSpeedEngine, out: Path, stamp: str, progress: dict, place: Place) -> None:
    """DeepSpeed names a state in `latest` only once it is whole; older ones go after that."""
    import torch.distributed as dist

    state = out / "state"
    if place.first and not _is_of(state, stamp):
        drop_state(out)
        state.mkdir()
        (state / "stamp").write_text(stamp)
    dist.barrier()
    tag = f"step{progress['step']}"
    engine.save_checkpoint(str(state), tag=tag, client_state=dict(progress))
    dist.barrier()
    if place.first:
        for older in state.glob("step*"):
            if older.name != tag:
                shutil.rmtree(older)


def drop_state(out: Path) -> None:
    if (out / "state").exists():
        shutil.rmtree(out / "state")


def _is_of(state: Path, stamp: str) -> bool:
    return (state / "stamp").exists() and (state / "stamp").read_text() == stamp


def save_weights(engine: DeepSpeedEngine, policy: Policy, target: Path, *, zero_stage: int, adapters: bool, first: bool) -> None:
    """A standard checkpoint folder in one rename; adapters are merged into the weights. Every process must call it."""
    weights = whole_state(engine, zero_stage)
    if not first:
        return
    if adapters:
        policy = replace(policy, model=engine.module.merge_and_unload())
    temporary = target.with_name(f".{target.name}")
    if temporary.exists():
        shutil.rmtree(temporary)
    save_policy(policy, temporary, weights)
    if target.exists():
        shutil.rmtree(target)
    temporary.rename(target)


def weights_hash(checkpoint: Path) -> str:
    digests = [sha256_of(path) for path in sorted(checkpoint.glob("*.safetensors"))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
