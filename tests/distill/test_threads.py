"""A flusher passes on everything that waits."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from distill.storage.threads import Flusher


def test_items_that_arrive_during_a_flush_go_with_the_next():
    flushed, begun, go_on = [], threading.Event(), threading.Event()

    def flush(items):
        flushed.append(items)
        begun.set()
        assert go_on.wait(10)

    flusher = Flusher(flush, "test", max_items=3)
    waiting = [Future() for _ in range(6)]
    flusher.put(0, waiting[0])
    assert begun.wait(10)
    for number in range(1, 6):
        flusher.put(number, waiting[number])
    assert not any(done.done() for done in waiting)
    go_on.set()
    flusher.close()
    assert flushed == [[0], [1, 2, 3], [4, 5]] and all(done.result() is None for done in waiting)


def test_a_failed_flush_fails_its_own_callers_only():
    def flush(items):
        if "bad" in items:
            raise ValueError("no room")

    async def put(flusher, item):
        done = asyncio.get_running_loop().create_future()
        flusher.put(item, done)
        return await done

    flusher = Flusher(flush, "test", max_items=1)
    outside, cancelled = Future(), Future()
    cancelled.cancel()
    for item, done in (("bad", outside), ("cancelled", cancelled)):
        flusher.put(item, done)
    with pytest.raises(ValueError, match="no room"):
        asyncio.run(put(flusher, "bad"))
    assert asyncio.run(put(flusher, "good")) is None
    flusher.close()
    with pytest.raises(ValueError, match="no room"):
        outside.result(0)


def test_a_flusher_waits_for_more_items():
    flushed = []
    flusher = Flusher(flushed.append, "test", gather_s=0.2)
    for number in range(5):
        flusher.put(number, Future())
    flusher.close()
    assert flushed == [[0, 1, 2, 3, 4]]
