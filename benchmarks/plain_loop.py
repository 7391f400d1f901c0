"""The baseline of `benchmarks.distill`: the loop one would write first.

Each turn it re-encodes every frame as PNG on the event loop. It stores nothing, and any failed call restarts the whole
conversation.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Sequence
from typing import Any, cast

from PIL import Image

from distill.client.replies import close_zoom
from distill.items import EpisodeJob
from distill.storage.frames import FrameStore
from videozoomer.protocol import Episode, FrameRef, Message, Prompts, Protocol, Text


async def play_plainly(
    jobs: Sequence[EpisodeJob],
    url: str,
    store: FrameStore,
    frames_at: Callable,
    protocol: Protocol,
    prompts: Prompts,
    *,
    at_once: int = 64,
    tries: int = 5,
    timeout_s: float = 2.0,
    png: bool = True,
) -> list[bool]:
    """Whether each episode was answered. Without `png` it sends the JPEGs as they are, so that only its way of trying
    again is compared.
    """
    from openai import AsyncOpenAI

    places = asyncio.Semaphore(at_once)
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=timeout_s) as client:

        async def converse(job: EpisodeJob) -> bool:
            episode = Episode(job.item.task, job.item.overview, protocol, prompts, author="teacher")
            while episode.running:
                reply = await client.chat.completions.create(
                    model="rule-player",
                    messages=cast(Any, _render(episode.messages, store, png)),
                    max_tokens=2048,
                    stop=["</video_zoom>"],
                    seed=0,
                )
                if reply.choices[0].finish_reason == "length":
                    raise ValueError("cut off")
                times = episode.step(close_zoom(reply.choices[0].message.content or ""))
                if times:
                    frames = frames_at(job.item.video_uri, times)
                    store.put(frames, job.item.video_id)
                    episode.show([FrameRef(frame.frame_id, frame.time_s) for frame in frames])
            return episode.status == "answered"

        async def with_tries(job: EpisodeJob) -> bool:
            async with places:
                for number in range(tries):
                    try:
                        return await converse(job)
                    except Exception:
                        await asyncio.sleep(0.5 * 2**number)
            return False

        return list(await asyncio.gather(*(with_tries(job) for job in jobs)))


def _render(messages: Sequence[Message], store: FrameStore, png: bool) -> list[dict]:
    return [
        {
            "role": message.role,
            "content": message.text
            if not message.frame_ids
            else [
                {"type": "text", "text": part.text}
                if isinstance(part, Text)
                else {"type": "image_url", "image_url": {"url": _url(store.jpeg(part.frame_id), png)}}
                for part in message.parts
            ],
        }
        for message in messages
    ]


def _url(jpeg: bytes, png: bool) -> str:
    if not png:
        return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    out = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
