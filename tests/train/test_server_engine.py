"""Playing on a server: its tokens and log-probabilities, sending it weights, and the effect of stale weights."""

from pathlib import Path

import pytest
import torch

from distill.chat_server import ChatServer, completion
from train.policy.checkpoint import load_policy, save_policy
from train.policy.episode_tokens import RolloutLimits
from train.policy.frame_pixels import FramePixels
from train.rl.grpo_loss import policy_loss
from train.rl.server_engine import ServerEngine, ServerFailed
from train.rl.shared_prefix import SharedPrefix, collate_group
from train.serving.server import serve
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.settings.rl import RlSettings, RolloutServer

pytestmark = pytest.mark.slow

LIMITS = RolloutLimits(temperature=1.0, max_new_tokens=12, max_tokens=4000)
ZOOM = '<think>a</think><video_zoom>{"segment": [1, 3], "fps": 1}</video_zoom>'


@pytest.fixture(scope="module")
def frames(shards) -> list[FrameRef]:
    parts = [
        part
        for row in shards.rows()
        for message in row["messages"]
        for part in message["parts"]
        if part["type"] == "image"
    ]
    return [FrameRef(part["frame_id"], part["time_s"]) for part in parts]


def looked(frames) -> list[Episode]:
    """Two episodes that have already zoomed once, so that tool frames precede the next turn."""
    group = []
    for _ in range(2):
        episode = Episode(
            Task("Which?", ("red", "blue"), "choice", 12.0), frames[:4], Protocol(max_zooms=1), load_prompts()
        )
        episode.step(ZOOM)
        episode.show(frames[5:7])
        group.append(episode)
    return group


def test_stale_weights_of_the_server_are_corrected(checkpoint, shards, frames, tmp_path):
    """Same weights: at most 1e-3 apart. Stale weights: further apart, and the loss corrects for it."""
    policy = load_policy(checkpoint)
    pixels = FramePixels(policy.image_processor, shards.jpeg)

    def played(player: ServerEngine) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rollouts = player.play_groups([looked(frames)], ["v"], [[1, 2]], lambda uri, times: [], LIMITS)[0]
        assert all(
            len(one.tokens.frame_ids) == 6 and len(one.logprobs) == sum(one.tokens.weights) > 0 and not one.failure
            for one in rollouts
        )
        batch = collate_group([one.tokens for one in rollouts], policy, pixels)
        with torch.no_grad():
            trainer, _ = SharedPrefix(policy.model)(
                batch.prefix, batch.endings, batch.targets, policy.chat.never_sampled, 1.0
            )
        drawn = torch.zeros_like(batch.mask)
        for row, one in enumerate(rollouts):
            drawn[row, : len(one.logprobs)] = torch.tensor(one.logprobs)
        return trainer, drawn, batch.mask

    def gap(found) -> float:
        trainer, drawn, mask = found
        return float(((trainer - drawn).abs() * mask).max())

    def correction(found) -> float:
        trainer, drawn, mask = found
        return policy_loss(
            trainer, mask, trainer, drawn, None, torch.tensor([1.0, -1.0]), mask, RlSettings()
        ).correction / float(mask.sum())

    with serve(checkpoint, take_weights=True) as server:
        player = ServerEngine(RolloutServer(base_url=server.base_url, model=server.model), policy, pixels)
        same = played(player)
        assert gap(same) < 1e-3 and correction(same) == pytest.approx(1, abs=1e-3)
        with torch.no_grad():
            for weight in policy.model.model.language_model.parameters():
                weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
        stale = played(player)
        assert gap(stale) > 0.05 and abs(correction(stale) - 1) > 1e-3
        save_policy(policy, tmp_path / "engine")
        player.load_weights(tmp_path / "engine")
        assert gap(played(player)) < 1e-3
        with pytest.raises(ServerFailed, match="weights were not loaded"):
            player.load_weights(tmp_path / "nothing")
        with torch.no_grad():
            policy.model.lm_head.weight.add_(0.05)  # Not in the folder: as if the server had left it out.
        with pytest.raises(ServerFailed, match=r"known prompt are .* nats from the trainer's.*rl\.server\.max_gap"):
            player.load_weights(tmp_path / "engine")


@pytest.mark.parametrize("read", ["the same", "other tokens", "not said"])
def test_the_conversation_goes_as_token_ids_where_the_server_takes_them(checkpoint, shards, frames, read):
    """One token a frame is sent, and the tokens that the server has read are compared with the trainer's."""
    policy = load_policy(checkpoint)
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    sent: list[dict] = []

    def generate(body) -> dict:
        sent.append(body)
        expanded, counts = [], iter(pixels.tokens(frame.frame_id) for frame in [*frames[:4], *frames[5:7]])
        for token in body["token_ids"]:
            expanded += [token] * (next(counts) if token == policy.chat.image else 1)
        prompt = {"the same": expanded, "other tokens": [*expanded, 5], "not said": None}[read]
        sampled = [policy.chat.turn_end]
        logprobs = {"content": [{"token_id": sampled[0], "logprob": -0.5}]}
        return {"prompt_token_ids": prompt, "choices": [{"token_ids": sampled, "logprobs": logprobs}]}

    def no_messages(body) -> dict:
        raise AssertionError("messages were sent")

    with ChatServer(no_messages, {"id": "m"}, more={"/inference/v1/generate": generate}) as server:
        server.start()
        player = ServerEngine(RolloutServer(base_url=server.base_url, model="m"), policy, pixels)
        (group,) = player.play_groups([looked(frames)], ["v"], [[1, 2]], lambda uri, times: [], LIMITS)
        server.shutdown()
    assert player.counts.take() == {"the same": (2, 0), "other tokens": (2, 2), "not said": (0, 0)}[read]
    assert [one.logprobs for one in group] == [[-0.5], [-0.5]] and len(sent) == 2
    for body in sent:
        assert body["token_ids"].count(policy.chat.image) == len(body["content_parts"]) == 6
        assert body["sampling_params"]["max_tokens"] == LIMITS.max_new_tokens and body["return_token_ids"]


@pytest.mark.parametrize(
    ("tokens", "sentence"), [(None, "0 token ids and 0 log-probabilities"), ([5, 6], "2 token ids and 0")]
)
def test_a_server_that_does_not_return_tokens_and_log_probabilities_is_refused(
    checkpoint, shards, frames, tokens, sentence
):
    def answer(body) -> dict:
        reply = completion(
            identity="1", model="m", text="a", finish_reason="stop", stop=None, prompt_tokens=1, completion_tokens=1
        )
        reply["choices"][0]["token_ids"] = tokens
        return reply

    policy = load_policy(checkpoint)
    with ChatServer(answer, {"id": "m"}) as server:
        server.start()
        player = ServerEngine(
            RolloutServer(base_url=server.base_url, model="m"), policy, FramePixels(policy.image_processor, shards.jpeg)
        )
        with pytest.raises(ServerFailed, match=sentence):
            player.play_groups([looked(frames)], ["v"], [[1, 2]], lambda uri, times: [], LIMITS)
        with pytest.raises(ServerFailed, match=r"/collective_rpc failed"):
            player.load_weights(Path("anywhere"))
        server.shutdown()


def test_a_recipe_with_the_server_engine_needs_a_server():
    with pytest.raises(ValueError, match=r"rl\.server must give"):
        RlSettings(engine="server")
