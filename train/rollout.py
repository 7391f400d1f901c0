"""Episodes played by the policy in this process, many at once, with the key-value cache kept across turns.

The tokens of a rollout are those that were sampled, not its text tokenised again, and each has the log-probability
with which it was drawn: training can then take exactly the same tokens at exactly the same positions.

Rows of the batch go at different speeds. Their caches stay aligned by leaving holes: columns that are masked for a
row that had nothing to say there. Positions are counted for each row on its own, so a hole shifts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from train.generate import TAIL, choose
from train.pixels import FramePixels
from train.policy import Policy
from train.tokens import Tokens
from video.types import FrameError
from zoom import Episode, FrameRef, Message
from zoom.parsing import STOP

if TYPE_CHECKING:
    import torch

FramesFor = Callable[[str, Sequence[float]], Sequence[FrameRef]]
"""(video_uri, times in seconds) -> a frame for each time, whose JPEG the policy's pixels can find. Called in threads."""


@dataclass(frozen=True, slots=True)
class Limits:
    temperature: float
    max_new_tokens: int
    """Of one turn."""
    max_tokens: int
    """Of a whole episode; one that would grow longer ends without an answer."""


@dataclass(frozen=True, slots=True)
class Rollout:
    episode: Episode
    tokens: Tokens
    """The whole conversation; weight 1 on tokens that the policy drew."""
    logprobs: list[float]
    """Of the tokens with weight 1, in order."""
    cut: bool
    """Whether it was ended because it would have grown past the limit."""
    failure: str | None
    """Why it could not be played to its end, such as a frame that cannot be read; not the policy's doing."""


@dataclass
class _Seat:
    """One episode being played."""

    episode: Episode
    video_uri: str
    generator: torch.Generator
    ids: list[int]
    weights: list[float]
    frame_ids: list[str]
    logprobs: list[float] = field(default_factory=list)
    turn: list[int] = field(default_factory=list)
    """Tokens of the turn being written; the last of them is not in the cache yet."""
    writing: bool = True
    cut: bool = False
    failure: str | None = None

    def rollout(self) -> Rollout:
        return Rollout(self.episode, Tokens(self.ids, self.weights, tuple(self.frame_ids)), self.logprobs, self.cut, self.failure)


class _Cached:
    """The batch as the model has seen it so far."""

    def __init__(self, policy: Policy, pixels: FramePixels) -> None:
        from transformers import DynamicCache

        self.policy, self.pixels = policy, pixels
        self.cache = DynamicCache(config=policy.model.config.get_text_config())
        self.mask: torch.Tensor | None = None
        """(rows, columns), 0 in holes."""
        self.next: torch.Tensor | None = None
        """(rows,): position of each row's next token."""

    def feed(self, blocks: Sequence[Sequence[int]], frames: Sequence[Sequence[str]]) -> torch.Tensor:
        """Append a block to every row (an empty one leaves a hole); logits after each row's last token."""
        import torch

        model, chat = self.policy.model, self.policy.chat
        lengths = torch.tensor([len(block) for block in blocks])
        width = max(1, int(lengths.max()))
        ids = torch.tensor([[*block, *[chat.pad] * (width - len(block))] for block in blocks])
        real = (torch.arange(width) < lengths[:, None]).long()
        inputs = {}
        if shown := [frame for row in frames for frame in row]:
            inputs["pixel_values"], inputs["image_grid_thw"] = self.pixels.load(shown)
        # A row without tokens has no positions to count; its hole is given one, which nothing attends to.
        counted = real.clone()
        counted[:, 0] = 1
        within, _ = model.model.get_rope_index(ids, (ids == chat.image).int(), image_grid_thw=inputs.get("image_grid_thw"), attention_mask=counted)
        start = torch.zeros(len(blocks), dtype=torch.long) if self.next is None else self.next
        positions = within + start[:, None]
        self.mask = real if self.mask is None else torch.cat([self.mask, real], dim=1)
        reached = positions.amax(0).masked_fill(real == 0, -1).amax(1) + 1
        self.next = torch.where(lengths > 0, reached, start)
        device = model.device
        keep = (lengths - 1).clamp(min=0)[:, None]
        return model(
            input_ids=ids.to(device), attention_mask=self.mask.to(device), position_ids=positions.to(device),
            past_key_values=self.cache, use_cache=True, logits_to_keep=keep.to(device),
            **{name: value.to(device) for name, value in inputs.items()},
        ).logits[:, 0]

    def repeat(self, times: int) -> None:
        """Every row `times` times, side by side: a group shares what was computed once."""
        self.cache.batch_repeat_interleave(times)
        self.mask = self.mask.repeat_interleave(times, 0)
        self.next = self.next.repeat_interleave(times, 0)


def play_groups(
    policy: Policy, pixels: FramePixels, groups: Sequence[Sequence[Episode]], video_uris: Sequence[str], seeds: Sequence[Sequence[int]],
    frames_for: FramesFor, limits: Limits,
) -> list[list[Rollout]]:
    """Play every episode to its end. The episodes of a group must begin alike and be equally many in all groups."""
    import torch

    size = len(groups[0])
    # Not inference_mode: the pixels that are loaded here are used again where gradients are taken.
    with torch.no_grad(), ThreadPoolExecutor(4, thread_name_prefix="frames") as readers:
        cached = _Cached(policy, pixels)
        prompts = [policy.chat.encode(group[0].messages, pixels.tokens, prompt=True) for group in groups]
        logits = cached.feed([prompt.ids for prompt in prompts], [prompt.frame_ids for prompt in prompts])
        cached.repeat(size)
        logits = logits.repeat_interleave(size, 0)
        seats = [
            _Seat(episode, uri, torch.Generator().manual_seed(seed), list(prompt.ids), [0.0] * len(prompt.ids), list(prompt.frame_ids))
            for group, prompt, uri, row in zip(groups, prompts, video_uris, seeds, strict=True)
            for episode, seed in zip(group, row, strict=True)
        ]
        while True:
            _write_turns(policy, cached, seats, logits, limits)
            blocks, frames = _answers(policy, pixels, seats, frames_for, limits, readers)
            if not any(seat.writing for seat in seats):
                break
            logits = cached.feed(blocks, frames)
    rollouts = [seat.rollout() for seat in seats]
    return [rollouts[start : start + size] for start in range(0, len(rollouts), size)]


def _write_turns(policy: Policy, cached: _Cached, seats: list[_Seat], logits: torch.Tensor, limits: Limits) -> None:
    """Sample until every row that writes has ended its turn."""
    chat = policy.chat
    going = [seat.writing for seat in seats]
    for seat in seats:
        seat.turn = []
    while True:
        drawn = choose(logits, [limits.temperature] * len(seats), [seat.generator for seat in seats], chat.never_sampled)
        for index, (seat, (token, logprob)) in enumerate(zip(seats, drawn, strict=True)):
            if not going[index]:
                continue
            seat.turn.append(token)
            seat.logprobs.append(logprob)
            ended = token == chat.turn_end or STOP in policy.tokenizer.decode(seat.turn[-TAIL:])
            going[index] = not ended and len(seat.turn) < limits.max_new_tokens
        if not any(going):
            return
        logits = cached.feed([seat.turn[-1:] if on else [] for seat, on in zip(seats, going, strict=True)], [()] * len(seats))


def _answers(
    policy: Policy, pixels: FramePixels, seats: list[_Seat], frames_for: FramesFor, limits: Limits, readers: ThreadPoolExecutor
) -> tuple[list[list[int]], list[tuple[str, ...]]]:
    """Step every episode with what its row wrote; what each row is to be fed before its next turn."""
    chat = policy.chat
    asked = {}
    for index, seat in enumerate(seats):
        if not seat.writing:
            continue
        seat.ids += seat.turn
        seat.weights += [1.0] * len(seat.turn)
        said = seat.turn[:-1] if seat.turn[-1] == chat.turn_end else seat.turn
        if times_s := seat.episode.step(policy.tokenizer.decode(said)):
            asked[index] = readers.submit(frames_for, seat.video_uri, times_s)
    for index, frames in asked.items():
        try:
            seats[index].episode.show(list(frames.result()))
        except FrameError as error:
            seats[index].failure = str(error)
    blocks: list[list[int]] = []
    shown: list[tuple[str, ...]] = []
    for seat in seats:
        block: list[int] = []
        frame_ids: tuple[str, ...] = ()
        if seat.writing and seat.episode.running and not seat.failure:
            answer: Message = seat.episode.transcript[-1]
            told = chat.encode([answer], pixels.tokens, prompt=True)
            # The turn is closed here where the policy did not close it itself; that token is not its own.
            closing = [*([] if seat.turn[-1] == chat.turn_end else [chat.turn_end]), *chat.newline]
            if len(seat.ids) + len(closing) + len(told.ids) + limits.max_new_tokens > limits.max_tokens:
                seat.cut, seat.episode.status = True, "exhausted"
            else:
                block = [seat.turn[-1], *closing, *told.ids]
                frame_ids = told.frame_ids
                seat.ids += block[1:]
                seat.weights += [0.0] * (len(block) - 1)
                seat.frame_ids += frame_ids
        seat.writing = bool(block)
        blocks.append(block)
        shown.append(frame_ids)
    return blocks, shown
