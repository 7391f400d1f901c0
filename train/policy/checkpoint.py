"""Loads a policy: a Qwen2.5-VL or Qwen3-VL checkpoint of any size with its tokenizer and image processor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from train.policy.chat_tokens import Chat, CheckpointError
from train.policy.vision_attention import batch_vision_attention

if TYPE_CHECKING:
    import torch
    from transformers import BaseImageProcessor, PreTrainedModel, PreTrainedTokenizerBase

ARCHITECTURES = ("qwen2_5_vl", "qwen3_vl")
LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


@dataclass(frozen=True)
class Policy:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor
    chat: Chat


def load_policy(
    checkpoint: str | Path,
    *,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    dtype: torch.dtype | None = None,
) -> Policy:
    """`min_pixels` and `max_pixels` replace the checkpoint's own limits of a frame; `dtype` defaults to float32.

    The PIL image processor is taken everywhere: it needs no torchvision, and training, playing and every machine then
    see the same pixels.

    Raises:
        CheckpointError: no Qwen2.5-VL or Qwen3-VL is there.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    try:
        config = AutoConfig.from_pretrained(checkpoint)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{checkpoint} holds no checkpoint that transformers reads: {error}") from error
    if config.model_type not in ARCHITECTURES:
        raise CheckpointError(f"{checkpoint} is a {config.model_type}; take one of {ARCHITECTURES}")
    model = AutoModelForImageTextToText.from_pretrained(
        checkpoint, dtype=dtype or torch.float32, attn_implementation="sdpa"
    )
    batch_vision_attention(model)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    processor = Qwen2VLImageProcessorPil.from_pretrained(checkpoint)
    size = dict(processor.size)
    processor.size = {
        "shortest_edge": min_pixels or size["shortest_edge"],
        "longest_edge": max_pixels or size["longest_edge"],
    }
    return Policy(model, tokenizer, processor, Chat(tokenizer))


def load_weights(policy: Policy, checkpoint: str | Path) -> None:
    """Put another checkpoint's weights in place of a policy's own.

    Raises:
        CheckpointError: none is there.
        RuntimeError: it is of another shape.
    """
    held = policy.model
    held.load_state_dict(load_policy(checkpoint, dtype=held.dtype).model.state_dict())


def disable_progress_bars() -> None:
    """No progress bars of transformers in the log of a run."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def freeze_vision(model: PreTrainedModel) -> None:
    """Keep the vision tower and the projector as they are; in Qwen-VL the projector (merger) is part of the tower."""
    model.model.visual.requires_grad_(False)


def with_lora(model: PreTrainedModel, rank: int) -> PreTrainedModel:
    """Adapters on every linear layer of the language model; all else is frozen."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=LORA_TARGETS))


def save_policy(policy: Policy, target: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write a standard checkpoint folder. `state` holds the weights where the model's own are partitioned."""
    policy.model.save_pretrained(target, state_dict=state)
    policy.tokenizer.save_pretrained(target)
    policy.image_processor.save_pretrained(target)
