"""A budget below the need, then enough."""

from __future__ import annotations

import tempfile

import typer

from benchmarks.distill.servers import local_server, say
from benchmarks.distill.world import PROMPTS, PROTOCOL, World
from distill.client.chat import ChatPlayer
from distill.client.errors import BudgetSpent
from distill.rollouts import EpisodeRunner
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from videozoomer.settings.model import Endpoint, Prices


def cap(episodes: int = 200, at_once: int = 32) -> None:
    """Run with a budget of 60% of the need, then with enough."""
    prices = Prices(input_per_million=1.25, output_per_million=10, image_tokens=258)
    with (
        tempfile.TemporaryDirectory() as folder,
        FrameStore(f"{folder}/f.sqlite") as store,
        local_server("--latency", "0.02") as url,
    ):
        world = World(store, videos=8, overview=16)
        chosen = Endpoint(base_url=url, identity="bench", concurrency=at_once, prices=prices, max_tokens=300)

        def run(name: str, cap_usd: float) -> tuple[float, int]:
            with Ledger(f"{folder}/{name}.sqlite") as ledger, Budget(f"{folder}/{name}.budget", cap_usd) as budget:
                player, answered = ChatPlayer(chosen, ledger, store, budget=budget), 0
                try:
                    rows = EpisodeRunner(player, world.frames_at, store, PROTOCOL, PROMPTS, at_once).play_all(
                        world.jobs(episodes)
                    )
                    answered = sum(row["status"] == "answered" for row in rows)
                except BudgetSpent as error:
                    say(f"  stopped: {error}")
                return ledger.paid_usd(), answered

        need, _ = run("free", 1e9)
        first, _ = run("capped", 0.6 * need)
        last, answered = run("capped", 10 * need)
    held = first <= 0.6 * need and abs(last - need) < 1e-9 and answered == episodes
    say(
        f"need ${need:.4f}; cap ${0.6 * need:.4f}: spent ${first:.4f} ({first / need:.1%} of the need); "
        f"resumed to the end: ${last:.4f}"
    )
    say(f"spent <= cap, and no extra cost in total: {'ok' if held else 'FAILED'}")
    raise typer.Exit(not held)
