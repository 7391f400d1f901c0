"""Threads that work for an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Waiting = Future | asyncio.Future


def run_blocking(collect: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function to its end, also when the caller's thread has a running event loop (a notebook).

    Ctrl-C cancels the coroutine, which may still tidy up, and then raises KeyboardInterrupt; a second does not wait.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with _cancelled_by_ctrl_c():
            return asyncio.run(collect())
    with ThreadPoolExecutor(1, thread_name_prefix="episodes") as aside:
        return aside.submit(lambda: asyncio.run(collect())).result()


@contextlib.contextmanager
def _cancelled_by_ctrl_c() -> Iterator[None]:
    """Python's own handler of SIGINT, which `asyncio.run` turns into a cancellation.

    Another one (Dagster's raises wherever the program is) would stop the loop and drop what its tasks wait for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class BadItem(Exception):
    """One of the items of a flush can never be written; the others can."""


class Flusher(Generic[T]):
    """A thread that takes items from others and flushes all that wait in one batch."""

    def __init__(
        self, flush: Callable[[list[T]], None], name: str, *, max_items: int = 500, gather_s: float = 0.0
    ) -> None:
        """`flush` gets at most `max_items`. `gather_s`: how long the thread waits for more once there is one.

        If `flush` raises `BadItem`, having written nothing, its items are flushed one by one.
        """
        self._flush, self._max_items, self._gather_s = flush, max_items, gather_s
        self._queue: SimpleQueue[tuple[T, Waiting] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T, done: Waiting) -> None:
        """`done` is set once the item is flushed, or gets what `flush` raised. It may belong to any event loop, or to
        none."""
        self._queue.put((item, done))

    def close(self) -> None:
        """Flush what waits, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            if self._gather_s:
                time.sleep(self._gather_s)
            taken = [first]
            while len(taken) < self._max_items and not self._queue.empty():
                if (one := self._queue.get()) is None:
                    self._queue.put(None)
                    break
                taken.append(one)
            self._flush_all(taken)

    def _flush_all(self, taken: Sequence[tuple[T, Waiting]]) -> None:
        try:
            self._flush([item for item, _ in taken])
        except BadItem as error:
            if len(taken) == 1:
                _resolve([taken[0][1]], error)
            else:
                for one in taken:
                    self._flush_all([one])
        except Exception as error:
            _resolve([done for _, done in taken], error)
        else:
            _resolve([done for _, done in taken], None)


def _resolve(waiting: Sequence[Waiting], failure: Exception | None) -> None:
    """Let the callers continue; one call into each event loop for all of its futures."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future]] = {}
    for done in waiting:
        if isinstance(done, asyncio.Future):
            by_loop.setdefault(done.get_loop(), []).append(done)
        else:
            _settle([done], failure)
    for loop, futures in by_loop.items():
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(_settle, futures, failure)


def _settle(futures: Sequence[Waiting], failure: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue  # The caller was cancelled; the item is flushed nevertheless.
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
