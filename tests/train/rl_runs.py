"""A tiny recipe for reinforcement learning, and a script that forces the policy's replies.

A random policy writes only noise, so the script chooses its tokens: every episode zooms to the evidence, and every
other one answers right. Their log-probabilities are the policy's own.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from sft_runs import a_recipe

from videozoomer.settings.model import ProtocolSettings, Recipe, RlSettings
from videozoomer.shards.read import ShardSet
from videozoomer.shards.write import write_dataset
from videozoomer.video.reader import ReaderPool

SCRIPT = """
import os, signal, sys
from train.rl import learning
from train.rl.command import main
from train.rl.training import train
from train.rl import local_engine as rollout
from train.rl import rollout_groups

ZOOM = '<think>a</think><video_zoom>{"segment": [1, 3], "fps": 2}</video_zoom>'
ANSWERS = ["<think>b</think><answer>%s</answer><|im_end|>" % letter for letter in "AB"]
real_play, real_loss = rollout_groups.play_groups, learning.policy_loss
waiting, losses = {}, []

def play(policy, pixels, groups, uris, seeds, *rest):
    tokens = lambda text: policy.tokenizer(text)["input_ids"]
    for group, row in zip(groups, seeds):
        alike = group[0].task.question == os.environ.get("ALIKE")
        for index, seed in enumerate(row):
            waiting[seed] = tokens(ZOOM) + tokens(ANSWERS[0 if alike else index % 2])
    return real_play(policy, pixels, groups, uris, seeds, *rest)

def choose(logits, temperatures, generators, never):
    masked = logits.float().clone()
    masked[:, never] = float("-inf")
    logprobs = masked.log_softmax(-1)
    rows = [waiting[generator.initial_seed()] for generator in generators]
    return [(row[0], float(logprobs[index][row.pop(0)])) for index, row in enumerate(rows)]

def loss(logprobs, *rest):
    losses.append(logprobs)
    if len(losses) == int(os.environ["DIE_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real_loss(logprobs, *rest)

rollout.choose, rollout_groups.play_groups, learning.policy_loss = choose, play, loss
if os.environ["SEVERAL"] == "no":
    main(sys.argv[1:])
else:
    # Several runs in one process, because imports take most of its time.
    from pathlib import Path
    from videozoomer.settings.model import Recipe
    from videozoomer.shards.read import ShardSet
    from train.run.process_group import join_process_group
    process, (shards, policy, *outs) = join_process_group(False), sys.argv[1:]
    for out in map(Path, outs):
        os.environ["ALIKE"] = "" if out.name in ("finished", "served") else "Which one?"
        recipe = Recipe.model_validate_json((out / "recipe.json").read_text())
        train(ShardSet(Path(shards)), policy, out, recipe, process)
"""


def a_rl_recipe(zero_stage: int, **more) -> Recipe:
    settings = RlSettings(
        steps=5,
        learning_rate=1e-3,
        prompts=2,
        group=4,
        mini_batch=2,
        kl=0.01,
        max_new_tokens=60,
        max_tokens=4000,
        overview_budgets=(2, 4),
        episodes_at_once=8,
        forward_at_once=3,
        zero_stage=zero_stage,
        bf16=False,
        checkpoint_steps=2,
        seed=1,
    ).model_copy(update=more)
    return a_recipe().model_copy(update={"rl": settings, "protocol": ProtocolSettings(min_pixels=784, max_pixels=8000)})


def two_questions(folder: Path) -> ShardSet:
    """Two questions on one video of 12 seconds at 5 frames a second, a colour a second."""
    uri = str(folder / "video.mp4")
    rng = np.random.default_rng(0)
    with av.open(uri, "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _second in range(12):
            picture = np.broadcast_to(rng.integers(0, 255, 3, dtype=np.uint8), (64, 96, 3))
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    with ReaderPool(784, 8000) as readers:
        overview = readers.frames_at(uri, [0.0, 3.0, 6.0, 9.0])
    frames = {
        frame.frame_id: {
            "frame_id": frame.frame_id,
            "video_id": "v",
            "time_s": frame.time_s,
            "width": frame.width,
            "height": frame.height,
            "jpeg": frame.jpeg,
        }
        for frame in overview
    }
    rows = [
        {
            "question_id": f"q{index}",
            "video_id": "v",
            "video_uri": uri,
            "duration_s": 12.0,
            "batch": "b",
            "split": "train",
            "question": text,
            "options": ["red", "blue"],
            "answer": "A",
            "answer_type": "choice",
            "topic": None,
            "evidence": [{"start_s": 1.5, "end_s": 2.5}],
            "overview_frame_ids": [frame.frame_id for frame in overview],
            "overview_times_s": [frame.time_s for frame in overview],
            "bad_spans": [],
            "evidence_source": "given",
            "pass_rate": 0.5,
            "valid": 2,
            "correct": 1,
        }
        for index, text in enumerate(("Which colour?", "Which one?"))
    ]
    write_dataset("rl", folder / "shards", rows, frames.values(), about={}, max_rows=10)
    return ShardSet(folder / "shards")
