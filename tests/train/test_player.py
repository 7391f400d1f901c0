"""The local policy as a player: batches, stops, forbidden tokens, and positions equal to training's."""

import asyncio

import pytest
import torch

from train.policy import generate as generation
from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import load_policy
from train.policy.collate import Sample, collate
from train.policy.frame_pixels import FramePixels
from train.policy.generate import Prompt, generate
from train.serving.player import LocalPolicy
from videozoomer.protocol.message_rows import from_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def player(any_checkpoint, shards) -> LocalPolicy:
    return LocalPolicy(any_checkpoint, shards, 12, policy=load_policy(any_checkpoint))


def ask(player: LocalPolicy, conversations: list, temperature: float = 0.0):
    async def all_at_once():
        await player.start()
        try:
            return await asyncio.gather(
                *(
                    player.reply(messages, sample=index, temperature=temperature)
                    for index, messages in enumerate(conversations)
                )
            )
        finally:
            await player.finish()

    return asyncio.run(all_at_once())


@pytest.fixture(scope="module")
def conversations(shards) -> list:
    """Of different lengths, some with a tool answer in the middle."""
    messages = [from_rows(row["messages"]) for row in shards.rows()[:4]]
    return [messages[0][:2], messages[1][:4], messages[2][:6], messages[3][:4]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_reply_does_not_depend_on_the_batch(player, conversations, temperature):
    together = ask(player, conversations, temperature)
    player.max_batch = 1
    alone = ask(player, conversations, temperature)
    player.max_batch = 16
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert [reply.input_tokens for reply in together] == [reply.input_tokens for reply in alone]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_generation_and_training_give_the_same_log_probabilities(player, shards, conversations, temperature):
    """Log-probabilities of cached, left-padded decoding equal those of the training pass, tool frames included."""
    policy, pixels = player.policy, FramePixels(player.policy.image_processor, shards.jpeg)
    prompts = []
    for messages in conversations:
        tokens = policy.chat.encode(messages, pixels.tokens, prompt=True)
        prompts.append(Prompt(tokens.ids, tokens.frame_ids, temperature, 0, 8, ()))
    for prompt, written in zip(prompts, generate(policy, pixels, prompts), strict=True):
        tokens = Tokens(prompt.ids + written.ids, [0.0] * len(prompt.ids) + [1.0] * len(written.ids), prompt.frame_ids)
        batch = collate([Sample("x", tokens)], policy, pixels)
        with torch.no_grad():
            logits = policy.model(**batch.inputs).logits[0]
        logits[:, policy.chat.never_sampled] = float("-inf")
        trained = logits.log_softmax(-1).gather(-1, batch.targets[0][:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(written.logprobs), trained, rtol=0, atol=1e-4)


def scripted(monkeypatch, player, text: str) -> None:
    ids = [*player.policy.tokenizer(text)["input_ids"]]
    script = iter(ids)
    monkeypatch.setattr(generation, "choose", lambda logits, *rest: [(next(script, ids[-1]), 0.0)] * len(logits))


def test_a_reply_ends_at_the_closing_zoom_tag(player, conversations, monkeypatch):
    scripted(monkeypatch, player, "<video_zoom>{1</video_zoom> and more")
    (reply,) = ask(player, conversations[:1])
    assert reply.text == "<video_zoom>{1</video_zoom>" and reply.finish_reason == "stop"


def test_a_reply_ends_with_its_turn_or_at_the_limit(player, conversations, monkeypatch):
    scripted(monkeypatch, player, "<answer>A</answer><|im_end|>")
    (reply,) = ask(player, conversations[:1])
    assert (reply.text, reply.finish_reason) == ("<answer>A</answer>", "stop")
    scripted(monkeypatch, player, "a b c d e f g h i j k l m n o p")
    (reply,) = ask(player, conversations[:1])
    assert (reply.finish_reason, reply.output_tokens) == ("length", 12)


def test_special_tokens_are_never_written(player, conversations):
    policy = player.policy
    with torch.no_grad():
        saved = policy.model.lm_head.weight.clone()
        policy.model.lm_head.weight[policy.chat.image] += 100.0
    try:
        replies = ask(player, conversations, 1.0)
    finally:
        with torch.no_grad():
            policy.model.lm_head.weight.copy_(saved)
    assert not any("<|" in reply.text for reply in replies)


def test_only_a_conversation_without_room_for_a_reply_fails(player, shards, conversations, monkeypatch):
    from distill.client.errors import CallFailed

    lengths = [
        len(
            player.policy.chat.encode(
                messages, FramePixels(player.policy.image_processor, shards.jpeg).tokens, prompt=True
            ).ids
        )
        for messages in conversations
    ]
    room = (min(lengths) + max(lengths)) // 2 + 12
    monkeypatch.setattr(player.policy.model.config.get_text_config(), "max_position_embeddings", room)
    assert min(lengths) + 12 <= room < max(lengths) + 12

    async def one_by_one():
        await player.start()
        try:
            calls = (player.reply(messages, sample=0, temperature=0.0) for messages in conversations)
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await player.finish()

    for length, outcome in zip(lengths, asyncio.run(one_by_one()), strict=True):
        assert isinstance(outcome, CallFailed) == (length + 12 > room)


def test_an_error_reaches_every_waiting_caller(player, conversations, monkeypatch):
    def broken(*_):
        raise MemoryError("no room")

    monkeypatch.setattr("train.serving.batching.generate", broken)
    with pytest.raises(MemoryError):
        ask(player, conversations)
