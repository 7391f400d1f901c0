"""Peak memory of this process."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def peak_memory_mb(device: torch.device) -> int:
    """On a GPU, the most that torch has allocated there; otherwise resident memory."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
