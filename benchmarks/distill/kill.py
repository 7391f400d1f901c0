"""kill -9 at random moments: what is paid, and what comes out."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from benchmarks.distill.servers import local_server, say, stats
from benchmarks.distill.world import PROMPTS, PROTOCOL, World
from distill.client.chat import ChatPlayer
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.lake import Lake
from videozoomer.settings.model import Endpoint


def kill(episodes: int = 200, kills: int = 30, at_once: int = 16, latency: float = 0.1, seed: int = 0) -> None:
    """kill -9 at random moments, then finish. Compare data set and paid calls with an undisturbed run."""

    def start(home: Path, url: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.distill", "kill-run", str(home), url, str(episodes), str(at_once)]
        )

    with tempfile.TemporaryDirectory() as folder, local_server("--latency", str(latency)) as url:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        assert start(whole, url).wait() == 0
        ideal = stats(url)["calls"]
        draw = random.Random(seed)
        lost: list[int] = []
        for threshold in sorted(draw.randrange(ideal) for _ in range(kills)):
            process = start(killed, url)
            while process.poll() is None and stats(url)["calls"] - ideal < threshold + sum(lost):
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 2 * latency))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                time.sleep(2 * latency)
                # Calls the server received and the ledger lacks were in flight.
                held = (
                    sum(1 for _ in read_entries(killed / "ledger.sqlite")) if (killed / "ledger.sqlite").exists() else 0
                )
                lost.append(stats(url)["calls"] - ideal - held - sum(lost))
        assert start(killed, url).wait() == 0
        paid = stats(url)["calls"] - ideal
        same = {
            name: (whole / name).read_bytes() == (killed / name).read_bytes()
            for name in ("trajectories.parquet", "frames.parquet")
        }
    say(
        f"{episodes} episodes, {len(lost)} times kill -9, at most {at_once} concurrent calls: "
        f"{ideal} calls undisturbed, {paid} with kills"
    )
    say(
        f"in flight at a kill: {sum(lost) / max(len(lost), 1):.1f} on average, {max(lost, default=0)} at most; "
        f"{paid - ideal - sum(lost)} paid beyond those"
    )
    held = paid <= ideal + sum(lost) and max(lost, default=0) <= at_once and all(same.values())
    say(f"same bytes: {same}; paid <= ideal + in flight: {'ok' if held else 'FAILED'}")
    raise typer.Exit(not held)


def kill_run(home: Path, url: str, episodes: int, at_once: int) -> None:
    with FrameStore(home / "frames.sqlite") as store, Ledger(home / "ledger.sqlite") as ledger:
        world = World(store, videos=4, overview=8)
        player = ChatPlayer(Endpoint(base_url=url, identity="bench", concurrency=at_once), ledger, store)
        rows = EpisodeRunner(player, world.frames_at, store, PROTOCOL, PROMPTS, at_once).play_all(world.jobs(episodes))
        lake = Lake(home / "tables")
        shown = sorted(
            {
                part["frame_id"]
                for row in rows
                for message in row["messages"]
                for part in message["parts"]
                if part["frame_id"]
            }
        )
        shutil.copyfile(lake.write("frames", list(store.rows(shown))), home / "frames.parquet")
        shutil.copyfile(lake.write("trajectories", rows), home / "trajectories.parquet")
