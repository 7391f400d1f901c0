"""Calls that wait at the same time become one pass through the model.

One thread owns model, tokenizer and pixels: a fast tokenizer that two threads use at once can lock up for good.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from distill.client.errors import CallFailed
from train.policy.checkpoint import Policy
from train.policy.frame_pixels import FramePixels
from train.policy.generate import Generation, Prompt, generate
from videozoomer.protocol import Message

LINGER_S = 0.1
"""How long a batch waits for more calls after the last that came."""


@dataclass(frozen=True, slots=True)
class Call:
    messages: Sequence[Message]
    temperature: float
    seed: int
    max_new_tokens: int
    stop: tuple[str, ...]
    """Generation ends once the reply holds one of these."""
    jpegs: Mapping[str, bytes] = field(default_factory=dict)
    """Frames that the call brings along, by id."""


class Batcher:
    """Answers calls from any thread. Close it, or use it in a `with`."""

    def __init__(self, policy: Policy, jpeg: Callable[[str], bytes], *, max_batch: int = 16) -> None:
        """`jpeg` finds frames that calls do not bring along."""
        self.policy = policy
        self.max_batch = max_batch
        self._brought: dict[str, bytes] = {}
        self._pixels = FramePixels(
            policy.image_processor, lambda frame_id: self._brought.get(frame_id) or jpeg(frame_id)
        )
        self._waiting: queue.SimpleQueue[tuple[Call | Callable[[Policy], None], Future] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="policy", daemon=True)
        self._thread.start()

    def submit(self, call: Call) -> Future[Generation]:
        """The future fails with CallFailed where the conversation leaves no room for a reply."""
        future: Future[Generation] = Future()
        self._waiting.put((call, future))
        return future

    def between(self, work: Callable[[Policy], None]) -> Future[None]:
        """Do something with the policy while it answers no call."""
        future: Future[None] = Future()
        self._waiting.put((work, future))
        return future

    def close(self) -> None:
        """Ends after what is already waiting."""
        self._waiting.put(None)
        self._thread.join()

    def __enter__(self) -> Batcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        going = True
        while going:
            batch: list[tuple[Call, Future[Generation]]] = []
            work: tuple[Callable[[Policy], None], Future[None]] | None = None
            wait_s: float | None = None
            while len(batch) < self.max_batch:
                try:
                    waiting = self._waiting.get(timeout=wait_s)
                except queue.Empty:
                    break
                if waiting is None:
                    going = False
                    break
                # A call that nobody waits for any more is not played.
                if not waiting[1].set_running_or_notify_cancel():
                    continue
                if not isinstance(waiting[0], Call):
                    work = waiting
                    break
                batch.append(waiting)
                wait_s = LINGER_S
            if batch:
                self._answer(batch)
            if work:
                self._work(*work)

    def _work(self, work: Callable[[Policy], None], future: Future[None]) -> None:
        try:
            work(self.policy)
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    def _answer(self, batch: list[tuple[Call, Future[Generation]]]) -> None:
        self._brought = {frame_id: data for call, _ in batch for frame_id, data in call.jpegs.items()}
        fitting: list[tuple[Prompt, Future[Generation]]] = []
        room = self.policy.model.config.get_text_config().max_position_embeddings
        try:
            for call, future in batch:
                tokens = self.policy.chat.encode(call.messages, self._pixels.tokens, prompt=True)
                if len(tokens.ids) + call.max_new_tokens <= room:
                    prompt = Prompt(
                        tokens.ids, tokens.frame_ids, call.temperature, call.seed, call.max_new_tokens, call.stop
                    )
                    fitting.append((prompt, future))
                else:
                    sentence = f"{len(tokens.ids)} tokens and {call.max_new_tokens} more do not fit into {room}"
                    future.set_exception(CallFailed("context_overflow", sentence, retryable=False))
            if fitting:
                written = generate(self.policy, self._pixels, [prompt for prompt, _ in fitting])
                for (_, future), reply in zip(fitting, written, strict=True):
                    future.set_result(reply)
        except BaseException as error:
            # Whoever waits must hear of it: an error in this thread alone would leave every episode hanging.
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        finally:
            self._brought = {}
