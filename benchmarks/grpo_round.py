"""One round of multi-turn GRPO with a tiny policy: CPU seconds of play and of learning, by phase.

    python -m benchmarks.grpo_round --prompts 16 --group 8 --frames 24

A random policy of 1.1 M parameters; frames of one visual token. Replies are forced (one zoom of 16 frames, two in a
quarter of the episodes, then an answer) while their probabilities are the policy's own. Reports the second of two
rounds; the first warms up.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import typer

from train.rl.rollout_groups import RoundFrames
from videozoomer.protocol import FrameRef, Protocol, load_prompts
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import RlSettings, TinyModel

ZOOMS = [
    f"<think>The red scene begins at {at}.00 s; I look closer.</think>\n"
    f'<video_zoom>{{"segment": [{at}, {at + 8}], "fps": 2}}</video_zoom>'
    for at in (20, 10)
]
ANSWER = "<think>A star flashes at 23.5 s.</think>\n<answer>{letter}</answer><|im_end|>"


class PaintedFrames(RoundFrames):
    """Frames of no video: each is painted on first use."""

    def __init__(self) -> None:
        self._jpegs: dict[str, bytes] = {}

    def jpeg(self, frame_id: str) -> bytes:
        return self._jpegs[frame_id]

    def frame(self, video: str, time_s: float) -> FrameRef:
        from PIL import Image

        seed = int.from_bytes(hashlib.sha256(f"{video}{time_s}".encode()).digest()[:4])
        out = io.BytesIO()
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)).resize((28, 28)).save(
            out, "JPEG"
        )
        name = frame_id_of(out.getvalue())
        self._jpegs[name] = out.getvalue()
        return FrameRef(name, time_s)

    def frames_for(self, uri: str, times_s: Sequence[float]) -> list[FrameRef]:
        return [self.frame(uri, time_s) for time_s in times_s]


def main(prompts: int = 16, group: int = 8, frames: int = 24, threads: int = 1, reference: bool = True) -> None:
    import torch

    from train.policy.checkpoint import freeze_vision, load_policy
    from train.policy.frame_features import FrameFeatures
    from train.policy.frame_pixels import FramePixels
    from train.policy.tiny import build_tiny
    from train.rl import local_engine as rollout
    from train.rl import rollout_groups
    from train.rl.learning import Learner
    from train.rl.rounds import play_round
    from train.rl.shared_prefix import SharedPrefix
    from train.rl.training import PHASES
    from train.run.deepspeed_engine import deepspeed_config, start_engine
    from train.run.flops import TowerFlops
    from train.run.memory import peak_memory_mb
    from train.run.phase_timer import PhaseTimer
    from train.run.process_group import join_process_group

    torch.set_num_threads(threads)
    pictures = PaintedFrames()
    questions = [_question(index, pictures, frames) for index in range(prompts)]
    with tempfile.TemporaryDirectory() as folder:
        texts = [
            *ZOOMS,
            ANSWER,
            *(question.question for question in questions),
            *(f"<frame{index}_time{2 * index:.2f}s>" for index in range(frames)),
        ]
        checkpoint = build_tiny(TinyModel(), texts, Path(folder) / "tiny", min_pixels=784, max_pixels=784, seed=0)
        policy, anchor = load_policy(checkpoint), load_policy(checkpoint).model.eval() if reference else None
    freeze_vision(policy.model)
    settings = RlSettings(
        prompts=prompts,
        group=group,
        mini_batch=prompts,
        max_new_tokens=64,
        max_tokens=4000,
        overview_budgets=(frames,),
        episodes_at_once=prompts * group,
        zero_stage=0,
        bf16=False,
        learning_rate=1e-4,
    )
    process = join_process_group(False)
    engine = start_engine(
        SharedPrefix(policy.model), deepspeed_config(stage=0, micro_batch_size=1, accumulation=1, bf16=False), 1e-4
    )
    pixels = FrameFeatures(
        policy.model.model.visual, FramePixels(policy.image_processor, pictures.jpeg), memory_bytes=2**30
    )
    sampler = rollout_groups.RolloutSampler(
        policy, pixels, pictures, questions, settings, Protocol(min_pixels=784, max_pixels=784), load_prompts()
    )
    clock = PhaseTimer(process.device, PHASES)
    clock.watch(policy.model.model.visual, TowerFlops.of(policy.model))
    learner = Learner(engine, anchor, policy, pixels, settings, process, clock)
    _prescribe(rollout, rollout_groups)
    position = 0
    for _ in range(2):
        clock.take()
        pixels.clear()
        policy.model.eval()
        began_s = time.process_time()
        with clock.phase("generation"):
            played = play_round(sampler, position, process)
        played_s = time.process_time()
        facts = learner.learn(played.own, played.varied)
        position = played.next_position
        learnt_s = time.process_time()
    phases, _ = clock.take()
    rollouts = [one for some in played.own for one in some.rollouts]
    tokens = sum(len(one.tokens.ids) for one in rollouts)
    print(
        f"{len(rollouts)} episodes of {tokens / len(rollouts):.0f} tokens, "
        f"{rollouts[0].tokens.weights.index(1.0)} of them shared; "
        f"{sum(len(one.logprobs) for one in rollouts)} sampled"
    )
    print(
        f"play {played_s - began_s:.1f} CPU s, learning {learnt_s - played_s:.1f}; "
        f"{tokens / (learnt_s - began_s):.0f} tokens per CPU second; {peak_memory_mb(process.device)} MB peak"
    )
    print(
        ", ".join(f"{name} {value / sum(phases.values()):.0%}" for name, value in phases.items() if value)
        + f"; sampling gap {facts['sampling_gap']:.1e}"
    )


def _question(index: int, pictures: PaintedFrames, frames: int) -> PlayableQuestion:
    return PlayableQuestion(
        question_id=f"q{index}",
        video_uri=f"video{index}",
        split="train",
        question=f"Which glyph is shown in the red scene {index}?",
        options=("circle", "star", "square", "cross"),
        answer="A",
        answer_type="choice",
        evidence=(Window(20.0, 22.0),),
        video_id=f"v{index}",
        batch="b",
        duration_s=2.0 * frames,
        overview=tuple(pictures.frame(f"video{index}", 2.0 * place) for place in range(frames)),
    )


def _prescribe(rollout: ModuleType, rollout_groups: ModuleType) -> None:
    """Sample as usual, but replace the sampled tokens with the forced reply."""
    draw, play = rollout.choose, rollout_groups.play_groups
    waiting: dict[int, list[int]] = {}

    def choose(logits: Any, temperatures: Any, generators: Any, never: Any) -> list[tuple[int, float]]:
        draw(logits, temperatures, generators, never)
        masked = logits.float().clone()
        masked[:, never] = float("-inf")
        logprobs = masked.log_softmax(-1)
        tokens = [waiting[generator.initial_seed()].pop(0) for generator in generators]
        return [(token, float(logprobs[row, token])) for row, token in enumerate(tokens)]

    def play_groups(policy: Any, pixels: Any, groups: Any, uris: Any, seeds: Any, *rest: Any) -> Any:
        for index, seed in enumerate(seed for row in seeds for seed in row):
            text = ZOOMS[0] + (ZOOMS[1] if index % 4 == 0 else "") + ANSWER.format(letter="AB"[index % 2])
            waiting[seed] = policy.tokenizer(text)["input_ids"]
        return play(policy, pixels, groups, uris, seeds, *rest)

    vars(rollout)["choose"], vars(rollout_groups)["play_groups"] = choose, play_groups


if __name__ == "__main__":
    typer.run(main)
