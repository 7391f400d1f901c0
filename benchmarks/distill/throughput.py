"""Calls per second against the ideal, and against a plain loop."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.distill.servers import LEAN_SERVER, local_server, say, stats
from benchmarks.distill.world import PROMPTS, PROTOCOL, World
from distill.client.chat import ChatPlayer
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from videozoomer.settings.model import Endpoint


def throughput(
    episodes: int = 256,
    at_once: int = 64,
    latency: float = 0.2,
    zooms: Annotated[
        list[int] | None, typer.Option(help="Zooms per episode (repeatable); default: 1, 2 and 4.")
    ] = None,
    rounds: int = 5,
    png_episodes: int = 2,
    storm_episodes: int = 64,
    plain: bool = True,
) -> None:
    """Calls per second against the ideal and CPU per call; then the same episodes through a plain loop.

    The server stands in for a remote machine, so it uses little CPU. Frames are prepared before the clock starts.
    Starting the first calls takes constant time, so results are reported for several numbers of zooms per episode;
    the plain loop plays the first of them.
    """
    import aiohttp  # noqa: F401 - import it before the clock starts

    ideal, zooms = at_once / latency, zooms or [1, 2, 4]
    with tempfile.TemporaryDirectory() as folder, FrameStore(f"{folder}/frames.sqlite") as store:
        videos = max(1, episodes // 8)
        world = World(store, videos=videos)
        sent = sum(len(frame.jpeg) for frame in world.frames_of(0)) * 4 / 3
        say(
            f"{episodes} episodes, calls of {sent / 1e3:.0f} KB and more, {at_once} concurrent, "
            f"{latency * 1e3:.0f} ms: ideal {ideal:.0f} calls/s"
        )
        medians = {}
        for times in zooms:
            say(f"{times} zoom{'s' if times > 1 else ''} per episode:")
            ours = []
            for number in range(rounds):
                # A fresh store each round: frames of an earlier round would be recalled, not read.
                path = Path(folder, f"{times}-{number}.sqlite")
                with (
                    local_server("--latency", str(latency), "--zooms", str(times), server=LEAN_SERVER) as url,
                    FrameStore(f"{path}.frames") as fresh,
                ):
                    ours.append(measured_calls(World(fresh, videos=videos), fresh, path, url, episodes, at_once))
                say(f"  round {number}: {ours[-1]}, {ours[-1].calls / ours[-1].wall_s / ideal:.0%} of the ideal")
            quiet = [played for played in ours if played.others_cpu_s < 0.1] or ours
            medians[times] = median = sorted(quiet, key=lambda played: played.wall_s)[len(quiet) // 2]
            say(
                f"  median of the {len(quiet)} rounds with less than 0.1 CPU s of other work (of all, if none): "
                f"{median}, {median.calls / median.wall_s / ideal:.1%} of the ideal; "
                f"load average {os.getloadavg()[0]:.1f}"
            )
        lean, middle = ("--latency", str(latency), "--zooms", str(zooms[0])), medians[zooms[0]]
        if not plain:
            return
        for name, png, count in (("JPEGs as they are", False, episodes), ("frames encoded as PNG", True, png_episodes)):
            with local_server(*lean, server=LEAN_SERVER) as url:
                theirs = _plain(world, store, url, count, png=png, at_once=at_once, timeout_s=600)
            faster = middle.calls / middle.wall_s / (theirs.calls / theirs.wall_s)
            cheaper = theirs.cpu_s / theirs.calls / (middle.cpu_s / middle.calls)
            say(
                f"plain loop, {name}, {count} episodes: {theirs}; "
                f"ours {faster:.1f} times the calls per second at 1/{cheaper:.1f} of the CPU"
            )
        with local_server(*lean, "--storm") as url:
            theirs = _plain(world, store, url, storm_episodes, png=False, at_once=at_once, timeout_s=4)
        with local_server(*lean, "--storm") as url:
            stormy = measured_calls(
                world, store, Path(folder, "storm.sqlite"), url, storm_episodes, at_once, timeout_s=4
            )
        say(f"a server that fails as in `storm`, {storm_episodes} episodes, JPEGs as they are:")
        for name, played in (("plain loop", theirs), ("ours", stormy)):
            say(
                f"  {name}: {played}, {played.answered} answered, "
                f"{played.calls / max(1, played.answered):.2f} calls per answer"
            )


@dataclass(frozen=True)
class Measured:
    wall_s: float
    cpu_s: float
    calls: int
    server_cpu_s: float
    answered: int
    others_cpu_s: float
    """CPU time of all other work on this machine or, if it is virtual, taken by its host. Ignore a round in which this
    is not near 0."""

    def __str__(self) -> str:
        client_ms, server_ms = self.cpu_s / self.calls * 1e3, self.server_cpu_s / self.calls * 1e3
        return (
            f"{self.calls} calls in {self.wall_s:.2f} s, {self.calls / self.wall_s:.1f} calls/s, "
            f"{client_ms:.2f} CPU ms per call (server {server_ms:.2f}), "
            f"other work {max(0.0, self.others_cpu_s):.2f} CPU s"
        )


def _measured(play: Callable[[], int], url: str) -> Measured:
    server_s, machine_s = stats(url)["cpu_s"], _machine_cpu_s()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    answered = play()
    wall_s, cpu_s, machine_s = time.perf_counter() - began_s, time.process_time() - cpu_s, _machine_cpu_s() - machine_s
    after = stats(url)
    server_s = after["cpu_s"] - server_s
    return Measured(wall_s, cpu_s, after["calls"], server_s, answered, machine_s - cpu_s - server_s)


def _machine_cpu_s() -> float:
    """CPU seconds of all processes since boot, and those stolen by the host (Linux)."""
    user, nice, system, _idle, _waiting, hard, soft, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")


def measured_calls(
    world: World, store: FrameStore, path: Path, url: str, episodes: int, at_once: int, timeout_s: float = 600
) -> Measured:
    with Ledger(path) as ledger:
        player = ChatPlayer(
            Endpoint(base_url=url, identity="bench", model="rule-player", concurrency=at_once, timeout_s=timeout_s),
            ledger,
            store,
        )

        def play() -> int:
            rows = EpisodeRunner(player, world.frames_at, store, PROTOCOL, PROMPTS, at_once).play_all(
                world.jobs(episodes)
            )
            return sum(row["status"] == "answered" for row in rows)

        return _measured(play, url)


def _plain(
    world: World, store: FrameStore, url: str, episodes: int, *, png: bool, at_once: int, timeout_s: float
) -> Measured:
    from benchmarks.plain_loop import play_plainly

    jobs = list(world.jobs(episodes))
    return _measured(
        lambda: sum(
            asyncio.run(
                play_plainly(
                    jobs, url, store, world.frames_at, PROTOCOL, PROMPTS, at_once=at_once, timeout_s=timeout_s, png=png
                )
            )
        ),
        url,
    )
