"""Rollouts: training gets exactly what was sampled over several turns, token by token and position by position."""

import pytest
import torch

from train.policy.checkpoint import load_policy
from train.policy.collate import Sample, collate
from train.policy.episode_tokens import RolloutLimits
from train.policy.frame_pixels import FramePixels
from train.rl import local_engine as rollouts
from train.rl.local_engine import play_groups
from videozoomer.protocol import Episode, FrameRef, Message, Protocol, Task, Text, load_prompts
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

LIMITS = RolloutLimits(temperature=1.0, max_new_tokens=40, max_tokens=4000)


@pytest.fixture(scope="module")
def policy(any_checkpoint):
    return load_policy(any_checkpoint)


@pytest.fixture(scope="module")
def pixels(policy, shards):
    return FramePixels(policy.image_processor, shards.jpeg)


@pytest.fixture(scope="module")
def frames(shards) -> list[FrameRef]:
    rows = shards.rows()
    parts = [
        part for row in rows for message in row["messages"] for part in message["parts"] if part["type"] == "image"
    ]
    return [FrameRef(part["frame_id"], part["time_s"]) for part in parts]


def groups_of(frames, size: int) -> list[list[Episode]]:
    """Two groups, whose overviews differ in length."""
    return [
        [
            Episode(Task(text, ("red", "blue"), "choice", 12.0), frames[:count], Protocol(), load_prompts())
            for _ in range(size)
        ]
        for text, count in (("Which?", 4), ("Which colour was the other one?", 2))
    ]


def play(policy, pixels, frames, monkeypatch, scripts, limits=LIMITS, size=2):
    """`scripts`: first turns of some episodes, each token with its true probability; other episodes sample."""
    seeds = [[1, 2], [3, 4]] if size == 2 else [[1], [3]]
    by_seed = dict(zip([seed for row in seeds for seed in row], range(2 * size), strict=True))
    waiting = {row: list(policy.tokenizer(text)["input_ids"]) for row, text in scripts.items()}
    real = rollouts.choose

    def choose(logits, temperatures, generators, never):
        drawn = real(logits, temperatures, generators, never)
        for index, generator in enumerate(generators):
            tokens = waiting.get(by_seed[generator.initial_seed()])
            if tokens:
                masked = logits[index].float().clone()
                masked[never] = float("-inf")
                drawn[index] = (tokens[0], float(masked.log_softmax(-1)[tokens.pop(0)]))
        return drawn

    monkeypatch.setattr(rollouts, "choose", choose)
    return play_groups(
        policy,
        pixels,
        groups_of(frames, size),
        ["v", "w"],
        seeds,
        lambda uri, times: frames[5 : 5 + len(times)],
        limits,
    )


ZOOM = '<think>a</think><video_zoom>{"segment": [1, 3], "fps": 1}</video_zoom>'
SCRIPTS = {0: ZOOM, 1: "<think>b</think><answer>A</answer><|im_end|>", 3: ZOOM}


def test_training_computes_the_log_probabilities_of_sampling(policy, pixels, frames, monkeypatch):
    """Over several turns, with tool frames and rows of different length: at most 1e-4 apart in float32."""
    played = [one for group in play(policy, pixels, frames, monkeypatch, SCRIPTS) for one in group]
    assert played[0].episode.zooms == 1 and len(played[0].tokens.frame_ids) == 4 + 2
    assert played[1].episode.answer == "A" and len(played[0].episode.turns) >= 2
    for one in played:
        batch = collate([Sample("x", one.tokens)], policy, pixels)
        with torch.no_grad():
            logits = policy.model(**batch.inputs).logits[0]
        logits[:, policy.chat.never_sampled] = float("-inf")
        trained = logits.log_softmax(-1).gather(-1, batch.targets[0][:, None])[:, 0]
        assert len(one.logprobs) == len(trained) == sum(one.tokens.weights)
        torch.testing.assert_close(torch.tensor(one.logprobs), trained, rtol=0, atol=1e-4)


def test_playing_and_training_use_the_same_positions(policy, pixels, frames, monkeypatch):
    fed = []
    real = rollouts.CachedDecoder.inputs

    def watched(self, blocks, frames, start):
        lengths, inputs, reached = real(self, blocks, frames, start)
        fed.extend((tuple(block), inputs["position_ids"][:, row, : len(block)]) for row, block in enumerate(blocks))
        return lengths, inputs, reached

    monkeypatch.setattr(rollouts.CachedDecoder, "inputs", watched)
    for group in play(policy, pixels, frames, monkeypatch, SCRIPTS, size=1):
        ids = group[0].tokens.ids
        whole = collate([Sample("x", group[0].tokens)], policy, pixels).inputs["position_ids"][:, 0]
        place = 0
        # Blocks of both episodes are mixed: a block is this episode's if its tokens come next and its positions match.
        for block, positions in fed:
            if tuple(ids[place : place + len(block)]) == block and torch.equal(
                positions, whole[:, place : place + len(block)]
            ):
                place += len(block)
        # The last sampled token is never fed.
        assert len(ids) - place == 1


def test_tokens_decode_to_the_transcript(policy, pixels, frames, monkeypatch):
    one = play(policy, pixels, frames, monkeypatch, SCRIPTS)[0][0]
    own = policy.tokenizer.decode(
        [token for token, weight in zip(one.tokens.ids, one.tokens.weights, strict=True) if weight]
    )
    assert own.replace("<|im_end|>", "") == "".join(turn.reply for turn in one.episode.turns)
    again = policy.chat.encode(one.episode.transcript, pixels.tokens)
    spelled = policy.tokenizer.decode(one.tokens.ids).removesuffix("<|im_end|>")
    assert policy.tokenizer.decode(again.ids).startswith(spelled)
    assert one.tokens.frame_ids == again.frame_ids


def test_an_episode_that_would_grow_too_long_is_truncated(policy, pixels, frames, monkeypatch):
    first = len(policy.chat.encode(groups_of(frames, 1)[0][0].messages, pixels.tokens, prompt=True).ids)
    limits = RolloutLimits(1.0, 40, first + 100)
    one = play(policy, pixels, frames, monkeypatch, SCRIPTS, limits)[0][0]
    assert one.truncated and one.episode.status == "exhausted" and len(one.tokens.ids) <= limits.max_tokens


def test_an_unreadable_frame_fails_only_its_episode(policy, pixels, frames, monkeypatch):
    def unreadable(uri, times_s):
        raise FrameError(uri, times_s[0], "broken")

    waiting = list(policy.tokenizer(ZOOM)["input_ids"])
    real = rollouts.choose

    def choose(logits, temperatures, generators, never):
        drawn = real(logits, temperatures, generators, never)
        return [
            (waiting.pop(0), 0.0) if generator.initial_seed() == 1 and waiting else one
            for one, generator in zip(drawn, generators, strict=True)
        ]

    monkeypatch.setattr(rollouts, "choose", choose)
    (first, second), _ = play_groups(
        policy, pixels, groups_of(frames, 2), ["v", "w"], [[1, 2], [3, 4]], unreadable, LIMITS
    )
    assert "broken" in first.failure and first.episode.running
    assert second.failure is None


def test_features_of_a_frozen_tower_give_the_same_rollouts(policy, pixels, frames, monkeypatch):
    from train.policy.frame_features import FrameFeatures

    seen = FrameFeatures(policy.model.model.visual, pixels, memory_bytes=2**20)
    one, other = (play(policy, source, frames, monkeypatch, SCRIPTS)[0][0] for source in (pixels, seen))
    assert one.tokens == other.tokens
    torch.testing.assert_close(torch.tensor(one.logprobs), torch.tensor(other.logprobs), rtol=0, atol=1e-4)


def test_a_finished_row_with_a_full_buffer_does_not_affect_the_others(policy, pixels):
    table_of, prompt = (
        rollouts.CachedDecoder,
        policy.chat.encode([Message("user", (Text("Which?"),))], pixels.tokens, prompt=True),
    )
    full, alone = table_of(policy, pixels, 2), table_of(policy, pixels, 2)
    token = prompt.ids[-1]
    with torch.no_grad():
        for table in (full, alone):
            table.begin([prompt])
        # The first buffer has 64 columns.
        full.feed([0], [[token] * 64], [()])
        for _ in range(3):
            here, there = (table.feed([1], [[token]], [()]) for table in (full, alone))
            assert torch.allclose(here, there, atol=1e-5)


def test_a_long_block_beside_a_long_past_fits_into_the_buffer(policy, pixels):
    prompt = policy.chat.encode([Message("user", (Text("Which?"),))], pixels.tokens, prompt=True)
    both, alone = rollouts.CachedDecoder(policy, pixels, 2), rollouts.CachedDecoder(policy, pixels, 2)
    token = prompt.ids[-1]
    with torch.no_grad():
        for table in (both, alone):
            table.begin([prompt])
            table.feed([0], [[token] * 60], [()])
        together = both.feed([0, 1], [[token] * 2, [token] * 40], [(), ()])
        assert torch.allclose(together[:1], alone.feed([0], [[token] * 2], [()]), atol=1e-5)
        assert torch.allclose(together[1:], alone.feed([1], [[token] * 40], [()]), atol=1e-5)
