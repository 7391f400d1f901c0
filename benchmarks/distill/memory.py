"""Peak memory over the number of questions."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile

from benchmarks.distill.servers import LEAN_SERVER, local_server, say
from benchmarks.distill.world import PROMPTS, PROTOCOL, World
from distill.client.chat import ChatPlayer
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from videozoomer.settings.model import Endpoint


def memory(small: int = 1000, large: int = 10_000, overview: int = 64) -> None:
    """Peak memory of a process that plays many questions, with five and with ten per video."""
    for a_video in (5, 10):
        peaks = {}
        for count in (small, large):
            command = [
                sys.executable,
                "-m",
                "benchmarks.distill",
                "memory-run",
                str(count),
                "--overview",
                str(overview),
                "--a-video",
                str(a_video),
            ]
            peaks[count] = int(
                subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]
            )
            say(f"{a_video} questions per video, {count:,} questions: {peaks[count] / 2**10:.0f} MiB peak")
        grown = peaks[large] / peaks[small] - 1
        say(f"growth {grown:+.1%}: {'ok' if grown <= 0.10 else 'FAILED'} (at most 10%)")


def memory_run(count: int, overview: int = 64, a_video: int = 5) -> None:
    async def go(folder: str, url: str) -> int:
        done = 0
        with (
            FrameStore(f"{folder}/f.sqlite") as store,
            Ledger(f"{folder}/l.sqlite") as ledger,
            open(f"{folder}/rows.jsonl", "w") as rows,
        ):
            world = World(store, videos=max(1, count // a_video), overview=overview, remember=False)
            player = ChatPlayer(Endpoint(base_url=url, identity="bench", concurrency=64), ledger, store)
            async for _, row in EpisodeRunner(player, world.frames_at, store, PROTOCOL, PROMPTS, 64).play_each(
                world.jobs(count)
            ):
                rows.write(json.dumps(row))
                done += row["status"] == "answered"
                if done % 1000 == 0:
                    say(f"{done} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
        return done

    with tempfile.TemporaryDirectory() as folder, local_server("--latency", "0", server=LEAN_SERVER) as url:
        assert asyncio.run(go(folder, url)) == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
