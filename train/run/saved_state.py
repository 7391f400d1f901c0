"""The saved state of a run, from which it resumes after being killed."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from train.run.deepspeed_engine import full_weights
from train.run.process_group import ProcessInfo, barrier
from videozoomer.lake.atomic import replaced_file, write_text

if TYPE_CHECKING:
    import torch
    from deepspeed import DeepSpeedEngine

CODE = "2"
"""Raise it when the same recipe and data would train a different policy."""


@dataclass(kw_only=True)
class Progress:
    """How far a run has come. The names of its fields are keys in saved states, so keep them."""

    step: int = 0
    """Steps completed."""
    tokens: float = 0
    seconds: float = 0.0
    """Time in steps, over all processes that have worked on the run."""
    phases: dict[str, float]
    """Seconds by phase."""

    def add_phases(self, seconds: dict[str, float]) -> None:
        self.phases = {name: self.phases[name] + value for name, value in seconds.items()}


AnyProgress = TypeVar("AnyProgress", bound=Progress)


def stamp_of(*facts: object) -> str:
    """Only a run with the same stamp resumes from a state: same code, data, recipe and number of processes."""
    return hashlib.sha256(json.dumps([CODE, *facts]).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class SavedState:
    """The folder `state/` of a run: DeepSpeed's checkpoints, the best weights, and the run's stamp.

    Every process must call each method.
    """

    engine: DeepSpeedEngine
    folder: Path
    stamp: str
    zero_stage: int
    process: ProcessInfo

    def resume(self, beginning: AnyProgress) -> AnyProgress:
        """Load weights, optimiser and progress of a killed run; `beginning` where there is no state of this run."""
        if not (self._is_ours() and (self.folder / "latest").exists()):
            return beginning
        _, saved = self.engine.load_checkpoint(str(self.folder))
        return replace(beginning, **{field.name: saved[field.name] for field in fields(beginning)})

    def save(self, progress: Progress, *, best_step: int | None = None) -> None:
        """DeepSpeed names a state in `latest` once it is complete.

        Afterwards, removes older states and all best weights except those of `best_step`.
        """
        self._claim_folder()
        tag = f"step{progress.step}"
        self.engine.save_checkpoint(str(self.folder), tag=tag, client_state=asdict(progress))
        barrier()
        if self.process.is_main:
            for older in self.folder.glob("step*"):
                if older.name != tag:
                    shutil.rmtree(older)
            for older in self.folder.glob("best*"):
                if older != self._best(best_step):
                    older.unlink()

    def keep_best(self, step: int) -> None:
        """Save the trained weights under their step's name; a state that names older best weights still finds those."""
        import torch

        self._claim_folder()
        weights = full_weights(self.engine, self.zero_stage)
        if self.process.is_main:
            if weights is None:
                weights = {
                    name: value.detach().cpu()
                    for name, value in self.engine.module.named_parameters()
                    if value.requires_grad
                }
            with replaced_file(self._best(step)) as partial:
                torch.save(weights, partial)
        barrier()

    def restore_best(self, step: int) -> dict[str, torch.Tensor] | None:
        """Put the weights of `keep_best` back into the model; returns them where ZeRO-3 has partitioned the model."""
        import torch

        weights = torch.load(self._best(step), weights_only=True, map_location="cpu")
        if self.zero_stage == 3:
            return weights
        with torch.no_grad():
            for name, value in self.engine.module.named_parameters():
                if value.requires_grad:
                    value.copy_(weights[name])
        return None

    def drop(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _best(self, step: int | None) -> Path:
        return self.folder / f"best{step}.pt"

    def _claim_folder(self) -> None:
        """Clear the folder if it belongs to another run."""
        if self.process.is_main and not self._is_ours():
            self.drop()
            write_text(self.folder / "stamp", self.stamp)
        barrier()

    def _is_ours(self) -> bool:
        stamp = self.folder / "stamp"
        return stamp.exists() and stamp.read_text() == self.stamp
