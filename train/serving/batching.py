"""Calls that wait at the same time share one pass through the model.

A single thread owns the model, the tokenizer and the pixels: two threads that use a fast tokenizer at once can
deadlock.
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
"""How long a batch waits for further calls after the most recent one."""


@dataclass(frozen=True, slots=True)
class Call:
    messages: Sequence[Message]
    temperature: float
    seed: int
    max_new_tokens: int
    stop: tuple[str, ...]
    """Generation ends when the reply contains one of these."""
    jpegs: Mapping[str, bytes] = field(default_factory=dict)
    """Frames that come with the call, by id."""


@dataclass(frozen=True, slots=True)
class _WaitingCall:
    call: Call
    future: Future[Generation]


@dataclass(frozen=True, slots=True)
class _WaitingWork:
    work: Callable[[Policy], None]
    future: Future[None]


class Batcher:
    """Accepts calls from any thread. Close it, or use it as a context manager."""

    def __init__(self, policy: Policy, jpeg: Callable[[str], bytes], *, max_batch: int = 16) -> None:
        """`jpeg` finds frames that do not come with a call. `max_batch` is the maximum number of calls per pass."""
        self.policy = policy
        self.max_batch = max_batch
        self._brought: dict[str, bytes] = {}
        self._pixels = FramePixels(
            policy.image_processor, lambda frame_id: self._brought.get(frame_id) or jpeg(frame_id)
        )
        self._waiting: queue.SimpleQueue[_WaitingCall | _WaitingWork | None] = queue.SimpleQueue()
        """None closes the batcher."""
        self._thread = threading.Thread(target=self._serve, name="policy", daemon=True)
        self._thread.start()

    def submit(self, call: Call) -> Future[Generation]:
        """The future fails with CallFailed if the conversation leaves no room for a reply."""
        future: Future[Generation] = Future()
        self._waiting.put(_WaitingCall(call, future))
        return future

    def run_between_batches(self, work: Callable[[Policy], None]) -> Future[None]:
        """Run something on the policy while it answers no call."""
        future: Future[None] = Future()
        self._waiting.put(_WaitingWork(work, future))
        return future

    def close(self) -> None:
        """Finish everything that is already waiting, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def __enter__(self) -> Batcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        closing = False
        while not closing:
            batch: list[_WaitingCall] = []
            work: _WaitingWork | None = None
            wait_s: float | None = None
            while len(batch) < self.max_batch:
                try:
                    waiting = self._waiting.get(timeout=wait_s)
                except queue.Empty:
                    break
                if waiting is None:
                    closing = True
                    break
                # Skip calls that nobody waits for any more.
                if not waiting.future.set_running_or_notify_cancel():
                    continue
                if isinstance(waiting, _WaitingWork):
                    work = waiting
                    break
                batch.append(waiting)
                wait_s = LINGER_S
            if batch:
                self._answer(batch)
            if work:
                self._run(work)

    def _run(self, waiting: _WaitingWork) -> None:
        try:
            waiting.work(self.policy)
            waiting.future.set_result(None)
        except BaseException as error:
            waiting.future.set_exception(error)

    def _answer(self, batch: list[_WaitingCall]) -> None:
        self._brought = {frame_id: data for waiting in batch for frame_id, data in waiting.call.jpegs.items()}
        fitting: list[tuple[Prompt, Future[Generation]]] = []
        context = self.policy.model.config.get_text_config().max_position_embeddings
        try:
            for waiting in batch:
                call = waiting.call
                tokens = self.policy.chat.encode(call.messages, self._pixels.tokens, prompt=True)
                if len(tokens.ids) + call.max_new_tokens <= context:
                    prompt = Prompt(
                        tokens.ids, tokens.frame_ids, call.temperature, call.seed, call.max_new_tokens, call.stop
                    )
                    fitting.append((prompt, waiting.future))
                else:
                    sentence = f"{len(tokens.ids)} tokens and {call.max_new_tokens} more do not fit into {context}"
                    waiting.future.set_exception(CallFailed("context_overflow", sentence, retryable=False))
            if fitting:
                generations = generate(self.policy, self._pixels, [prompt for prompt, _ in fitting])
                for (_, future), generation in zip(fitting, generations, strict=True):
                    future.set_result(generation)
        except BaseException as error:
            # Pass the error to every waiting caller: raised in this thread alone, it would leave all episodes hanging.
            for waiting in batch:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
        finally:
            self._brought = {}
