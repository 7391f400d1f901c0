"""A server that fails in six ways."""

from __future__ import annotations

import tempfile
from collections import Counter

import typer

from benchmarks.distill.servers import local_server, say, stats
from benchmarks.distill.world import PROMPTS, PROTOCOL, World
from distill.client.chat import ChatPlayer
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.settings.model import Endpoint


def storm(episodes: int = 300, at_once: int = 32) -> None:
    """10% 429, 5% 500, 5% hang, 3% cut off, 2% malformed JSON, 1% closed connections."""
    with tempfile.TemporaryDirectory() as folder, local_server("--latency", "0.02", "--storm") as url:
        with FrameStore(f"{folder}/f.sqlite") as store, Ledger(f"{folder}/l.sqlite") as ledger:
            world = World(store, videos=8, overview=16)
            player = ChatPlayer(
                Endpoint(base_url=url, identity="bench", concurrency=at_once, timeout_s=1.5), ledger, store
            )
            rows = EpisodeRunner(player, world.frames_at, store, PROTOCOL, PROMPTS, at_once).play_all(
                world.jobs(episodes)
            )
        counted, server = Counter(entry.outcome for entry in read_entries(f"{folder}/l.sqlite")), stats(url)
    say(f"calls by outcome in the ledger: {dict(counted)}; the server counted {server['calls']}")
    say(f"episodes: {dict(Counter(row['failure'] or row['status'] for row in rows))}")
    named = {
        "429": "rate_limited",
        "500": "server_error",
        "hang": "timeout",
        "cut": "cut_off",
        "malformed": "malformed",
        "close": "connection",
    }
    fits = (
        all(server.get(how, 0) == counted[kind] for how, kind in named.items()) and server["calls"] == counted.total()
    )
    held = fits and len(rows) == episodes and all((row["status"] == "failed") == bool(row["failure"]) for row in rows)
    say(f"every episode ends and every call is classified: {'ok' if held else 'FAILED'}")
    raise typer.Exit(not held)
