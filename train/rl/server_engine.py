"""Plays episodes on a server such as vLLM, after sending it the trainer's weights before each round.

    VLLM_SERVER_DEV_MODE=1 vllm serve CHECKPOINT --served-model-name policy --logprobs-mode processed_logprobs \
        --enable-scale-out
    python -m train.serving CHECKPOINT --name policy --take-weights

Requests the sampled tokens and their log-probabilities, never the text alone. A server that takes token ids gets the
conversation as the trainer keeps it; another one gets messages, and tokenises the policy's earlier turns again. Where
that differs from the sampled tokens, or the server's log-probabilities from the trainer's, the importance correction of
`train.rl.grpo_loss` compensates. Paths are those of vLLM's server: /collective_rpc and the /reset paths in its
development mode, and /inference/v1/generate for token ids, which --enable-scale-out opens.

After each sending of weights, one known prompt is compared. A server that goes away for a while is waited for and gets
the weights again; see `train.rl.server_connection`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from train.policy.checkpoint import Policy
from train.policy.episode_tokens import EpisodeTokens, Rollout, RolloutLimits
from train.rl import known_prompt
from train.rl.local_engine import FramesFor
from train.rl.server_connection import Connection, ServerFailed
from train.rl.server_requests import MESSAGES_PATH, TOKENS_PATH, Reply, Requests, read_reply
from videozoomer.protocol import Episode, Message
from videozoomer.settings.rl import RolloutServer
from videozoomer.video.types import FrameError

if TYPE_CHECKING:
    import torch

    from train.policy.frame_pixels import FramePixels

CACHES = ("reset_prefix_cache", "reset_encoder_cache", "reset_mm_cache")
"""Paths that empty what a server keeps from calls with the old weights; not every server has all."""

__all__ = ["ServerEngine", "ServerFailed", "TurnCounts"]


@dataclass
class TurnCounts:
    """Turns whose prompt the server has reported."""

    compared: int = 0
    retokenised: int = 0
    """Of these, turns before which the server has read other tokens than the trainer keeps."""

    def take(self) -> tuple[int, int]:
        """Both counts since the last call."""
        found = self.compared, self.retokenised
        self.compared = self.retokenised = 0
        return found


class ServerEngine:
    """Same interface as `train.rl.local_engine.play_groups`."""

    def __init__(
        self,
        settings: RolloutServer,
        policy: Policy,
        pixels: FramePixels,
        *,
        say: Callable[[str], object] = print,
        device: torch.device | None = None,
    ) -> None:
        """`say` gets a sentence when the server goes away; `device` has the policy's weights (default: the CPU)."""
        self.settings, self.policy, self.pixels = settings, policy, pixels
        self.counts = TurnCounts()
        self._say, self._device = say, device
        self._weights: Path | None = None
        self._takes_tokens: bool | None = None
        """Whether the server has a path for token ids; None before it was asked."""

    def load_weights(self, checkpoint: Path) -> None:
        """Make the server load the weights in this folder, which it must be able to read, and compare a known prompt.

        Raises:
            ServerFailed: it did not load them, or scores the known prompt otherwise than the policy.
        """
        self.note_weights(checkpoint)

        async def load() -> None:
            async with self._connection() as connection:
                await connection.restored()

        asyncio.run(load())

    def note_weights(self, checkpoint: Path) -> None:
        """Which weights another process has made the server load; it gets them again if it was away."""
        self._weights = checkpoint.absolute()

    async def _load(self, connection: Connection) -> None:
        """Without waiting for a server that is away: it would need the weights again anyway."""
        assert self._weights is not None
        reload = {"method": "reload_weights", "kwargs": {"weights_path": str(self._weights)}}
        await connection.post_once("/collective_rpc", reload)
        # Otherwise the server would reuse keys, values and image features of the old weights, or fail at them.
        for cache in CACHES:
            await connection.post_once(f"/{cache}", {}, may_be_missing=cache != "reset_prefix_cache")
        requests = self._requests(lambda _: known_prompt.picture())
        prompt = known_prompt.tokens(self.policy)
        reply = await self._ask(
            connection,
            requests,
            known_prompt.messages(),
            prompt.ids,
            prompt.frame_ids,
            known_prompt.SEED,
            known_prompt.LIMITS,
            wait=False,
        )
        import torch

        gap = known_prompt.gap(self.policy, reply, self._device or torch.device("cpu"))
        if not gap <= self.settings.max_gap:
            raise ServerFailed(
                f"after it got the weights, the server's log-probabilities of a known prompt are {gap:.3g} nats from "
                f"the trainer's in the mean; at most {self.settings.max_gap:g} is allowed (rl.server.max_gap). It has "
                "not taken all weights, or serves another checkpoint, precision or image size; start it again from "
                "the checkpoint that training begins with"
            )

    def play_groups(
        self,
        groups: Sequence[Sequence[Episode]],
        video_uris: Sequence[str],
        seeds: Sequence[Sequence[int]],
        frames_for: FramesFor,
        limits: RolloutLimits,
    ) -> list[list[Rollout]]:
        """Raises:
        ServerFailed: the server does not return tokens and log-probabilities, or was away for too long.
        """
        try:
            return asyncio.run(self._play(groups, video_uris, seeds, frames_for, limits))
        except ExceptionGroup as several:
            # A single failed episode ends all; report the first cause.
            raise several.exceptions[0] from several

    async def _play(
        self,
        groups: Sequence[Sequence[Episode]],
        video_uris: Sequence[str],
        seeds: Sequence[Sequence[int]],
        frames_for: FramesFor,
        limits: RolloutLimits,
    ) -> list[list[Rollout]]:
        slots = asyncio.Semaphore(self.settings.concurrency)
        async with self._connection() as connection, asyncio.TaskGroup() as tasks:
            played = []
            for group, uri, row in zip(groups, video_uris, seeds, strict=True):
                prompt = self.policy.chat.encode(group[0].messages, self.pixels.tokens, prompt=True)
                episodes = [
                    EpisodeTokens.begin(episode, uri, seed, prompt) for episode, seed in zip(group, row, strict=True)
                ]
                played.append(
                    [
                        tasks.create_task(self._episode(connection, slots, running, frames_for, limits))
                        for running in episodes
                    ]
                )
        return [[task.result() for task in group] for group in played]

    async def _episode(
        self,
        connection: Connection,
        slots: asyncio.Semaphore,
        running: EpisodeTokens,
        frames_for: FramesFor,
        limits: RolloutLimits,
    ) -> Rollout:
        requests = self._requests(self.pixels.jpeg)
        while True:
            number = int(np.random.default_rng([running.seed, len(running.episode.turns)]).integers(2**31))
            async with slots:
                reply = await self._ask(
                    connection, requests, running.episode.messages, running.ids, running.frame_ids, number, limits
                )
            if reply.prompt_ids is not None:
                self.counts.compared += 1
                self.counts.retokenised += reply.prompt_ids != running.ids
            running.turn = reply.ids
            running.logprobs += reply.logprobs
            if times_s := running.finish_turn(self.policy):
                try:
                    running.show(await asyncio.to_thread(frames_for, running.video_uri, times_s))
                except FrameError as error:
                    running.show(error)
            if running.append_tool_answer(self.policy, self.pixels, limits) is None:
                return running.rollout()

    async def _ask(
        self,
        connection: Connection,
        requests: Requests,
        messages: Sequence[Message],
        ids: Sequence[int],
        frame_ids: Sequence[str],
        seed: int,
        limits: RolloutLimits,
        *,
        wait: bool = True,
    ) -> Reply:
        """The next turn of a conversation, sent as token ids where the server takes them."""
        post = connection.post if wait else connection.post_once
        if self._takes_tokens is not False:
            body = requests.of_tokens(ids, frame_ids, seed, limits)
            reply = await post(TOKENS_PATH, body, may_be_missing=self._takes_tokens is None)
            self._takes_tokens = reply is not None
            if reply is not None:
                return read_reply(reply)
            self._say(
                f"rl.server takes no token ids at {TOKENS_PATH} (vLLM: --enable-scale-out); it gets messages and "
                "tokenises earlier turns again: see retokenised_share in metrics.jsonl"
            )
        return read_reply(await post(MESSAGES_PATH, requests.of_messages(messages, seed, limits)))

    def _requests(self, jpeg: Callable[[str], bytes]) -> Requests:
        return Requests(self.policy.chat, self.settings.model, jpeg)

    def _connection(self) -> Connection:
        async def restore(connection: Connection) -> None:
            if self._weights is not None:
                await self._load(connection)

        return Connection(self.settings, restore, self._say)
