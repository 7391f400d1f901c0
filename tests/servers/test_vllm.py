"""GRPO with a real vLLM that plays: weights arrive, tokens stay the same, and an absence is outlasted."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
import torch
from builders import answer_reply, zoom_reply
from real import free_port, vllm
from rl_runs import a_rl_recipe, two_questions
from sft_runs import tiny

from train.policy.checkpoint import Policy, load_policy, save_policy
from train.policy.episode_tokens import RolloutLimits
from train.policy.frame_pixels import FramePixels
from train.policy.tiny import build_tiny
from train.rl.rollout_groups import thinned
from train.rl.server_engine import ServerEngine, ServerFailed
from train.rl.shared_prefix import SharedPrefix, collate_group
from train.run.final_checkpoint import with_head
from videozoomer.protocol import Episode, FrameRef, load_prompts
from videozoomer.settings.rl import RolloutServer
from videozoomer.shards.read import ShardSet
from videozoomer.video.reader import ReaderPool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
ROUNDS = 3
ZOOM = zoom_reply(1, 3, fps=2, thought="Red begins at 1.00 s.")
ANSWERS = [answer_reply(letter, thought="It is seen.") for letter in "AB"]


@dataclass
class World:
    shards: ShardSet
    checkpoint: Path
    base_url: str
    port: int
    folder: Path


def taught(checkpoint: Path, shards: ShardSet, target: Path, *, tied: bool) -> Path:
    """A policy that zooms, and then answers A or B: a random one never calls a tool."""
    policy = load_policy(checkpoint)
    protocol = a_rl_recipe(0).protocol.to_protocol()
    with ReaderPool(protocol.min_pixels, protocol.max_pixels) as readers:
        jpegs: dict[str, bytes] = {}
        pixels = FramePixels(policy.image_processor, lambda name: jpegs.get(name) or shards.jpeg(name))
        episodes = []
        for question, answer, budget, zooms in itertools.product(shards.questions("train"), ANSWERS, (2, 4), (0, 4)):
            limits = replace(protocol, overview_frames=budget, max_zooms=zooms)
            episode = Episode(question.item.task, thinned(question.item.overview, budget), limits, load_prompts())
            if zooms:
                frames = readers.frames_at(question.video_uri, list(episode.step(ZOOM) or ()))
                jpegs |= {frame.frame_id: frame.jpeg for frame in frames}
                episode.show([FrameRef(frame.frame_id, frame.time_s) for frame in frames])
            episode.step(answer)
            episodes.append(policy.chat.encode(episode.transcript, pixels.tokens))
    batches = [collate_group([tokens], policy, pixels) for tokens in episodes]
    optimiser = torch.optim.Adam(policy.model.parameters(), lr=3e-3)
    for _ in range(40):
        for batch in batches:
            logprobs, _ = SharedPrefix(policy.model)(
                batch.prefix, batch.endings, batch.targets, policy.chat.never_sampled, 1.0
            )
            loss = -(logprobs * batch.mask).sum() / batch.mask.sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert loss.item() < 0.5, f"the policy has not learnt to zoom: {loss.item()}"
    if tied:
        save_policy(policy, target)
    else:
        save_policy(policy, target, with_head(policy.model, None))
        config = json.loads((target / "config.json").read_text())
        config["tie_word_embeddings"] = False
        (target / "config.json").write_text(json.dumps(config))
    return target


@pytest.fixture(scope="module", params=["tied", "untied"])
def world(request, tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp(request.param)
    shards = two_questions(folder)
    texts = [ZOOM, *ANSWERS, *(row["question"] for row in shards.rows()), load_prompts().system]
    # vLLM's attention on CPUs takes heads of a multiple of 32.
    settings = tiny().model_copy(update={"hidden_size": 64})
    random = build_tiny(settings, texts, folder / "random", min_pixels=784, max_pixels=8000, seed=0)
    checkpoint = taught(random, shards, folder / "policy", tied=request.param == "tied")
    port = free_port()
    with vllm(checkpoint, folder, port) as base_url:
        yield World(shards, checkpoint, base_url, port, folder)


def train(world: World, name: str, **more) -> list[dict]:
    out = world.folder / name
    out.mkdir()
    server = RolloutServer(base_url=world.base_url, model="policy", patience_s=300)
    protocol = more.pop("protocol", {})
    recipe = a_rl_recipe(0, steps=ROUNDS, engine="server", server=server, max_new_tokens=80, redraws=2, **more)
    recipe = recipe.model_copy(update={"protocol": recipe.protocol.model_copy(update=protocol)})
    (out / "recipe.json").write_text(recipe.model_dump_json())
    command = [sys.executable, "-m", "train.rl", "--shards", world.shards.path, "--policy", world.checkpoint]
    command += ["--out", out, "--recipe", out / "recipe.json"]
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | {"OMP_NUM_THREADS": "1", "TORCH_EXTENSIONS_DIR": str(out / "extensions")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("turns", ["single", "multi"])
def test_three_rounds_keep_weights_and_tokens_together(world, turns):
    rounds = train(world, turns, protocol={"max_zooms": 0} if turns == "single" else {})
    assert len(rounds) == ROUNDS
    gaps = [facts["sampling_gap"] for facts in rounds if facts["sampling_gap"] is not None]
    assert gaps and max(gaps) <= 1e-2, gaps
    assert [facts["retokenised_share"] for facts in rounds] == [0.0] * ROUNDS
    if turns == "multi":
        played = pl.read_parquet(world.folder / turns / "trajectories" / "*.parquet")
        assert played["zooms"].sum() > 0, "no episode had a second turn"


def played_once(world: World, policy: Policy, player: ServerEngine, seed: int) -> None:
    protocol = a_rl_recipe(0).protocol.to_protocol()
    question = world.shards.questions("train")[0]
    episode = Episode(question.item.task, question.item.overview, protocol, load_prompts())
    limits = RolloutLimits(temperature=1.0, max_new_tokens=8, max_tokens=4000)
    player.play_groups([[episode]], [question.video_uri], [[seed]], lambda uri, times: [], limits)


def test_a_server_without_the_weights_is_noticed(world, tmp_path):
    """The folder has the old output layer: what a server does that copies tied weights once."""
    policy = load_policy(world.checkpoint)
    pixels = FramePixels(policy.image_processor, world.shards.jpeg)
    player = ServerEngine(RolloutServer(base_url=world.base_url, model="policy", patience_s=300), policy, pixels)
    save_policy(policy, tmp_path / "old", with_head(policy.model, None))
    player.load_weights(tmp_path / "old")
    with torch.no_grad():
        policy.model.lm_head.weight.add_(0.3 * torch.randn(policy.model.lm_head.weight.shape))
    with pytest.raises(ServerFailed, match="nats from the trainer"):
        player.load_weights(tmp_path / "old")
    save_policy(policy, tmp_path / "new", with_head(policy.model, None))
    player.load_weights(tmp_path / "new")
    # A path that is not there does not end the engine.
    with pytest.raises(ServerFailed):
        player.load_weights(tmp_path / "nothing")
    player.load_weights(tmp_path / "new")
    played_once(world, policy, player, 1)


def test_training_outlasts_a_restart_of_the_server(world, tmp_path):
    """It comes back with the weights of its checkpoint, and gets the current ones before any call goes on."""
    policy = load_policy(world.checkpoint)
    pixels = FramePixels(policy.image_processor, world.shards.jpeg)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(0.02 * torch.randn(weight.shape))
    save_policy(policy, tmp_path / "new", with_head(policy.model, None))
    said: list[str] = []
    port = free_port()
    settings = RolloutServer(base_url=f"http://127.0.0.1:{port}/v1", model="policy", patience_s=1800)
    player = ServerEngine(settings, policy, pixels, say=said.append)
    with vllm(world.checkpoint, tmp_path, port):
        player.load_weights(tmp_path / "new")
    caller = threading.Thread(target=played_once, args=(world, policy, player, 2))
    caller.start()
    with vllm(world.checkpoint, tmp_path, port):
        caller.join(900)
        assert not caller.is_alive()
    assert "is away" in said[0] and "with the current weights" in said[-1]
