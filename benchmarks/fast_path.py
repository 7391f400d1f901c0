"""What each trick of the fast path is worth: the same calls with it and with its plain reference, in turns in one
process.

python -m benchmarks.fast_path            # all of them, a few minutes
python -m benchmarks.fast_path write      # one of them

CPU a call is of whole episodes (64 frames of overview, one zoom) against a local server; the other figures are of the
function alone. Medians over the rounds, and of the ratio within each round: a machine that does other work changes both
alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated
from unittest import mock

import typer

from benchmarks.distill.servers import LEAN_SERVER, local_server, say
from benchmarks.distill.throughput import measured_calls
from benchmarks.distill.world import PROMPTS, PROTOCOL, World
from distill.client.encoding import Body, encode_plainly
from distill.client.image_cache import ImageCache
from distill.episodes import begin
from distill.storage.frames import FrameStore
from distill.storage.keys import conversation_json, conversation_json_plainly, text_hash
from videozoomer.protocol import Message
from videozoomer.protocol.message_rows import to_rows, to_rows_plainly

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


def one_dump(store: FrameStore) -> AbstractContextManager:
    def encode(parameters: dict, messages: list[Message], images: ImageCache) -> Body:
        content = encode_plainly(parameters, messages, store.jpeg)
        return Body((content,), text_hash(conversation_json(messages)), 0, 0)

    return mock.patch("distill.client.remote_model.encode_request", encode)


def joined(store: FrameStore) -> AbstractContextManager:
    return mock.patch("distill.client.aiohttp_transport.payload_of", b"".join)


CALLS: dict[str, tuple[str, Callable[[FrameStore], AbstractContextManager]]] = {
    "encoding": ("bodies of cached pieces, against one json.dumps", one_dump),
    "write": ("pieces sent by writev, against joined bodies", joined),
}


@app.command()
def measure(
    which: Annotated[
        list[str] | None, typer.Argument(help="encoding, write, keys, rows; all if none is named.")
    ] = None,
    rounds: int = 7,
    episodes: int = 96,
    at_once: int = 64,
) -> None:
    """Print one line for each trick."""
    import aiohttp  # noqa: F401  Loaded before the first round, which would otherwise pay for it.

    chosen = which or [*CALLS, "keys", "rows"]
    for name in chosen:
        if name in CALLS:
            title, plain = CALLS[name]
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                pairs = [
                    [
                        _cpu_ms(home, f"{turn}-{index}", way, episodes, at_once)
                        for index, way in enumerate((None, plain))
                    ]
                    for turn in range(rounds)
                ]
            _report(title, "CPU ms a call", pairs)
    if {"keys", "rows"} & set(chosen):
        with tempfile.TemporaryDirectory() as folder, FrameStore(f"{folder}/frames.sqlite") as store:
            jobs = World(store, videos=4).jobs(200)
            conversations = [begin(job, PROTOCOL, PROMPTS).messages for job in jobs]
        if "keys" in chosen:
            pairs = [
                [_us(fn, conversations) for fn in (conversation_json, conversation_json_plainly)] for _ in range(rounds)
            ]
            _report("JSON of a conversation from kept parts, against one dump", "us", pairs)
        if "rows" in chosen:
            pairs = [[_kb(fn, conversations) for fn in (to_rows, to_rows_plainly)] for _ in range(rounds)]
            _report("rows that share dictionaries, against rows of their own", "KB a row", pairs)


def _cpu_ms(
    folder: Path,
    name: str,
    plain: Callable[[FrameStore], AbstractContextManager] | None,
    episodes: int,
    at_once: int,
    latency_s: float = 0.2,
) -> float:
    with (
        local_server("--latency", str(latency_s), "--zooms", "1", server=LEAN_SERVER) as url,
        FrameStore(folder / f"{name}.frames") as store,
        plain(store) if plain is not None else nullcontext(),
    ):
        world = World(store, videos=max(1, episodes // 8))
        played = measured_calls(world, store, folder / f"{name}.ledger", url, episodes, at_once)
    return played.cpu_s / played.calls * 1e3


def _us(function: Callable[[tuple[Message, ...]], object], conversations: list) -> float:
    began_s = time.process_time()
    for messages in conversations:
        function(messages)
    return (time.process_time() - began_s) / len(conversations) * 1e6


def _kb(function: Callable[[tuple[Message, ...]], object], conversations: list) -> float:
    tracemalloc.start()
    kept = [function(messages) for messages in conversations]
    size = tracemalloc.get_traced_memory()[0] / len(kept) / 1e3
    tracemalloc.stop()
    return size


def _report(title: str, unit: str, pairs: list[list[float]]) -> None:
    with_it, plain = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
    ratios = sorted(pair[1] / pair[0] for pair in pairs)
    say(
        f"{title}: {with_it:.3g} {unit}, plain {plain:.3g}, "
        f"plain takes {statistics.median(ratios):.2f} x ({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(pairs)} rounds)"
    )


if __name__ == "__main__":
    app()
