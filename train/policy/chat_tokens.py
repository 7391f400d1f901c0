"""Conversations as token ids, identical for training and for playing.

Qwen's chat format is assembled from ids, not from text. Each message's text is tokenised alone, with special tokens
read as plain characters, so no question and no reply can open a turn or insert a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from train.policy.loss_mask import MASKED, OWN_TURNS, TurnWeights
from videozoomer.protocol import Message, Text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TURN_START, TURN_END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
IMAGE_START, IMAGE_END, IMAGE = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"
SPECIAL_TOKENS = (PAD, TURN_START, TURN_END, IMAGE_START, IMAGE_END, "<|vision_pad|>", IMAGE, "<|video_pad|>")
"""The special tokens of Qwen-VL that we use, in Qwen's order."""


class CheckpointError(ValueError):
    """A checkpoint is unusable; the message names it, the fault and the remedy."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A conversation. `weights[i]` is the loss weight of predicting `ids[i]`; see `train/policy/loss_mask.py`."""

    ids: list[int]
    weights: list[float]
    frame_ids: tuple[str, ...]
    """Frames in order; each is a run of image tokens in `ids`."""


class Chat:
    """Encodes messages with one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raises:
        CheckpointError: the tokenizer lacks one of Qwen-VL's special tokens.
        """
        self.tokenizer = tokenizer
        known = tokenizer.get_vocab()
        if missing := [token for token in SPECIAL_TOKENS if token not in known]:
            raise CheckpointError(
                f"the tokenizer of {tokenizer.name_or_path} lacks {missing}; use a Qwen2.5-VL or Qwen3-VL checkpoint"
            )
        self.image, self.turn_end, self.pad = (known[token] for token in (IMAGE, TURN_END, PAD))
        self._turn_start, self._image_start, self._image_end = (
            known[token] for token in (TURN_START, IMAGE_START, IMAGE_END)
        )
        # Frame tags, instructions and roles repeat, and calling the tokenizer costs more than its work on short texts.
        self._text = lru_cache(maxsize=2**14)(self._tokenise)
        self.newline = self._text("\n")

    @property
    def never_sampled(self) -> list[int]:
        """Ids that the policy must not produce: every special token except the one that ends its turn."""
        return sorted(set(self.tokenizer.all_special_ids) - {self.turn_end})

    def encode(
        self,
        messages: Sequence[Message],
        image_tokens: Callable[[str], int],
        *,
        turn_weights: TurnWeights = OWN_TURNS,
        prompt: bool = False,
    ) -> Tokens:
        """Ids and loss weights of a conversation.

        `image_tokens` returns the number of tokens of a frame. `prompt` appends the opening of the policy's next turn.
        """
        ids: list[int] = []
        weights: list[float] = []
        frames: list[str] = []
        for message in messages:
            ids += [self._turn_start, *self._text(message.role), *self.newline]
            weights += [MASKED] * (len(ids) - len(weights))
            for part in message.parts:
                if isinstance(part, Text):
                    ids += self._text(part.text)
                else:
                    ids += [self._image_start, *[self.image] * image_tokens(part.frame_id), self._image_end]
                    frames.append(part.frame_id)
            ids.append(self.turn_end)
            weights += [turn_weights.of(message)] * (len(ids) - len(weights))
            ids += self.newline
            weights += [MASKED] * len(self.newline)
        if prompt:
            ids += [self._turn_start, *self._text("assistant"), *self.newline]
            weights += [MASKED] * (len(ids) - len(weights))
        return Tokens(ids, weights, tuple(frames))

    def text_of_turn(self, ids: Sequence[int]) -> str:
        """Text of a generated turn, without the token that ends it."""
        text = self.tokenizer.decode(list(ids[:-1] if ids[-1] == self.turn_end else ids))
        assert isinstance(text, str)
        return text

    def _tokenise(self, text: str) -> tuple[int, ...]:
        return (
            tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
            if text
            else ()
        )
