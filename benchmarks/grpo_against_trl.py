"""One GRPO step here and in TRL's GRPOTrainer: equal policy, pictures, prompts, group, tokens and threads.

    python -m benchmarks.grpo_against_trl --prompts 2 --group 8 --frames 64 --new-tokens 48 --steps 3

Single turn: one question about an overview, one reply. In TRL's multi-turn form the policy must write a tool call,
which a random policy never does. Both sample at temperature 1 (a random policy rarely stops early), use random rewards
so that every group varies, keep a reference policy for the KL term (0.001), and take one optimiser step over all
prompts. Each runs in a separate process. Prints CPU seconds a step: the median over all steps but the first.
"""

from __future__ import annotations

import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer

from videozoomer.protocol import Episode, FrameRef, Message, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import RlSettings, TinyModel

TEMPLATE = Path(__file__).with_name("trl_grpo.jinja").read_text()


def ours(checkpoint: Path, prompts: int, group: int, frames: int, new_tokens: int, steps: int) -> None:
    from train.policy.checkpoint import freeze_vision, load_policy
    from train.policy.episode_tokens import RolloutLimits
    from train.policy.frame_features import FrameFeatures
    from train.policy.frame_pixels import FramePixels
    from train.rl.learning import Learner
    from train.rl.local_engine import play_groups
    from train.rl.rewards import Reward
    from train.rl.rollout_groups import RolloutGroup
    from train.rl.shared_prefix import SharedPrefix
    from train.rl.training import PHASES
    from train.run.deepspeed_engine import deepspeed_config, start_engine
    from train.run.flops import TowerFlops
    from train.run.phase_timer import PhaseTimer
    from train.run.process_group import join_process_group

    settings = RlSettings(
        prompts=prompts, group=group, mini_batch=prompts, kl=0.001, zero_stage=0, bf16=False, learning_rate=1e-4
    )
    process, policy = join_process_group(False), load_policy(checkpoint)
    freeze_vision(policy.model)
    jpegs = {name: data for prompt in range(prompts) for name, data in pictures(prompt, frames)}
    pixels = FrameFeatures(
        policy.model.model.visual, FramePixels(policy.image_processor, jpegs.__getitem__), memory_bytes=2**30
    )
    engine = start_engine(
        SharedPrefix(policy.model),
        deepspeed_config(stage=0, micro_batch_size=1, accumulation=1, bf16=False),
        settings.learning_rate,
    )
    clock = PhaseTimer(process.device, PHASES)
    clock.watch(policy.model.model.visual, TowerFlops.of(policy.model))
    learner = Learner(engine, load_policy(checkpoint).model.eval(), policy, pixels, settings, process, clock)
    rng, seconds = random.Random(0), []
    for step in range(steps):
        began_s = time.process_time()
        policy.model.eval()
        # Every step sees new frames, as in a run with many questions.
        pixels.clear()
        groups = [[episode(prompt, frames) for _ in range(group)] for prompt in range(prompts)]
        seeds = [[step * 10_000 + prompt * 100 + one for one in range(group)] for prompt in range(prompts)]
        with clock.phase("generation"):
            rollouts = play_groups(
                policy,
                pixels,
                groups,
                ["none"] * prompts,
                seeds,
                lambda uri, times: [],
                RolloutLimits(1.0, new_tokens, 32_768),
            )
        question = PlayableQuestion(
            question_id="q",
            video_uri="none",
            split="train",
            question="Which?",
            answer="A",
            answer_type="choice",
            video_id="v",
            batch="b",
            duration_s=2.0,
            overview=(),
        )
        played = [
            RolloutGroup(
                place_of,
                question,
                frames,
                some,
                ["wrong"] * group,
                [Reward(0.0, 0.0, 0.0, 0, 0.0)] * group,
                [rng.gauss(0, 1) for _ in range(group)],
            )
            for place_of, some in enumerate(rollouts)
        ]
        learner.learn(played, list(range(prompts)))
        seconds.append(time.process_time() - began_s)
    drawn = sum(len(one.logprobs) for some in rollouts for one in some)
    phases, _ = clock.take()
    shares = ", ".join(f"{name} {value / sum(phases.values()):.0%}" for name, value in phases.items() if value)
    prompt = len(rollouts[0][0].tokens.ids) - len(rollouts[0][0].logprobs)
    report("train.rl", seconds, f"{drawn} tokens sampled in the last step, prompt of {prompt}; {shares}")


def by_trl(checkpoint: Path, prompts: int, group: int, frames: int, new_tokens: int, steps: int, out: Path) -> None:
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    from datasets import Dataset, Image, List
    from PIL import Image as Picture
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from benchmarks.trl_processor import Processor
    from train.policy.checkpoint import freeze_vision, load_policy

    class StepTimes(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.began_s = time.process_time()

        def on_train_begin(self, *_: object, **__: object) -> None:
            self.began_s = time.process_time()

        def on_step_end(self, *_: object, **__: object) -> None:
            now_s = time.process_time()
            self.seconds.append(now_s - self.began_s)
            self.began_s = now_s

    def conversation(prompt: int) -> list[dict]:
        def parts(message: Message) -> list[dict]:
            return [
                {"type": "text", "text": part.text} if hasattr(part, "text") else {"type": "image", "text": None}
                for part in message.parts
            ]

        return [{"role": message.role, "content": parts(message)} for message in episode(prompt, frames).messages]

    rows = [
        {
            "prompt": conversation(prompt),
            "images": [Picture.open(io.BytesIO(data)) for _, data in pictures(prompt, frames)],
        }
        for _ in range(steps)
        for prompt in range(prompts)
    ]
    policy = load_policy(checkpoint)
    freeze_vision(policy.model)
    policy.tokenizer.chat_template = TEMPLATE
    processor = Processor(policy.image_processor, policy.tokenizer, chat_template=TEMPLATE)
    clock, rng = StepTimes(), random.Random(0)
    lengths: list[int] = []

    def reward(completion_ids: list, **_: Any) -> list[float | None]:
        lengths.append(sum(map(len, completion_ids)))
        return [rng.random() for _ in completion_ids]

    arguments = GRPOConfig(
        output_dir=str(out),
        per_device_train_batch_size=group,
        gradient_accumulation_steps=prompts,
        num_generations=group,
        max_completion_length=new_tokens,
        max_steps=steps,
        report_to=[],
        use_cpu=True,
        bf16=False,
        beta=0.001,
        loss_type="dapo",
        epsilon=0.2,
        epsilon_high=0.27,
        temperature=1.0,
        learning_rate=1e-4,
        gradient_checkpointing=False,
        save_strategy="no",
        disable_tqdm=True,
        shuffle_dataset=False,
    )
    data = Dataset.from_list(rows).cast_column("images", List(Image()))
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=data,
        processing_class=processor,
        callbacks=[clock],
    )
    trainer.train()
    report("TRL GRPOTrainer", clock.seconds, f"{lengths[-1]} tokens sampled in the last step")


def pictures(prompt: int, frames: int) -> list[tuple[str, bytes]]:
    """Ids and JPEGs of a prompt's overview frames, two visual tokens each."""
    from PIL import Image

    made = []
    for index in range(frames):
        pixels = np.random.default_rng([prompt, index]).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).resize((56, 28)).save(out, "JPEG")
        made.append((frame_id_of(out.getvalue()), out.getvalue()))
    return made


def episode(prompt: int, frames: int) -> Episode:
    overview = [FrameRef(name, 2.0 * index) for index, (name, _) in enumerate(pictures(prompt, frames))]
    task = Task(f"Which glyph is seen in scene {prompt}?", ("circle", "star"), "choice", 2.0 * frames)
    return Episode(task, overview, Protocol(overview_frames=frames, max_zooms=0), load_prompts())


def report(name: str, seconds: list[float], more: str) -> None:
    import resource

    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name}: {statistics.median(seconds[1:]):.2f} CPU s a step, {peak_mb} MB peak; {more}", flush=True)


def main(
    prompts: int = 2,
    group: int = 8,
    frames: int = 64,
    new_tokens: int = 48,
    steps: int = 3,
    threads: int = 1,
    part: str = "",
) -> None:
    if part:
        import torch

        name, _, folder = part.partition(":")
        torch.set_num_threads(threads)
        sizes = (Path(folder) / "tiny", prompts, group, frames, new_tokens, steps)
        return ours(*sizes) if name == "ours" else by_trl(*sizes, Path(folder) / "trl")
    from train.policy.tiny import build_tiny

    with tempfile.TemporaryDirectory() as folder:
        texts = [message.text for message in episode(0, frames).messages]
        build_tiny(TinyModel(), texts, Path(folder) / "tiny", min_pixels=784, max_pixels=1568, seed=0)
        given = [
            f"--{name}={value}"
            for name, value in {
                "prompts": prompts,
                "group": group,
                "frames": frames,
                "new-tokens": new_tokens,
                "steps": steps,
                "threads": threads,
            }.items()
        ]
        for name in ("ours", "trl"):
            command = [sys.executable, "-m", "benchmarks.grpo_against_trl", *given, "--part", f"{name}:{folder}"]
            subprocess.run(
                command,
                check=True,
                env=os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
                stderr=subprocess.DEVNULL,
            )


if __name__ == "__main__":
    typer.run(main)
