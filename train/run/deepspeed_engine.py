"""DeepSpeed on CPU and GPU, with or without a launcher: environment, configuration, and the weights back out."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from deepspeed import DeepSpeedEngine


@dataclass(frozen=True)
class ProcessInfo:
    """Where this process computes."""

    rank: int
    world_size: int
    device: torch.device
    bf16: bool

    @property
    def is_main(self) -> bool:
        return self.rank == 0


def join_process_group(bf16: bool) -> ProcessInfo:
    """Join the process group that `torchrun` or `deepspeed` announces, or make one of this process alone.

    Must run before anything imports DeepSpeed, which looks for its accelerator once. `bf16` holds only on a GPU that
    has it: on a CPU it is slower than float32.
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
        _without_compiled_reduce()
    deepspeed.init_distributed(dist_backend="nccl" if cuda else "gloo", verbose=False)
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    return ProcessInfo(
        int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), device, bf16 and cuda and torch.cuda.is_bf16_supported()
    )


def _without_compiled_reduce() -> None:
    """Turn off a shared-memory all-reduce that DeepSpeed would compile on first use: for minutes, and not at all
    where there is no compiler. gloo does the same."""
    import deepspeed
    from deepspeed.accelerator import get_accelerator

    builder = get_accelerator().create_op_builder("ShareMemCommBuilder")
    if builder is not None:
        deepspeed.ops.__compatible_ops__[builder.NAME] = False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def deepspeed_config(*, stage: int, micro_batch_size: int, accumulation: int, bf16: bool) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": stage, "contiguous_gradients": True, "overlap_comm": bf16}
    if stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    return {
        "train_micro_batch_size_per_gpu": micro_batch_size,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": 1.0,
        "zero_optimization": zero,
        "bf16": {"enabled": bf16},
        # torch's own AdamW: DeepSpeed's is compiled on first use, which needs a compiler.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
    }


def start_engine(model: torch.nn.Module, config: dict[str, Any], rate: float) -> DeepSpeedEngine:
    import deepspeed
    import torch

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, model_parameters=trained, config=config)
    return engine


def set_rate(engine: DeepSpeedEngine, rate: float) -> None:
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def take_step(engine: DeepSpeedEngine) -> float | None:
    """Make the optimiser's step where one is due, and return the norm that all gradients had before they were clipped.

    With ZeRO the engine knows it afterwards; without, the model holds the gradients, by then the mean over all processes.
    """
    import torch

    due = engine.is_gradient_accumulation_boundary()
    held = (
        [parameter.grad for parameter in engine.module.parameters() if parameter.grad is not None]
        if due and not engine.zero_optimization()
        else []
    )
    before = torch.nn.utils.get_total_norm(held).item() if held else None
    engine.step()
    return (float(engine.get_global_grad_norm() or 0.0) or before) if due else None


def whole_state(engine: DeepSpeedEngine, stage: int) -> dict[str, torch.Tensor] | None:
    """All weights on the first process where ZeRO-3 has spread them; null where the model holds them itself.

    Every process must call it.
    """
    return engine._zero3_consolidated_16bit_state_dict() if stage == 3 else None


def summed(values: list[float], process: ProcessInfo) -> list[float]:
    """Sums over all processes."""
    import torch
    import torch.distributed as dist

    total = torch.tensor(values, dtype=torch.float64, device=process.device)
    if process.world_size > 1:
        dist.all_reduce(total)
    return total.tolist()
