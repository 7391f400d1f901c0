"""A conversation as token ids, the same for training and for playing.

Qwen's chat form is built from ids, not from text: a message's text is tokenised on its own with special tokens taken
as plain characters, so nothing that a question or a reply says can open a turn or stand for a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from videozoomer.protocol import Message, Text
from videozoomer.protocol.parsing import ANSWER, ZOOM

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TURN_START, TURN_END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
IMAGE_START, IMAGE_END, IMAGE = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"
SPECIAL_TOKENS = (PAD, TURN_START, TURN_END, IMAGE_START, IMAGE_END, "<|vision_pad|>", IMAGE, "<|video_pad|>")
"""Qwen-VL's special tokens that matter here, in its own order."""


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message names it, what is wrong and the remedy."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A conversation. `weights[i]` is the loss weight of predicting `ids[i]`; zero for all the policy did not write."""

    ids: list[int]
    weights: list[float]
    frame_ids: tuple[str, ...]
    """Frames in order; each stands in `ids` as a run of image tokens."""


@dataclass(frozen=True, slots=True)
class TurnWeights:
    """Loss weight of a policy's turn by what it is; a turn that neither zooms nor answers counts 1."""

    failed: float = 0.0
    """Where the message says `train=False`, whatever else it is."""
    zoom: float = 1.0
    answer: float = 1.0

    def of(self, message: Message) -> float:
        if not message.train:
            return self.failed
        if f"<{ZOOM}>" in message.text:
            return self.zoom
        return self.answer if f"<{ANSWER}>" in message.text else 1.0


OWN_TURNS = TurnWeights()
"""Everything that the policy says, but for what failed."""


class Chat:
    """Turns messages into ids with one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raises:
        CheckpointError: the tokenizer lacks one of Qwen-VL's special tokens.
        """
        self.tokenizer = tokenizer
        known = tokenizer.get_vocab()
        if missing := [token for token in SPECIAL_TOKENS if token not in known]:
            raise CheckpointError(
                f"the tokenizer of {tokenizer.name_or_path} lacks {missing}; take a Qwen2.5-VL or Qwen3-VL checkpoint"
            )
        self.image, self.turn_end, self.pad = (known[token] for token in (IMAGE, TURN_END, PAD))
        self._turn_start, self._image_start, self._image_end = (
            known[token] for token in (TURN_START, IMAGE_START, IMAGE_END)
        )
        # Frames' tags, instructions and roles come again and again; a call of the tokenizer costs more than its work.
        self._text = lru_cache(maxsize=2**14)(self._tokenise)
        self.newline = self._text("\n")

    @property
    def never_sampled(self) -> list[int]:
        """Ids that a policy must not produce: every special token but the one that ends its turn."""
        return sorted(set(self.tokenizer.all_special_ids) - {self.turn_end})

    def encode(
        self,
        messages: Sequence[Message],
        image_tokens: Callable[[str], int],
        *,
        turn_weights: TurnWeights = OWN_TURNS,
        prompt: bool = False,
    ) -> Tokens:
        """`image_tokens` says how many tokens a frame takes. `prompt` ends with the opening of the policy's next turn.

        A policy's turn is trained on from its first character to the token that closes it, with its weight.
        """
        ids: list[int] = []
        weights: list[float] = []
        frames: list[str] = []
        for message in messages:
            ids += [self._turn_start, *self._text(message.role), *self.newline]
            weights += [0.0] * (len(ids) - len(weights))
            for part in message.parts:
                if isinstance(part, Text):
                    ids += self._text(part.text)
                else:
                    ids += [self._image_start, *[self.image] * image_tokens(part.frame_id), self._image_end]
                    frames.append(part.frame_id)
            ids.append(self.turn_end)
            weight = turn_weights.of(message) if message.role == "assistant" else 0.0
            weights += [weight] * (len(ids) - len(weights))
            ids += self.newline
            weights += [0.0] * len(self.newline)
        if prompt:
            ids += [self._turn_start, *self._text("assistant"), *self.newline]
            weights += [0.0] * (len(ids) - len(weights))
        return Tokens(ids, weights, tuple(frames))

    def _tokenise(self, text: str) -> tuple[int, ...]:
        return (
            tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
            if text
            else ()
        )
