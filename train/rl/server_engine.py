"""Plays episodes on a server such as vLLM, after sending it the trainer's weights before each round.

    VLLM_SERVER_DEV_MODE=1 vllm serve CHECKPOINT --served-model-name policy --logprobs-mode processed_logprobs
    python -m train.serving CHECKPOINT --name policy --take-weights

Requests the sampled tokens and their log-probabilities, never the text alone. Each turn sends the conversation as
messages, and the server tokenises the policy's earlier turns again. Where that differs from the sampled tokens, or the
server's log-probabilities from the trainer's, the importance correction of `train.rl.grpo_loss` compensates. Names of
fields and paths are those of vLLM's server: `return_token_ids` in chat completions, and /collective_rpc and
/reset_prefix_cache in its development mode.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from train.policy.checkpoint import Policy
from train.policy.episode_tokens import EpisodeTokens, Rollout, RolloutLimits
from train.rl.local_engine import FramesFor
from videozoomer.protocol import Episode, Message, Text
from videozoomer.protocol.messages import Part
from videozoomer.protocol.parsing import STOP
from videozoomer.settings.rl import RolloutServer
from videozoomer.video.types import FrameError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from train.policy.frame_pixels import FramePixels

ATTEMPTS = 4
"""Attempts per call before the run ends with an error. Started again, it resumes from its last saved state."""


CACHES = ("reset_prefix_cache", "reset_encoder_cache", "reset_mm_cache")
"""Paths that empty what a server keeps from calls with the old weights; not every server has all."""


class ServerFailed(RuntimeError):
    """The server cannot be used for playing; the message includes its reply."""


class ServerEngine:
    """Same interface as `train.rl.local_engine.play_groups`."""

    def __init__(self, settings: RolloutServer, policy: Policy, pixels: FramePixels) -> None:
        self.settings, self.policy, self.pixels = settings, policy, pixels

    def load_weights(self, checkpoint: Path) -> None:
        """Make the server load the weights in this folder, which it must be able to read.

        Raises:
            ServerFailed: it did not load them.
        """
        asyncio.run(self._load(checkpoint.absolute()))

    async def _load(self, checkpoint: Path) -> None:
        async with self._session() as session:
            reload = {"method": "reload_weights", "kwargs": {"weights_path": str(checkpoint)}}
            await self._post(session, f"{self._root}/collective_rpc", reload)
            # Otherwise the server would reuse keys, values and image features of the old weights, or fail at them.
            for cache in CACHES:
                await self._post(session, f"{self._root}/{cache}", {}, may_be_missing=cache != "reset_prefix_cache")

    def play_groups(
        self,
        groups: Sequence[Sequence[Episode]],
        video_uris: Sequence[str],
        seeds: Sequence[Sequence[int]],
        frames_for: FramesFor,
        limits: RolloutLimits,
    ) -> list[list[Rollout]]:
        """Raises:
        ServerFailed: the server is unreachable, or does not return tokens and log-probabilities.
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
        async with self._session() as session, asyncio.TaskGroup() as tasks:
            played = []
            for group, uri, row in zip(groups, video_uris, seeds, strict=True):
                prompt = self.policy.chat.encode(group[0].messages, self.pixels.tokens, prompt=True)
                episodes = [
                    EpisodeTokens.begin(episode, uri, seed, prompt) for episode, seed in zip(group, row, strict=True)
                ]
                played.append(
                    [
                        tasks.create_task(self._episode(session, slots, running, frames_for, limits))
                        for running in episodes
                    ]
                )
        return [[task.result() for task in group] for group in played]

    async def _episode(
        self,
        session: ClientSession,
        slots: asyncio.Semaphore,
        running: EpisodeTokens,
        frames_for: FramesFor,
        limits: RolloutLimits,
    ) -> Rollout:
        while True:
            number = int(np.random.default_rng([running.seed, len(running.episode.turns)]).integers(2**31))
            async with slots:
                reply = await self._post(
                    session,
                    f"{self.settings.base_url.rstrip('/')}/chat/completions",
                    self._request(running.episode.messages, number, limits),
                )
            running.turn, logprobs = _drawn(reply)
            running.logprobs += logprobs
            if times_s := running.finish_turn(self.policy):
                try:
                    running.show(await asyncio.to_thread(frames_for, running.video_uri, times_s))
                except FrameError as error:
                    running.show(error)
            if running.append_tool_answer(self.policy, self.pixels, limits) is None:
                return running.rollout()

    def _request(self, messages: Sequence[Message], seed: int, limits: RolloutLimits) -> dict[str, Any]:
        return {
            "model": self.settings.model,
            "messages": [self._message(message) for message in messages],
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
            "logprobs": True,
            "top_logprobs": 0,
            "return_token_ids": True,
            "skip_special_tokens": False,
            "logit_bias": {str(token): -100 for token in self.policy.chat.never_sampled},
        }

    def _message(self, message: Message) -> dict[str, Any]:
        if message.role == "assistant":
            return {"role": "assistant", "content": message.text}
        return {"role": message.role, "content": [self._part(part) for part in message.parts]}

    def _part(self, part: Part) -> dict[str, Any]:
        if isinstance(part, Text):
            return {"type": "text", "text": part.text}
        url = f"data:image/jpeg;base64,{base64.b64encode(self.pixels.jpeg(part.frame_id)).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}

    @property
    def _root(self) -> str:
        return self.settings.base_url.rstrip("/").removesuffix("/v1")

    def _session(self) -> ClientSession:
        import aiohttp

        headers = {}
        if name := self.settings.api_key_env:
            if name not in os.environ:
                raise ServerFailed(f"the environment variable {name} (rl.server.api_key_env) is not set")
            headers["Authorization"] = f"Bearer {os.environ[name]}"
        return aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout_s),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def _post(
        self, session: ClientSession, url: str, body: dict[str, Any], *, may_be_missing: bool = False
    ) -> Any:
        """Post JSON and read the reply; None for an empty one, or if the path is missing and may be."""
        import aiohttp

        cause = ""
        for attempt in range(ATTEMPTS):
            try:
                async with session.post(url, json=body) as response:
                    if response.status in (404, 405) and may_be_missing:
                        return None
                    if response.status == 200:
                        return await response.json(content_type=None) if response.content_length != 0 else None
                    cause = f"HTTP {response.status}: {(await response.text())[:300]}"
                    if response.status < 500 and response.status != 429:
                        break
            except (aiohttp.ClientError, TimeoutError) as error:
                cause = f"{type(error).__name__}: {error}"
            await asyncio.sleep(2.0**attempt / 2)
        raise ServerFailed(
            f"{url} failed ({cause}); check that rl.server is running, with VLLM_SERVER_DEV_MODE=1 in the case of vLLM"
        )


def _drawn(reply: Any) -> tuple[list[int], list[float]]:
    """Sampled tokens of a reply and their log-probabilities."""
    choice = reply["choices"][0]
    ids = choice.get("token_ids")
    logprobs = [entry["logprob"] for entry in (choice.get("logprobs") or {}).get("content") or []]
    if not ids or len(ids) != len(logprobs):
        raise ServerFailed(
            f"the server returned {len(ids or [])} token ids and {len(logprobs)} log-probabilities for a reply; it "
            "must support `return_token_ids` and `logprobs` in chat completions (vLLM since 0.10.2)"
        )
    return ids, logprobs
