"""The processes of a run: which one this is, and reductions over all of them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")


@dataclass(frozen=True)
class ProcessInfo:
    """This process among all processes of the run."""

    rank: int
    world_size: int
    device: torch.device
    bf16: bool

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0


def join_process_group(bf16: bool) -> ProcessInfo:
    """Join the process group that `torchrun` or `deepspeed` has set up, or create one with this process alone.

    Must run before anything imports DeepSpeed, which detects its accelerator once. `bf16` applies only on a GPU that
    supports it; on a CPU it is slower than float32.
    """
    import torch

    cuda = torch.cuda.is_available()
    if not cuda:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if "RANK" not in os.environ:
        alone = {
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
        }
        os.environ.update(alone)
    import deepspeed

    if not cuda:
        _disable_compiled_reduce()
    deepspeed.init_distributed(dist_backend="nccl" if cuda else "gloo", verbose=False)
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    return ProcessInfo(
        int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), device, bf16 and cuda and torch.cuda.is_bf16_supported()
    )


def leave_process_group() -> None:
    import torch.distributed as dist

    dist.destroy_process_group()


def barrier() -> None:
    """Wait until all processes have reached this line."""
    import torch.distributed as dist

    dist.barrier()


def summed(values: list[float], process: ProcessInfo) -> list[float]:
    """Sums over all processes."""
    import torch
    import torch.distributed as dist

    total = torch.tensor(values, dtype=torch.float64, device=process.device)
    if process.world_size > 1:
        dist.all_reduce(total)
    return total.tolist()


def largest(value: float, process: ProcessInfo) -> float:
    """Maximum over all processes."""
    import torch
    import torch.distributed as dist

    found = torch.tensor([float(value)], dtype=torch.float64, device=process.device)
    if process.world_size > 1:
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return found.item()


def gathered_on_main(own: list[Item], process: ProcessInfo) -> list[Item]:
    """All processes' items on the main process, in order of rank; an empty list on the others."""
    import torch.distributed as dist

    if process.world_size == 1:
        return own
    found: list[list[Item]] | None = [[] for _ in range(process.world_size)] if process.is_main else None
    dist.gather_object(own, found)
    return [item for part in found or [] for item in part]


def gathered_everywhere(own: list[Item], process: ProcessInfo) -> list[Item]:
    """All processes' items on every process, in order of rank."""
    import torch.distributed as dist

    if process.world_size == 1:
        return own
    found: list[list[Item]] = [[] for _ in range(process.world_size)]
    dist.all_gather_object(found, own)
    return [item for part in found for item in part]


def _disable_compiled_reduce() -> None:
    """Turn off a shared-memory all-reduce that DeepSpeed would compile on first use.

    Compiling takes minutes and fails without a compiler; gloo does the same.
    """
    import deepspeed
    from deepspeed.accelerator import get_accelerator

    builder = get_accelerator().create_op_builder("ShareMemCommBuilder")
    if builder is not None:
        deepspeed.ops.__compatible_ops__[builder.NAME] = False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
