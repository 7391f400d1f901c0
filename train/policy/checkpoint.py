"""Loading, freezing and saving a policy: a Qwen2.5-VL or Qwen3-VL of any size with tokenizer and image processor."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from train.policy.chat_tokens import Chat, CheckpointError
from train.policy.vision_attention import batch_vision_attention
from videozoomer.settings.policy import is_hub_name

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

ARCHITECTURES = ("qwen2_5_vl", "qwen3_vl")
LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


@dataclass(frozen=True)
class Policy:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: Qwen2VLImageProcessorPil
    chat: Chat


def load_policy(
    checkpoint: str | Path,
    *,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    dtype: torch.dtype | None = None,
) -> Policy:
    """`min_pixels` and `max_pixels` replace the checkpoint's own limits per frame; `dtype` defaults to float32.

    Always uses the PIL image processor: it needs no torchvision, and training, playing and every machine then get
    identical pixels.

    Raises:
        CheckpointError: there is no Qwen2.5-VL or Qwen3-VL at that path or name.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    if not Path(checkpoint).is_dir() and not is_hub_name(str(checkpoint)):
        raise CheckpointError(f"{checkpoint} is neither a folder nor a name on the hub (ORGANISATION/NAME)")
    try:
        config = AutoConfig.from_pretrained(checkpoint)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{checkpoint} has no checkpoint that transformers can read: {error}") from error
    if config.model_type not in ARCHITECTURES:
        raise CheckpointError(f"{checkpoint} is a {config.model_type}; use one of {ARCHITECTURES}")
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
    """Replace a policy's weights with those of another checkpoint.

    Raises:
        CheckpointError: there is no checkpoint.
        RuntimeError: its shapes differ.
    """
    model = policy.model
    model.load_state_dict(load_policy(checkpoint, dtype=model.dtype).model.state_dict())


def on_device(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    # transformers wraps `to` such that type checkers see its first argument as the model.
    return model.to(device)  # type: ignore[arg-type]


def disable_progress_bars() -> None:
    """Keep the progress bars of transformers out of a run's log."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def freeze_vision(model: PreTrainedModel) -> None:
    """Freeze the vision tower and the projector; in Qwen-VL the projector (merger) is part of the tower."""
    model.model.visual.requires_grad_(False)


def with_lora(model: PreTrainedModel, rank: int) -> PeftModel:
    """Add adapters to every linear layer of the language model; freezes everything else."""
    from peft import LoraConfig, PeftModel, get_peft_model

    with warnings.catch_warnings():
        # peft (0.21) still reads this property, which transformers renamed in 5.23.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        adapted = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=LORA_TARGETS))
    assert isinstance(adapted, PeftModel)
    return adapted


def save_policy(policy: Policy, target: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write a standard checkpoint folder. `state` has the weights where ZeRO-3 has partitioned the model's own."""
    policy.model.save_pretrained(target, state_dict=state)
    policy.tokenizer.save_pretrained(target)
    policy.image_processor.save_pretrained(target)
