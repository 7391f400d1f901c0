"""What is asked of the server that plays, and what it replies: tokens in, tokens out.

A server that takes token ids (vLLM's /inference/v1/generate) gets the conversation as the trainer keeps it. Any other
gets it as messages and tokenises the policy's own earlier turns again, often into other tokens. Either way the reply
has the ids that the server has read, so that the difference is counted. Names of fields are those of vLLM's server.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from train.policy.chat_tokens import Chat
from train.policy.episode_tokens import RolloutLimits
from train.rl.server_connection import ServerFailed
from videozoomer.protocol import Message, Text
from videozoomer.protocol.parsing import STOP

TOKENS_PATH = "/inference/v1/generate"
MESSAGES_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Reply:
    ids: list[int]
    """Sampled tokens."""
    logprobs: list[float]
    """Of the sampled tokens, at the time of sampling."""
    prompt_ids: list[int] | None
    """What the server has read before them; None if it does not say."""


@dataclass(frozen=True)
class Requests:
    """Builds the bodies of calls for one policy under one name."""

    chat: Chat
    model: str
    jpeg: Callable[[str], bytes]

    def of_tokens(
        self, ids: Sequence[int], frame_ids: Sequence[str], seed: int, limits: RolloutLimits
    ) -> dict[str, Any]:
        """For `TOKENS_PATH`. `ids` has all tokens of each frame; the server expands one token a frame by itself."""
        return {
            "model": self.model,
            "token_ids": collapsed(ids, self.chat.image),
            "content_parts": [{"type": "image_url", "url": self._url(frame_id)} for frame_id in frame_ids],
            "sampling_params": self._sampling(seed, limits) | {"logprobs": 0},
            "return_token_ids": True,
        }

    def of_messages(self, messages: Sequence[Message], seed: int, limits: RolloutLimits) -> dict[str, Any]:
        """For `MESSAGES_PATH`."""
        return {
            "model": self.model,
            "messages": [self._message(message) for message in messages],
            "logprobs": True,
            "top_logprobs": 0,
            "return_token_ids": True,
            **self._sampling(seed, limits),
        }

    def _sampling(self, seed: int, limits: RolloutLimits) -> dict[str, Any]:
        return {
            "seed": seed,
            "temperature": limits.temperature,
            # Otherwise the server samples by the checkpoint's generation_config.json, from another distribution.
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "max_tokens": limits.max_new_tokens,
            "stop": [STOP],
            "include_stop_str_in_output": True,
            "skip_special_tokens": False,
            "logit_bias": {str(token): -100 for token in self.chat.never_sampled},
        }

    def _message(self, message: Message) -> dict[str, Any]:
        if message.role == "assistant":
            return {"role": "assistant", "content": message.text}
        parts = [
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "image_url", "image_url": {"url": self._url(part.frame_id)}}
            for part in message.parts
        ]
        return {"role": message.role, "content": parts}

    def _url(self, frame_id: str) -> str:
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg(frame_id)).decode()}"


def collapsed(ids: Sequence[int], image: int) -> list[int]:
    """The ids with a single image token a frame."""
    return [token for token, run in itertools.groupby(ids) for _ in ((0,) if token == image else run)]


def read_reply(reply: Any) -> Reply:
    """Raises:
    ServerFailed: the reply has no tokens, or not the log-probability of each.
    """
    choice = reply["choices"][0]
    ids = choice.get("token_ids")
    logprobs = [entry["logprob"] for entry in (choice.get("logprobs") or {}).get("content") or []]
    if not ids or len(ids) != len(logprobs):
        raise ServerFailed(
            f"the server returned {len(ids or [])} token ids and {len(logprobs)} log-probabilities for a reply; it "
            "must support `return_token_ids` and `logprobs` in chat completions (vLLM since 0.10.2)"
        )
    return Reply(ids, logprobs, reply.get("prompt_token_ids") or choice.get("prompt_token_ids"))
