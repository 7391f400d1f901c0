"""Plays episodes with the policy in this process, many at once, keeping the key-value cache across turns.

A rollout keeps the tokens that were sampled, never its text tokenised again, each with the log-probability it was drawn
with. So training uses exactly the same tokens at exactly the same positions.

Each pass through the model covers only the episodes that are still writing. Every episode has its own positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import Policy
from train.policy.collate import moved
from train.policy.episode_tokens import EpisodeTokens, Rollout, RolloutLimits, ToolAnswer
from train.policy.frame_pixels import FramePixels
from train.policy.generate import TAIL, choose
from train.policy.group_kv_cache import GroupCache
from videozoomer.protocol import Episode, FrameRef
from videozoomer.protocol.parsing import STOP
from videozoomer.video.types import FrameError

if TYPE_CHECKING:
    import torch

    from train.policy.frame_features import FrameFeatures

FramesFor = Callable[[str, Sequence[float]], Sequence[FrameRef]]
"""(video_uri, times in seconds) -> one frame per time, whose JPEG the policy's pixels can find. Called in threads."""


class CachedDecoder:
    """The model with the cached conversations of all episodes, one row each, numbered group by group."""

    def __init__(self, policy: Policy, pixels: FramePixels | FrameFeatures, group: int) -> None:
        import torch

        self.policy, self.pixels = policy, pixels
        self.cache = GroupCache(policy.model, group)
        self.next = torch.empty(0, dtype=torch.long)
        """(rows,): position of each row's next token."""

    def begin(self, prompts: Sequence[Tokens]) -> torch.Tensor:
        """Read one prompt per group; returns logits after it, (rows, vocabulary)."""
        import torch

        lengths, inputs, reached = self.inputs(
            [prompt.ids for prompt in prompts],
            [prompt.frame_ids for prompt in prompts],
            torch.zeros(len(prompts), dtype=torch.long),
        )
        self.next = reached.repeat_interleave(self.cache.group)
        return self.cache.begin(lengths, **inputs).repeat_interleave(self.cache.group, 0)

    def feed(
        self, rows: Sequence[int], blocks: Sequence[Sequence[int]], frames: Sequence[Sequence[str]]
    ) -> torch.Tensor:
        """Append a block of tokens to each of these rows; returns logits after it, (these rows, vocabulary)."""
        import torch

        chosen = torch.tensor(rows)
        lengths, inputs, self.next[chosen] = self.inputs(blocks, frames, self.next[chosen])
        return self.cache.feed(chosen, lengths, **inputs)

    def inputs(
        self, blocks: Sequence[Sequence[int]], frames: Sequence[Sequence[str]], start: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, Any], torch.Tensor]:
        """Lengths of the blocks, the model's inputs, and the positions after the blocks, which begin at `start`."""
        import torch

        model, chat = self.policy.model, self.policy.chat
        lengths = torch.tensor([len(block) for block in blocks])
        width = int(lengths.max())
        ids = torch.tensor([[*block, *[chat.pad] * (width - len(block))] for block in blocks])
        real = torch.arange(width) < lengths[:, None]
        inputs: dict[str, Any] = {}
        if shown := [frame for row in frames for frame in row]:
            inputs, grid = self.pixels.inputs(shown)
            within, _ = model.model.get_rope_index(
                ids, (ids == chat.image).int(), image_grid_thw=grid, attention_mask=real.long()
            )
        else:
            within = torch.arange(width).expand(3, len(blocks), -1)
        positions = within + start[:, None]
        inputs |= {"input_ids": ids, "position_ids": positions}
        reached = positions.amax(0).masked_fill(~real, -1).amax(1) + 1
        return lengths, moved(inputs, model.device), reached


def play_groups(
    policy: Policy,
    pixels: FramePixels | FrameFeatures,
    groups: Sequence[Sequence[Episode]],
    video_uris: Sequence[str],
    seeds: Sequence[Sequence[int]],
    frames_for: FramesFor,
    limits: RolloutLimits,
) -> list[list[Rollout]]:
    """Play every episode to its end. Episodes of one group share their prompt; all groups have the same size."""
    import torch

    size = len(groups[0])
    # Not inference_mode: training later takes gradients through pixels that are loaded here.
    with torch.no_grad(), ThreadPoolExecutor(4, thread_name_prefix="frames") as readers:
        decoder = CachedDecoder(policy, pixels, size)
        prompts = [policy.chat.encode(group[0].messages, pixels.tokens, prompt=True) for group in groups]
        running = [
            EpisodeTokens.begin(episode, uri, seed, prompt)
            for group, prompt, uri, row in zip(groups, prompts, video_uris, seeds, strict=True)
            for episode, seed in zip(group, row, strict=True)
        ]
        generators = [torch.Generator().manual_seed(one.seed) for one in running]
        writing, logits = list(range(len(running))), decoder.begin(prompts)
        while True:
            _write_turns(policy, decoder, running, generators, writing, logits, limits)
            answers = _tool_answers(policy, pixels, running, writing, frames_for, limits, readers)
            if not answers:
                break
            writing = list(answers)
            logits = decoder.feed(
                writing, [answer.ids for answer in answers.values()], [answer.frame_ids for answer in answers.values()]
            )
    rollouts = [one.rollout() for one in running]
    return [rollouts[start : start + size] for start in range(0, len(rollouts), size)]


def _write_turns(
    policy: Policy,
    decoder: CachedDecoder,
    running: list[EpisodeTokens],
    generators: list[torch.Generator],
    writing: list[int],
    logits: torch.Tensor,
    limits: RolloutLimits,
) -> None:
    """Sample until every episode in `writing` has finished its turn. `logits` has one row for each of them."""
    chat = policy.chat
    for index in writing:
        running[index].turn = []
    while True:
        drawn = choose(
            logits, [limits.temperature] * len(writing), [generators[index] for index in writing], chat.never_sampled
        )
        unfinished = []
        for index, (token, logprob) in zip(writing, drawn, strict=True):
            one = running[index]
            one.turn.append(token)
            one.logprobs.append(logprob)
            ended = token == chat.turn_end or STOP in policy.tokenizer.decode(one.turn[-TAIL:])
            if not ended and len(one.turn) < limits.max_new_tokens:
                unfinished.append(index)
        if not unfinished:
            return
        writing = unfinished
        logits = decoder.feed(writing, [running[index].turn[-1:] for index in writing], [()] * len(writing))


def _tool_answers(
    policy: Policy,
    pixels: FramePixels | FrameFeatures,
    running: list[EpisodeTokens],
    writing: list[int],
    frames_for: FramesFor,
    limits: RolloutLimits,
    readers: ThreadPoolExecutor,
) -> dict[int, ToolAnswer]:
    """Step every episode in `writing` with its turn; returns the answers for those that continue."""
    requested = {}
    for index in writing:
        if times_s := running[index].finish_turn(policy):
            requested[index] = readers.submit(frames_for, running[index].video_uri, times_s)
    for index, frames in requested.items():
        try:
            running[index].show(frames.result())
        except FrameError as error:
            running[index].show(error)
    answers = {index: running[index].append_tool_answer(policy, pixels, limits) for index in writing}
    return {index: answer for index, answer in answers.items() if answer}
