"""A random Qwen-VL of the real architecture, small enough for a CPU, as a standard checkpoint folder.

Its tokenizer is trained on the data set's own texts. It differs from Qwen's in three ways that keep sequences short:
the protocol's tags and the fixed parts of a zoom call are single tokens; `<frame12_time24.00s>` is three tokens
(`<frame12_time`, `24`, `.00s>`); a number of up to three digits is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.policy.chat_tokens import IMAGE, IMAGE_END, IMAGE_START, PAD, SPECIAL_TOKENS, TURN_END
from videozoomer.settings.model import TinyModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

PROTOCOL_TAGS = (
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<video_zoom>",
    "</video_zoom>",
    "<tool_response>",
    "</tool_response>",
)
CALL_PARTS = ('{"segment": [', '], "fps": ')
FRAME_TAGS = tuple(f"<frame{index}_time" for index in range(64))
SINGLE_TOKENS = (*PROTOCOL_TAGS, *CALL_PARTS, *FRAME_TAGS)
SPLIT = r"\.\p{N}{2}s>|\.\p{N}{2}|\p{N}{1,3}| ?\p{L}+| ?[^\s\p{L}\p{N}]|\s+"
"""Byte-pair merges never cross the boundaries of these pieces."""
PATCH_SIZE = {"qwen2_5_vl": 14, "qwen3_vl": 16}
INITIAL_SPREAD = 0.06
"""Standard deviation of the initial weights. Qwen's 0.02 suits widths of thousands and learns half as fast here."""
ROTARY_BASE = 10_000.0
"""Qwen's own bases (1e6 and 5e6) suit contexts a hundred times longer."""

CHAT_TEMPLATE = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}\
{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}\
{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def build_tiny(
    settings: TinyModel, texts: Iterable[str], target: Path, *, min_pixels: int, max_pixels: int, seed: int
) -> Path:
    """Write config, random weights, tokenizer and image processor to `target`, readable by `from_pretrained`."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = train_tokenizer(texts, settings.vocabulary)
    classes: dict[str, type[PreTrainedModel]] = {
        "qwen2_5_vl": Qwen2_5_VLForConditionalGeneration,
        "qwen3_vl": Qwen3VLForConditionalGeneration,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = classes[settings.architecture]._from_config(
            tiny_config(settings, tokenizer), attn_implementation="sdpa"
        )
    processor = Qwen2VLImageProcessorPil(
        patch_size=PATCH_SIZE[settings.architecture],
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": min_pixels, "longest_edge": max_pixels},
    )
    for part in (model, tokenizer, processor):
        part.save_pretrained(target)
    return target


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-pair tokenizer of at most `vocabulary` tokens, including special tokens and tags."""
    # Must be set before first use: a tokenizer that has started threads must not be forked.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL_TOKENS) - len(SINGLE_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_without_single_tokens(texts), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=TURN_END,
        pad_token=PAD,
        model_max_length=32_768,
        padding_side="left",
        additional_special_tokens=[token for token in SPECIAL_TOKENS if token not in (TURN_END, PAD)],
    )
    tokenizer.add_tokens(list(SINGLE_TOKENS))
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _without_single_tokens(texts: Iterable[str]) -> Iterable[str]:
    """Keep the trainer from spending merges on what is a single token already."""
    single = re.compile("|".join(map(re.escape, sorted(SINGLE_TOKENS, key=len, reverse=True))))
    for text in texts:
        yield single.sub("\n", text)


def tiny_config(settings: TinyModel, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    """The 7B's proportions: three rotary sections, and a last vision block with full attention."""
    from transformers import Qwen2_5_VLConfig, Qwen3VLConfig

    width, head = settings.hidden_size, settings.hidden_size // settings.heads
    section = head // 2 * 3 // 8
    text: dict[str, Any] = {
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": width,
        "intermediate_size": 3 * width,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.key_value_heads,
        "max_position_embeddings": 32_768,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        # None while building: ZeRO-3 partitions the embedding before its padding row can be zeroed.
        "pad_token_id": None,
        "initializer_range": INITIAL_SPREAD,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": ROTARY_BASE,
            "mrope_section": [head // 2 - 2 * section, section, section],
        },
    }
    vision: dict[str, Any] = {
        "depth": settings.vision_layers,
        "hidden_size": settings.vision_hidden_size,
        "num_heads": 4,
        "intermediate_size": 2 * settings.vision_hidden_size,
        "patch_size": PATCH_SIZE[settings.architecture],
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": width,
    }
    names = {
        "image_token_id": IMAGE,
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": IMAGE_START,
        "vision_end_token_id": IMAGE_END,
    }
    ids: dict[str, Any] = {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}
    if settings.architecture == "qwen2_5_vl":
        vision |= {"window_size": 112, "fullatt_block_indexes": [settings.vision_layers - 1], "tokens_per_second": 2}
        return Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)
    text |= {"head_dim": head, "rope_parameters": text["rope_parameters"] | {"mrope_interleaved": True}}
    vision |= {"num_position_embeddings": 256, "deepstack_visual_indexes": [0]}
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)
