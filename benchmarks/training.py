"""What our training optimisations save: shared prefixes, batched vision attention, causal attention without a mask.

    python -m benchmarks.training --group 16 --frames 64

CPU seconds of one thread, medians over repetitions, on a random tiny policy and random pictures. Both sides of each
pair compute the same result (tested in tests/train).
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer

from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.settings.model import TinyModel

ZOOM = (
    "<think>The red scene begins at 20.00 s; I look closer.</think>\n"
    '<video_zoom>{"segment": [20, 28], "fps": 2}</video_zoom>'
)
ANSWER = "<think>A star flashes at 23.5 s.</think>\n<answer>B</answer>"


def main(group: int = 16, frames: int = 64, repetitions: int = 3) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    from train.policy.checkpoint import load_policy
    from train.policy.collate import Sample, collate
    from train.policy.frame_pixels import FramePixels
    from train.policy.tiny import build_tiny
    from train.rl.shared_prefix import SharedPrefix, collate_group, token_logprobs

    torch.set_num_threads(1)
    jpegs = dict(_picture(seed) for seed in range(frames + 16))
    played = _episode(list(jpegs), frames)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = build_tiny(
            TinyModel(),
            [message.text for message in played.transcript],
            Path(folder) / "tiny",
            min_pixels=784,
            max_pixels=3136,
            seed=0,
        )
        policy = load_policy(checkpoint)
        slow_vision = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).model.visual
    pixels = FramePixels(policy.image_processor, jpegs.__getitem__)
    tokens = policy.chat.encode(played.transcript, pixels.tokens)
    rollouts = [tokens] * group
    print(
        f"{group} rollouts of {len(tokens.ids)} tokens, of which {tokens.weights.index(1.0)} are shared; "
        f"{sum(p.numel() for p in policy.model.parameters()) / 1e6:.1f} M parameters"
    )

    def whole(mask: bool = False) -> None:
        batch = collate([Sample(str(index), one) for index, one in enumerate(rollouts)], policy, pixels)
        inputs = batch.inputs | ({"attention_mask": _mask(batch.inputs["input_ids"])} if mask else {})
        logprobs, _ = token_logprobs(policy.model(**inputs).logits, batch.targets, policy.chat.never_sampled, 1.0)
        (logprobs * batch.weights).sum().backward()

    def shared() -> None:
        batch = collate_group(rollouts, policy, pixels)
        logprobs, _ = SharedPrefix(policy.model)(
            batch.prefix, batch.endings, batch.targets, policy.chat.never_sampled, 1.0
        )
        (logprobs * batch.mask).sum().backward()

    patches, grid = pixels.load(tokens.frame_ids)
    plain_s = _median(whole, repetitions)
    _report(
        "training forward and backward of a group",
        "every rollout whole",
        plain_s,
        "beginning shared",
        _median(shared, repetitions),
    )
    _report(
        "the same, whole",
        "with a padding mask",
        _median(lambda: whole(mask=True), repetitions),
        "causal, no mask",
        plain_s,
    )
    with torch.no_grad():
        looped = _median(lambda: slow_vision(patches, grid_thw=grid), repetitions)
        batched = _median(lambda: policy.model.model.visual(patches, grid_thw=grid), repetitions)
    _report(f"vision tower on {len(grid)} frames", "a call for each window", looped, "equal windows together", batched)


def _mask(ids):
    """An explicit mask with one padded position: an all-ones mask would be dropped."""
    mask = (ids >= 0).long()
    mask[0, -1] = 0
    return mask


def _picture(seed: int) -> tuple[str, bytes]:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((224, 126)).save(out, "JPEG")
    return frame_id_of(out.getvalue()), out.getvalue()


def _episode(names: list[str], frames: int) -> Episode:
    overview = [FrameRef(name, 2.0 * index) for index, name in enumerate(names[:frames])]
    episode = Episode(
        Task("Which glyph is seen in the red scene?", ("circle", "star"), "choice", 2.0 * frames),
        overview,
        Protocol(overview_frames=frames),
        load_prompts(),
    )
    episode.step(ZOOM)
    episode.show([FrameRef(name, 20 + index / 2) for index, name in enumerate(names[frames : frames + 16])])
    episode.step(ANSWER)
    return episode


def _median(work: Callable[[], object], repetitions: int) -> float:
    work()
    taken = []
    for _ in range(repetitions):
        began_s = time.process_time()
        work()
        taken.append(time.process_time() - began_s)
    return statistics.median(taken)


def _report(what: str, one: str, one_s: float, other: str, other_s: float) -> None:
    print(f"{what}: {one} {one_s:.2f} s, {other} {other_s:.2f} s: {one_s / other_s:.1f} times")


if __name__ == "__main__":
    typer.run(main)
