"""A local checkpoint as a player: takes a turn like any server, many episodes at once.

Calls that wait at the same time are answered by one padded pass through the model. A reply does not depend on what
else is in the batch but for the rounding of sums: sampling draws from a generator of the call's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from distill.player import CallFailed, Reply
from train.generate import Prompt, generate
from train.pixels import FramePixels
from train.policy import Policy, load_policy, quiet
from zoom import Message
from zoom.messages import to_rows

LINGER_S = 0.1
"""How long a batch waits for more calls after the last that came."""


class Frames(Protocol):
    """What holds the frames of an episode, such as `distill.frames.FrameStore`."""

    def jpeg(self, frame_id: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Call:
    messages: Sequence[Message]
    sample: int
    temperature: float
    answer: asyncio.Future[Reply]


class LocalPolicy:
    """A `distill.player.Player` over a checkpoint, to be opened with `start` and closed with `finish`."""

    def __init__(
        self, checkpoint: str | Path, store: Frames, max_new_tokens: int, *, name: str | None = None, max_batch: int = 16, policy: Policy | None = None
    ) -> None:
        """`max_batch` is the most calls of one pass: memory grows with it. `policy` is taken instead of loading.
        The name defaults to the checkpoint's, or for `.../sft/checkpoint` to `sft_policy`.

        Raises:
            CheckpointError: no Qwen2.5-VL or Qwen3-VL is there.
        """
        import torch

        quiet()
        cuda = torch.cuda.is_available()
        self.policy = policy or load_policy(checkpoint, dtype=torch.bfloat16 if cuda else torch.float32)
        self.policy.model.to("cuda" if cuda else "cpu").eval()
        path = Path(checkpoint)
        self.name = name or (f"{path.absolute().parent.name}_policy" if path.name == "checkpoint" else path.name)
        self.max_new_tokens = max_new_tokens
        self.max_batch = max_batch
        self._pixels = FramePixels(self.policy.image_processor, store.jpeg)
        self._waiting: asyncio.Queue[_Call] | None = None
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._waiting = asyncio.Queue()
        self._worker = asyncio.create_task(self._serve(self._waiting))

    async def finish(self) -> None:
        if self._worker is None:
            return
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        self._waiting = self._worker = None

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        """Raises:
        CallFailed: the conversation leaves no room for a reply.
        RuntimeError: the player was not started.
        """
        if self._waiting is None:
            raise RuntimeError("the policy was not started; await start() on the event loop that plays")
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        await self._waiting.put(_Call(messages, sample, temperature, answer))
        return await answer

    async def _serve(self, waiting: asyncio.Queue[_Call]) -> None:
        while True:
            calls = await self._gather(waiting)
            try:
                outcomes = await asyncio.to_thread(self._answer, calls)
            except Exception as error:
                # Whoever waits must hear of it: an error in this task alone would leave every episode hanging.
                outcomes = [error] * len(calls)
            for call, outcome in zip(calls, outcomes, strict=True):
                if call.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    call.answer.set_exception(outcome)
                else:
                    call.answer.set_result(outcome)

    def _answer(self, calls: Sequence[_Call]) -> list[Reply | Exception]:
        """One pass over a batch. Only ever one at a time: neither tokenizer nor pixels may be used by two threads."""
        outcomes: list[Reply | Exception] = []
        prompts = []
        room = self.policy.model.config.get_text_config().max_position_embeddings
        for call in calls:
            tokens = self.policy.chat.encode(call.messages, self._pixels.tokens, prompt=True)
            prompts.append(Prompt(tokens.ids, tokens.frame_ids, call.temperature, _seed(call.messages, call.sample)))
        fitting = [prompt for prompt in prompts if len(prompt.ids) + self.max_new_tokens <= room]
        written = iter(generate(self.policy, self._pixels, fitting, self.max_new_tokens) if fitting else [])
        for prompt in prompts:
            if len(prompt.ids) + self.max_new_tokens <= room:
                outcomes.append(next(written))
            else:
                sentence = f"{len(prompt.ids)} tokens and {self.max_new_tokens} more do not fit into {room}"
                outcomes.append(CallFailed("context_overflow", sentence, False))
        return outcomes

    async def _gather(self, waiting: asyncio.Queue[_Call]) -> list[_Call]:
        """The next batch: full, or all there is once no more has come for a moment."""
        calls, grown = [await waiting.get()], True
        while grown and len(calls) < self.max_batch:
            await asyncio.sleep(LINGER_S)
            grown = not waiting.empty()
            while not waiting.empty() and len(calls) < self.max_batch:
                calls.append(waiting.get_nowait())
        return calls


def _seed(messages: Sequence[Message], sample: int) -> int:
    """The same conversation and sample number draw the same numbers, in any batch."""
    content = json.dumps([to_rows(messages), sample], sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:7])
