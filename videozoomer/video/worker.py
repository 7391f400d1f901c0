"""The process that reads files for `videozoomer.video.ingest`: limited in memory, and dies with its parent.

It runs one task after another, so that it imports its libraries only once. It imports only what decoding needs.
"""

from __future__ import annotations

import sys
import traceback
from multiprocessing.connection import Connection

from videozoomer.video.limits import MemoryLimit, die_with_parent
from videozoomer.video.processes import READY
from videozoomer.video.store import StoreError
from videozoomer.video.tasks import Result, Task
from videozoomer.video.watch import ProcessWatch, Watch

OUT_OF_MEMORY = "it needs more memory than the limit; raise memory_mb, or scale the video down"


def load_libraries() -> None:
    """Import everything that a task needs, so that imports count neither as its time nor as its memory."""
    import cv2
    import scenedetect.detectors  # noqa: F401
    import scipy.fftpack  # noqa: F401

    import videozoomer.video.onepass  # noqa: F401

    # One process is one reader; the caller decides how many run at once.
    cv2.setNumThreads(1)


def main(pipe: int, lifeline: int) -> None:
    """Send READY, then run tasks `(uri, task, timeout_s, memory_mb)` until the parent closes the pipe."""
    die_with_parent(lifeline)
    load_libraries()
    with Connection(pipe) as connection:
        connection.send(READY)
        while True:
            try:
                uri, task, timeout_s, memory_mb = connection.recv()
            except EOFError:
                return
            task.prepare()
            try:
                with ProcessWatch(connection, timeout_s) as watch:
                    result = _run(task, uri, memory_mb, watch)
                connection.send(result)
            except StoreError as error:
                connection.send(error)


def _run(task: Task[Result], uri: str, memory_mb: int, watch: Watch) -> Result:
    with MemoryLimit(memory_mb) as limit:
        try:
            result = task.run(uri, watch)
        except StoreError:
            raise
        except MemoryError:
            return task.quarantined(uri, "out_of_memory", OUT_OF_MEMORY)
        except Exception:
            # Decoders and detectors can raise anything. It costs only this file, and the record keeps the traceback.
            result = task.quarantined(uri, "decoder_crashed", traceback.format_exc(limit=-3))
    # A decoder that gets no memory may report a damaged file.
    suspect = result.reason in ("damaged", "decoder_crashed", "not_a_video") or bool(result.bad_spans)
    starved = suspect and limit.reached
    return task.quarantined(uri, "out_of_memory", OUT_OF_MEMORY) if starved else result


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
