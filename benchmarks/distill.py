"""Figures of distillation, each by one command. Everything is measured against a local server in a process of its own.

python -m benchmarks.distill throughput   # against the ideal, and against a plain loop
python -m benchmarks.distill memory       # 1,000 and 10,000 questions
python -m benchmarks.distill kill         # 30 times kill -9
python -m benchmarks.distill storm        # a server that fails in six ways
python -m benchmarks.distill cap          # a cap of 60% of the need
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from distill.client.chat import ChatPlayer
from distill.client.errors import BudgetSpent
from distill.items import EpisodeJob
from distill.rollouts import EpisodeRunner
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.lake import Lake
from videozoomer.protocol import FrameRef, Protocol, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import Endpoint, Prices
from videozoomer.video.types import Frame

HERE = Path(__file__).resolve().parent
SERVER = HERE.parent / "tests" / "distill" / "chat_server.py"
LEAN_SERVER = HERE / "latency_server.py"
PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")
app = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, pretty_exceptions_enable=False)


def jpeg_frame(seed: int, time_s: float) -> Frame:
    """A frame of the protocol's size whose JPEG is some 10 KB."""
    coarse = np.random.default_rng(seed).integers(0, 255, (15, 20, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((360, 272), Image.Resampling.BICUBIC).save(out, "JPEG", quality=60)
    jpeg = out.getvalue()
    return Frame(frame_id_of(jpeg), time_s, time_s, 360, 272, jpeg)


class World:
    """Questions about videos that are a pool of frames; frames of a zoom come from the pool, since decoding is not
    measured."""

    def __init__(self, store: FrameStore, *, videos: int, overview: int = 64, remember: bool = True) -> None:
        """Without `remember`, overviews are made anew when they are asked for, so that the world itself takes no
        memory."""
        self.shown: dict[int, tuple[FrameRef, ...]] = {}
        self.pool = [jpeg_frame(index, float(index)) for index in range(256)]
        self.videos, self.overview, self.store = videos, overview, store
        for video in range(videos):
            frames = self._frames(video)
            store.put(frames, f"v{video}")
            if remember:
                self.shown[video] = tuple(FrameRef(frame.frame_id, frame.time_s) for frame in frames)

    def _frames(self, video: int) -> list[Frame]:
        # Another last byte after the end of the picture makes another frame of the same look, and costs nothing.
        frames = []
        for index in range(self.overview):
            plain = self.pool[(video * 7 + index) % len(self.pool)]
            jpeg = plain.jpeg + video.to_bytes(4, "big")
            frames.append(Frame(frame_id_of(jpeg), 2.0 * index, 2.0 * index, 360, 272, jpeg))
        return frames

    def jobs(self, count: int) -> Iterator[EpisodeJob]:
        last = -1
        shown: tuple[FrameRef, ...] = ()
        for index in range(count):
            if (video := index * self.videos // count) != last:
                last = video
                shown = self.shown.get(video) or tuple(
                    FrameRef(frame.frame_id, frame.time_s) for frame in self._frames(video)
                )
            item = QuestionItem(
                f"q{index:06d}",
                f"v{video}",
                f"v{video}",
                "bench-0000",
                f"What is number {index}?",
                ("a circle", "a square"),
                "choice",
                2.0 * self.overview,
                shown,
            )
            yield EpisodeJob(item, "exemplar")

    def frames_at(self, uri: str, times_s: Sequence[float]) -> list[Frame]:
        start = int(times_s[0] * 2) % 128
        return self.pool[start : start + len(times_s)]


@contextlib.contextmanager
def local_server(*options: str, server: Path = SERVER) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(server), *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def stats(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/stats") as answer:
        return json.load(answer)


def say(text: str) -> None:
    print(text, flush=True)


@app.command()
def throughput(
    episodes: int = 256,
    at_once: int = 64,
    latency: float = 0.2,
    zooms: Annotated[list[int] | None, typer.Option(help="Zooms an episode; 1, 2 and 4 where none is named.")] = None,
    rounds: int = 5,
    png_episodes: int = 2,
    storm_episodes: int = 64,
    plain: bool = True,
) -> None:
    """Calls a second against the ideal, CPU a call, and in the same run the same episodes through a plain loop. The
    server is a process of its own that takes little of the machine, since it stands for one elsewhere; frames are made
    before the clock.

    A run's first calls are sent one after the other, which takes the same time however long the run is: so it is told
    for episodes of several numbers of zooms. The plain loop plays those of the first."""
    import aiohttp  # noqa: F401 - loaded once a process, not once a round

    ideal, zooms = at_once / latency, zooms or [1, 2, 4]
    with tempfile.TemporaryDirectory() as folder, FrameStore(f"{folder}/frames.sqlite") as store:
        videos = max(1, episodes // 8)
        world = World(store, videos=videos)
        sent = sum(len(frame.jpeg) for frame in world._frames(0)) * 4 / 3
        say(
            f"{episodes} episodes, calls of some {sent / 1e3:.0f} KB and more, {at_once} at once, {latency * 1e3:.0f} ms: ideal {ideal:.0f} calls/s"
        )
        medians = {}
        for times in zooms:
            say(f"{times} zoom{'s' if times > 1 else ''} an episode:")
            ours = []
            for number in range(rounds):
                # What an earlier round read would only be recalled, so each has a store of its own.
                path = Path(folder, f"{times}-{number}.sqlite")
                with (
                    local_server("--latency", str(latency), "--zooms", str(times), server=LEAN_SERVER) as url,
                    FrameStore(f"{path}.frames") as fresh,
                ):
                    ours.append(_ours(World(fresh, videos=videos), fresh, path, url, episodes, at_once))
                say(f"  round {number}: {ours[-1]}, {ours[-1].calls / ours[-1].wall_s / ideal:.0%} of the ideal")
            quiet = [played for played in ours if played.others_cpu_s < 0.1] or ours
            medians[times] = median = sorted(quiet, key=lambda played: played.wall_s)[len(quiet) // 2]
            say(
                f"  median of {len(quiet)} rounds in which others took less than 0.1 CPU s (of all, if none): {median}, {median.calls / median.wall_s / ideal:.1%} of the ideal; load average {os.getloadavg()[0]:.1f}"
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
                f"plain loop, {name}, {count} episodes: {theirs}; ours {faster:.1f} x the calls a second for 1/{cheaper:.1f} of the CPU"
            )
        with local_server(*lean, "--storm") as url:
            theirs = _plain(world, store, url, storm_episodes, png=False, at_once=at_once, timeout_s=4)
        with local_server(*lean, "--storm") as url:
            stormy = _ours(world, store, Path(folder, "storm.sqlite"), url, storm_episodes, at_once, timeout_s=4)
        say(f"against a server that fails as in `storm`, {storm_episodes} episodes, JPEGs as they are:")
        for name, played in (("plain loop", theirs), ("ours", stormy)):
            say(
                f"  {name}: {played}, {played.answered} answered, {played.calls / max(1, played.answered):.2f} calls an answer"
            )


@dataclass(frozen=True)
class Played:
    wall_s: float
    cpu_s: float
    calls: int
    server_cpu_s: float
    answered: int
    others_cpu_s: float
    """CPU that anything else took meanwhile, on this machine or, where it is virtual, on its host: a figure of a round
    in which it is not near 0 says little."""

    def __str__(self) -> str:
        a_call = (
            f"{self.cpu_s / self.calls * 1e3:.2f} CPU ms a call (the server {self.server_cpu_s / self.calls * 1e3:.2f})"
        )
        return f"{self.calls} calls in {self.wall_s:.2f} s, {self.calls / self.wall_s:.1f} calls/s, {a_call}, others took {max(0.0, self.others_cpu_s):.2f} CPU s"


def _clocked(play: Callable[[], int], url: str) -> Played:
    server_s, machine_s = stats(url)["cpu_s"], _machine_cpu_s()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    answered = play()
    wall_s, cpu_s, machine_s = time.perf_counter() - began_s, time.process_time() - cpu_s, _machine_cpu_s() - machine_s
    after = stats(url)
    server_s = after["cpu_s"] - server_s
    return Played(wall_s, cpu_s, after["calls"], server_s, answered, machine_s - cpu_s - server_s)


def _machine_cpu_s() -> float:
    """CPU seconds that all processes took since the machine started, and what its host took from it (Linux)."""
    user, nice, system, _idle, _waiting, hard, soft, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _ours(
    world: World, store: FrameStore, path: Path, url: str, episodes: int, at_once: int, timeout_s: float = 600
) -> Played:
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

        return _clocked(play, url)


def _plain(
    world: World, store: FrameStore, url: str, episodes: int, *, png: bool, at_once: int, timeout_s: float
) -> Played:
    from benchmarks.plain_loop import play_plainly

    jobs = list(world.jobs(episodes))
    return _clocked(
        lambda: sum(
            asyncio.run(
                play_plainly(
                    jobs, url, store, world.frames_at, PROTOCOL, PROMPTS, at_once=at_once, timeout_s=timeout_s, png=png
                )
            )
        ),
        url,
    )


@app.command()
def memory(small: int = 1000, large: int = 10_000, overview: int = 64) -> None:
    """Peak memory of a process that plays so many questions, one video to five of them, and one to ten."""
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
            say(f"{a_video} questions a video, {count:,} questions: {peaks[count] / 2**10:.0f} MiB at the peak")
        grown = peaks[large] / peaks[small] - 1
        say(f"growth {grown:+.1%}: {'holds' if grown <= 0.10 else 'does not hold'} (at most 10%)")


@app.command(hidden=True)
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


@app.command()
def kill(episodes: int = 200, kills: int = 30, at_once: int = 16, latency: float = 0.1, seed: int = 0) -> None:
    """kill -9 at random moments, then to the end; the data set and the calls paid against a run that was let be."""

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
                # What the server was asked and the ledger does not hold was in flight.
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
        f"{episodes} episodes, {len(lost)} times kill -9, at most {at_once} calls in flight: {ideal} calls without, {paid} with"
    )
    say(
        f"in flight at a kill: {sum(lost) / max(len(lost), 1):.1f} on average, {max(lost, default=0)} at most; {paid - ideal - sum(lost)} paid beyond those"
    )
    held = paid <= ideal + sum(lost) and max(lost, default=0) <= at_once and all(same.values())
    say(f"same bytes: {same}; paid <= ideal + in flight: {'holds' if held else 'does not hold'}")
    raise typer.Exit(not held)


@app.command(hidden=True)
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
        lake.write("frames", list(store.rows(shown))).replace(home / "frames.parquet")
        lake.write("trajectories", rows).replace(home / "trajectories.parquet")


@app.command()
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
    say(f"every episode has its end and every call its class: {'holds' if held else 'does not hold'}")
    raise typer.Exit(not held)


@app.command()
def cap(episodes: int = 200, at_once: int = 32) -> None:
    """A cap of 60% of the need, then enough."""
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
        f"need ${need:.4f}; cap ${0.6 * need:.4f}: spent ${first:.4f} ({first / need:.1%} of the need); resumed to the end: ${last:.4f}"
    )
    say(f"spent <= cap, and the whole cost no more: {'holds' if held else 'does not hold'}")
    raise typer.Exit(not held)


if __name__ == "__main__":
    app()
