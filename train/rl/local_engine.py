"""Episodes played by the policy in this process, many at once, with the key-value cache kept across turns.

The tokens of a rollout are those that were sampled, not its text tokenised again, and each has the log-probability
with which it was drawn: training can then take exactly the same tokens at exactly the same positions.

Every pass through the model takes the episodes that have something to say, and only those. Positions are counted for
each episode on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import Policy
from train.policy.collate import moved
from train.policy.episode_tokens import EpisodeTokens, Rollout, RolloutLimits
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
"""(video_uri, times in seconds) -> a frame for each time, whose JPEG the policy's pixels can find. Called in threads."""


class CachedDecoder:
    """All seats as the model has seen them so far."""

    def __init__(self, policy: Policy, pixels: FramePixels | FrameFeatures, group: int) -> None:
        import torch

        self.policy, self.pixels = policy, pixels
        self.cache = GroupCache(policy.model, group)
        self.next = torch.empty(0, dtype=torch.long)
        """(seats,): position of each seat's next token."""

    def begin(self, prompts: Sequence[Tokens]) -> torch.Tensor:
        """One prompt a group; logits (seats, vocabulary) after it."""
        import torch

        lengths, inputs, reached = self._inputs(
            [prompt.ids for prompt in prompts],
            [prompt.frame_ids for prompt in prompts],
            torch.zeros(len(prompts), dtype=torch.long),
        )
        self.next = reached.repeat_interleave(self.cache.group)
        return self.cache.begin(lengths, **inputs).repeat_interleave(self.cache.group, 0)

    def feed(
        self, seats: Sequence[int], blocks: Sequence[Sequence[int]], frames: Sequence[Sequence[str]]
    ) -> torch.Tensor:
        """Append a block to each of these seats; logits (these seats, vocabulary) after it."""
        import torch

        rows = torch.tensor(seats)
        lengths, inputs, self.next[rows] = self._inputs(blocks, frames, self.next[rows])
        return self.cache.feed(rows, lengths, **inputs)

    def _inputs(
        self, blocks: Sequence[Sequence[int]], frames: Sequence[Sequence[str]], start: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, Any], torch.Tensor]:
        """Lengths, what the model takes, and the positions after the blocks, which begin at `start`."""
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
    """Play every episode to its end. The episodes of a group must begin alike and be equally many in all groups."""
    import torch

    size = len(groups[0])
    # Not inference_mode: the pixels that are loaded here are used again where gradients are taken.
    with torch.no_grad(), ThreadPoolExecutor(4, thread_name_prefix="frames") as readers:
        table = CachedDecoder(policy, pixels, size)
        prompts = [policy.chat.encode(group[0].messages, pixels.tokens, prompt=True) for group in groups]
        seats = [
            EpisodeTokens.at(episode, uri, seed, prompt)
            for group, prompt, uri, row in zip(groups, prompts, video_uris, seeds, strict=True)
            for episode, seed in zip(group, row, strict=True)
        ]
        generators = [torch.Generator().manual_seed(seat.seed) for seat in seats]
        writing, logits = list(range(len(seats))), table.begin(prompts)
        while True:
            _write_turns(policy, table, seats, generators, writing, logits, limits)
            told = _answers(policy, pixels, seats, writing, frames_for, limits, readers)
            if not told:
                break
            writing = list(told)
            logits = table.feed(writing, [block for block, _ in told.values()], [frames for _, frames in told.values()])
    rollouts = [seat.rollout() for seat in seats]
    return [rollouts[start : start + size] for start in range(0, len(rollouts), size)]


def _write_turns(
    policy: Policy,
    table: CachedDecoder,
    seats: list[EpisodeTokens],
    generators: list[torch.Generator],
    writing: list[int],
    logits: torch.Tensor,
    limits: RolloutLimits,
) -> None:
    """Sample until every seat that writes has ended its turn. `logits` has one row for each of them."""
    chat = policy.chat
    for index in writing:
        seats[index].turn = []
    while True:
        drawn = choose(
            logits, [limits.temperature] * len(writing), [generators[index] for index in writing], chat.never_sampled
        )
        going = []
        for index, (token, logprob) in zip(writing, drawn, strict=True):
            seat = seats[index]
            seat.turn.append(token)
            seat.logprobs.append(logprob)
            ended = token == chat.turn_end or STOP in policy.tokenizer.decode(seat.turn[-TAIL:])
            if not ended and len(seat.turn) < limits.max_new_tokens:
                going.append(index)
        if not going:
            return
        writing = going
        logits = table.feed(writing, [seats[index].turn[-1:] for index in writing], [()] * len(writing))


def _answers(
    policy: Policy,
    pixels: FramePixels | FrameFeatures,
    seats: list[EpisodeTokens],
    writing: list[int],
    frames_for: FramesFor,
    limits: RolloutLimits,
    readers: ThreadPoolExecutor,
) -> dict[int, tuple[list[int], tuple[str, ...]]]:
    """Step every episode with what its seat wrote; tokens and frames that each seat is to be fed before its next turn."""
    asked = {}
    for index in writing:
        if times_s := seats[index].finish_turn(policy):
            asked[index] = readers.submit(frames_for, seats[index].video_uri, times_s)
    for index, frames in asked.items():
        try:
            seats[index].show(frames.result())
        except FrameError as error:
            seats[index].show(error)
    told = {index: seats[index].take_answer(policy, pixels, limits) for index in writing}
    return {index: answer for index, answer in told.items() if answer}
