"""A local checkpoint as a player: takes a turn like any server, many episodes at once.

Calls that wait at the same time are answered by one padded pass through the model. A reply does not depend on what
else is in the batch but for the rounding of sums: sampling draws from a generator of the call's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from distill.client.calls import Reply
from train.policy.checkpoint import Policy, disable_progress_bars, load_policy
from train.serving.batching import Batcher, Call
from videozoomer.protocol import Message
from videozoomer.protocol.message_rows import to_rows
from videozoomer.protocol.parsing import STOP


class Frames(Protocol):
    """What holds the frames of an episode, such as `distill.storage.frames.FrameStore`."""

    def jpeg(self, frame_id: str) -> bytes: ...


class LocalPolicy:
    """A `distill.player.Player` over a checkpoint, to be opened with `start` and closed with `finish`."""

    def __init__(
        self,
        checkpoint: str | Path,
        store: Frames,
        max_new_tokens: int,
        *,
        name: str | None = None,
        max_batch: int = 16,
        policy: Policy | None = None,
    ) -> None:
        """`max_batch` is the most calls of one pass: memory grows with it. `policy` is taken instead of loading.
        The name defaults to the checkpoint's, or for `.../sft/checkpoint` to `sft_policy`.

        Raises:
            CheckpointError: no Qwen2.5-VL or Qwen3-VL is there.
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
        """A reply that reaches `max_new_tokens` comes back cut, with finish reason `length`: to the episode it is a
        fault of the policy's own.

        Raises:
            CallFailed: the conversation leaves no room for a reply.
            RuntimeError: the player was not started.
        """
        if self._batcher is None:
            raise RuntimeError("the policy was not started; await start() before it plays")
        call = Call(messages, temperature, seed_of(messages, sample), self.max_new_tokens, (STOP,))
        written = await asyncio.wrap_future(self._batcher.submit(call))
        return Reply(
            written.text,
            finish_reason=written.finish_reason,
            input_tokens=written.prompt_tokens,
            output_tokens=len(written.ids),
        )


def load_for_playing(checkpoint: str | Path) -> Policy:
    """On the GPU in bfloat16 where there is one."""
    import torch

    disable_progress_bars()
    cuda = torch.cuda.is_available()
    policy = load_policy(checkpoint, dtype=torch.bfloat16 if cuda else torch.float32)
    policy.model.to("cuda" if cuda else "cpu").eval()
    return policy


def name_of(checkpoint: str | Path) -> str:
    path = Path(checkpoint)
    return f"{path.absolute().parent.name}_policy" if path.name == "checkpoint" else path.name


def seed_of(messages: Sequence[Message], sample: int) -> int:
    """The same conversation and sample number draw the same numbers, in any batch."""
    content = json.dumps([to_rows(messages), sample], sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:7])
