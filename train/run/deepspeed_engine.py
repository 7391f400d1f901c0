"""DeepSpeed: configuration, the engine, its optimiser steps, and the full weights under ZeRO-3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from deepspeed import DeepSpeedEngine


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
        # torch's own AdamW: DeepSpeed compiles its version on first use, which needs a compiler.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
    }


def start_engine(model: torch.nn.Module, config: dict[str, Any], rate: float) -> DeepSpeedEngine:
    """Train every parameter that requires a gradient with AdamW at learning rate `rate`."""
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
    """Take the optimiser's step if one is due; returns the norm of all gradients before clipping.

    With ZeRO the engine reports the norm after the step. Without it, the model holds the gradients, by then averaged
    over all processes.
    """
    import torch

    due = engine.is_gradient_accumulation_boundary()
    gradients = (
        [parameter.grad for parameter in engine.module.parameters() if parameter.grad is not None]
        if due and not engine.zero_optimization()
        else []
    )
    norm = torch.nn.utils.get_total_norm(gradients).item() if gradients else None
    engine.step()
    return (float(engine.get_global_grad_norm() or 0.0) or norm) if due else None


def full_weights(engine: DeepSpeedEngine, stage: int) -> dict[str, torch.Tensor] | None:
    """All weights on the main process where ZeRO-3 has partitioned them; None where the model holds them itself.

    Every process must call it.
    """
    return engine._zero3_consolidated_16bit_state_dict() if stage == 3 else None


def parameter_size(parameter: torch.Tensor) -> int:
    """Number of values; ZeRO-3 keeps that of a partitioned parameter in `ds_numel`."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))
