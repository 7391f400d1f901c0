"""A local checkpoint as a player that takes turns in many episodes at once.

Calls that wait at the same time share one padded pass through the model. Except for rounding, a reply does not depend
on the other calls in its batch: each call samples with its own generator.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from distill.client.calls import Reply
from train.policy.checkpoint import Policy, disable_progress_bars, load_policy, on_device
from train.serving.batching import Batcher, Call
from videozoomer.protocol import Message
from videozoomer.protocol.message_rows import to_rows
from videozoomer.protocol.parsing import STOP


class JpegStore(Protocol):
    """Has the frames of the episodes, as `distill.storage.frames.FrameStore` does."""

    def jpeg(self, frame_id: str) -> bytes: ...


class LocalPolicy:
    """A `distill.player.Player` that runs a checkpoint; open it with `start`, close it with `finish`."""

    def __init__(
        self,
        checkpoint: str | Path,
        store: JpegStore,
        max_new_tokens: int,
        *,
        name: str | None = None,
        max_batch: int = 16,
        policy: Policy | None = None,
    ) -> None:
        """`max_batch` is the maximum number of calls per pass; memory grows with it. `policy` replaces loading.

        The name defaults to the checkpoint's, and to `sft_policy` for `.../sft/checkpoint`.

        Raises:
            CheckpointError: there is no Qwen2.5-VL or Qwen3-VL at that path or name.
        """
        self.policy = policy or load_for_playing(checkpoint)
        self.name = name or name_of(checkpoint)
        self.max_new_tokens = max_new_tokens
        self.max_batch = max_batch
        self._store = store
        self._batcher: Batcher | None = None

    async def start(self) -> None:
        self._batcher = Batcher(self.policy, self._store.jpeg, max_batch=self.max_batch)

    async def finish(self) -> None:
        if self._batcher is not None:
            batcher, self._batcher = self._batcher, None
            await asyncio.to_thread(batcher.close)

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        """A reply of `max_new_tokens` is truncated, with finish reason `length`: the episode counts it as a fault.

        Raises:
            CallFailed: the conversation leaves no room for a reply.
            RuntimeError: the player was not started.
        """
        if self._batcher is None:
            raise RuntimeError("the policy was not started; await start() before playing")
        call = Call(messages, temperature, seed_of(messages, sample), self.max_new_tokens, (STOP,))
        generation = await asyncio.wrap_future(self._batcher.submit(call))
        return Reply(
            generation.text,
            finish_reason=generation.finish_reason,
            input_tokens=generation.prompt_tokens,
            output_tokens=len(generation.ids),
        )


def load_for_playing(checkpoint: str | Path) -> Policy:
    """On the GPU in bfloat16 if there is one, otherwise on the CPU in float32."""
    import torch

    disable_progress_bars()
    cuda = torch.cuda.is_available()
    policy = load_policy(checkpoint, dtype=torch.bfloat16 if cuda else torch.float32)
    on_device(policy.model, torch.device("cuda" if cuda else "cpu")).eval()
    return policy


def name_of(checkpoint: str | Path) -> str:
    path = Path(checkpoint)
    return f"{path.absolute().parent.name}_policy" if path.name == "checkpoint" else path.name


def seed_of(messages: Sequence[Message], sample: int) -> int:
    """The same conversation and sample number get the same random numbers, in any batch."""
    content = json.dumps([to_rows(messages), sample], sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:7])
