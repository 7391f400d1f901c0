"""Time by phase of training. `train/run/flops.py` counts operations, `train/run/memory.py` measures memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from train.run.flops import TowerFlops

if TYPE_CHECKING:
    import torch
    from torch import nn

PHASES = ("loading", "vision", "forward", "backward", "optimiser")
"""Phases of fine-tuning.

`vision` is the forward pass of the vision tower wherever it is called; its backward pass counts as `backward`.
"""


class PhaseTimer:
    """Seconds by phase. A nested phase pauses the outer one; time outside all phases is not counted."""

    def __init__(self, device: torch.device, phases: Sequence[str] = PHASES) -> None:
        self.phases = phases
        self.seconds = dict.fromkeys(phases, 0.0)
        self.tower_flops = 0.0
        self._on_gpu = device.type == "cuda"
        self._open: list[str] = []
        self._since_s = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._begin(name)
        try:
            yield
        finally:
            self._end()

    def watch(self, tower: nn.Module, flops: TowerFlops) -> None:
        """Time every call of the vision tower as `vision`, and count its operations."""

        def begin(module: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._begin("vision")
            self.tower_flops += flops.of_grids(named["grid_thw"].tolist())

        tower.register_forward_pre_hook(begin, with_kwargs=True)
        tower.register_forward_hook(lambda *_: self._end(), always_call=True)

    def take(self) -> tuple[dict[str, float], float]:
        """Seconds by phase and operations of the tower since the previous call; resets both."""
        taken = self.seconds, self.tower_flops
        self.seconds, self.tower_flops = dict.fromkeys(self.phases, 0.0), 0.0
        return taken

    def _begin(self, name: str) -> None:
        self._charge()
        self._open.append(name)

    def _end(self) -> None:
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        if self._on_gpu:
            import torch

            torch.cuda.synchronize()
        now_s = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now_s - self._since_s
        self._since_s = now_s
