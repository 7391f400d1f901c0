"""The state of a run that may be killed, and the checkpoint of one that has ended."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from train.policy.checkpoint import Policy, save_policy
from train.run.deepspeed_engine import ProcessInfo, whole_state
from videozoomer.lake.atomic import replaced_file, replaced_folder, write_text
from videozoomer.shards.manifest import sha256_of

if TYPE_CHECKING:
    import torch
    from deepspeed import DeepSpeedEngine

CODE = "2"
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


def save_state(engine: DeepSpeedEngine, out: Path, stamp: str, progress: dict, process: ProcessInfo) -> None:
    """DeepSpeed names a state in `latest` only once it is whole; older ones go after that, and so do best weights
    (`keep_best`) of any other step than `progress["best_step"]`."""
    import torch.distributed as dist

    state = _folder(out, stamp, process)
    tag = f"step{progress['step']}"
    engine.save_checkpoint(str(state), tag=tag, client_state=dict(progress))
    dist.barrier()
    if process.is_main:
        for older in state.glob("step*"):
            if older.name != tag:
                shutil.rmtree(older)
        for older in state.glob("best*"):
            if older != _best(out, progress.get("best_step")):
                older.unlink()


def keep_best(
    engine: DeepSpeedEngine, out: Path, stamp: str, step: int, *, zero_stage: int, process: ProcessInfo
) -> None:
    """Put the trained weights aside under their step's name, so that the state which names an older best still finds
    it. Every process must call it."""
    import torch
    import torch.distributed as dist

    _folder(out, stamp, process)
    weights = whole_state(engine, zero_stage)
    if process.is_main:
        if weights is None:
            weights = {
                name: value.detach().cpu() for name, value in engine.module.named_parameters() if value.requires_grad
            }
        with replaced_file(_best(out, step)) as partial:
            torch.save(weights, partial)
    dist.barrier()


def bring_best(engine: DeepSpeedEngine, out: Path, step: int, *, zero_stage: int) -> dict[str, torch.Tensor] | None:
    """The weights that `keep_best` put aside, as `save_weights` wants them: in the model, or whole where ZeRO-3 has
    spread the model's own."""
    import torch

    weights = torch.load(_best(out, step), weights_only=True, map_location="cpu")
    if zero_stage == 3:
        return weights
    with torch.no_grad():
        for name, value in engine.module.named_parameters():
            if value.requires_grad:
                value.copy_(weights[name])
    return None


def _best(out: Path, step: int | None) -> Path:
    return out / "state" / f"best{step}.pt"


def _folder(out: Path, stamp: str, process: ProcessInfo) -> Path:
    """The folder for states of this run; that of another run is emptied. Every process must call it."""
    import torch.distributed as dist

    state = out / "state"
    if process.is_main and not _is_of(state, stamp):
        drop_state(out)
        write_text(state / "stamp", stamp)
    dist.barrier()
    return state


def drop_state(out: Path) -> None:
    if (out / "state").exists():
        shutil.rmtree(out / "state")


def _is_of(state: Path, stamp: str) -> bool:
    return (state / "stamp").exists() and (state / "stamp").read_text() == stamp


def save_weights(
    engine: DeepSpeedEngine,
    policy: Policy,
    target: Path,
    *,
    zero_stage: int,
    adapters: bool,
    first: bool,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """A standard checkpoint folder in one rename; adapters are merged into the weights. Every process must call it.

    `weights` stand in for those that ZeRO-3 has spread over the processes.
    """
    if weights is None:
        weights = whole_state(engine, zero_stage)
    if not first:
        return
    if adapters:
        policy = replace(policy, model=engine.module.merge_and_unload())
    with replaced_folder(target) as partial:
        save_policy(policy, partial, weights)


def weights_hash(checkpoint: Path) -> str:
    digests = [sha256_of(path) for path in sorted(checkpoint.glob("*.safetensors"))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
