"""Fine-tuning, started as a user starts it."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file
from sft_runs import a_recipe, kill_sft, run_sft

from train.policy.checkpoint import load_policy
from train.policy.collate import collate, prepare, weighted_loss
from train.policy.frame_pixels import FramePixels
from train.run.phase_timer import PHASES
from videozoomer.shards.read import ShardSet
from videozoomer.shards.schema import frame_ids
from videozoomer.shards.write import write_dataset

pytestmark = pytest.mark.slow

KILLED_AFTER_STEP_5 = """
import os, sys
from train.run import metrics_log
from train.sft.command import main
real = metrics_log.MetricsLog.step
def step(self, facts, *rest, **more):
    real(self, facts, *rest, **more)
    if facts["step"] == 5:
        os._exit(9)
metrics_log.MetricsLog.step = step
main(sys.argv[1:])
"""


STEPS = 12


def metrics_of(out) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out) -> list[float]:
    return [line["loss"] for line in metrics_of(out)]


def summary_of(out) -> dict:
    return json.loads((out / "summary.json").read_text())


def weights_of(out) -> dict[str, torch.Tensor]:
    return load_file(out / "checkpoint" / "model.safetensors")


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    done = run_sft(shards, out, a_recipe(max_steps=STEPS, validation_steps=5, peak_tflops=1.0))
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_the_loss_falls_on_held_out_rows(finished):
    summary = summary_of(finished)
    assert (
        summary["loss_rows"] == "validation"
        and summary["watched"] == 3
        and summary["steps"] == summary["kept_step"] == STEPS
    )
    assert summary["loss_after"] < summary["loss_before"] - 0.5
    assert losses(finished)[-1] < losses(finished)[0]
    assert not (finished / "state").exists()


def test_only_the_language_model_changes_and_transformers_reads_it(finished):
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    before, after = (AutoModelForImageTextToText.from_pretrained(finished / name) for name in ("start", "checkpoint"))
    changed = {
        name
        for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert changed == {name for name, _ in before.named_parameters() if "visual" not in name}
    assert AutoTokenizer.from_pretrained(finished / "checkpoint")("<think>red</think>")["input_ids"]


def test_a_run_killed_mid_epoch_resumes_to_the_same_losses_and_weights(shards, finished, tmp_path):
    reached = kill_sft(shards, tmp_path, a_recipe(max_steps=STEPS), after_steps=5)
    assert 5 <= reached < STEPS and not (tmp_path / "summary.json").exists()
    resumed = run_sft(shards, tmp_path, a_recipe(max_steps=STEPS))
    resumed_from = int(re.search(r"resuming from step (\d+)", resumed.stderr)[1])
    assert 4 <= resumed_from <= reached
    assert losses(tmp_path) == pytest.approx(losses(finished), rel=1e-5)
    one, other = summary_of(tmp_path), summary_of(finished)
    assert one["loss_before"] == other["loss_before"] and one["tokens"] == other["tokens"]
    assert one["loss_after"] == pytest.approx(other["loss_after"], rel=1e-5)
    for name, weight in weights_of(tmp_path).items():
        torch.testing.assert_close(weight, weights_of(finished)[name], rtol=1e-4, atol=1e-5)


def test_the_best_weights_survive_a_kill(shards, tmp_path):
    """With a rate that grows far too large, the held-out loss is lowest at step 2; its weights survive the kill."""
    recipe = a_recipe(
        max_steps=8, learning_rate=1.0, warmup_share=1.0, validation_steps=2, keep="best", checkpoint_steps=4
    )
    killed = run_sft(shards, tmp_path, recipe, launcher=("-c", KILLED_AFTER_STEP_5))
    assert killed.returncode == 9, killed.stderr[-3000:]
    done = run_sft(shards, tmp_path, recipe)
    assert "resuming from step 4" in done.stderr
    watched = {line["step"]: line["validation_loss"] for line in metrics_of(tmp_path) if "validation_loss" in line}
    summary = summary_of(tmp_path)
    assert sorted(watched) == [2, 4, 6, 8]
    assert summary["kept_step"] == min(watched, key=watched.get) < 5 and watched[8] > 1.2 * min(watched.values())
    assert summary["loss_after"] == min(watched.values())
    policy = load_policy(tmp_path / "checkpoint")
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    samples = prepare(shards.rows("validation"), policy.chat, pixels, shards.size, max_tokens=10_000).samples
    with torch.no_grad():
        batch = collate(samples, policy, pixels)
        loss = float(weighted_loss(policy.model(**batch.inputs).logits, batch) / batch.weights.sum())
    assert loss == pytest.approx(summary["loss_after"], rel=1e-4)


def test_keeping_the_best_needs_held_out_rows(shards, tmp_path):
    rows = [row | {"split": "train"} for row in shards.rows()]
    frames = {ref for row in rows for ref in frame_ids("sft", row)}
    pictures = [
        {
            "frame_id": name,
            "video_id": "v",
            "time_s": 0.0,
            "width": shards.size(name)[0],
            "height": shards.size(name)[1],
            "jpeg": shards.jpeg(name),
        }
        for name in sorted(frames)
    ]
    write_dataset("sft", tmp_path / "data", rows, pictures, about={}, max_rows=100)
    done = run_sft(ShardSet(tmp_path / "data"), tmp_path / "out", a_recipe(validation_steps=2, keep="best"))
    assert done.returncode != 0 and "no held-out row" in done.stderr


def test_tensorboard_has_the_logged_metrics(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(finished / "tensorboard"))
    board.Reload()
    lines = metrics_of(finished)
    assert all(line["gradient_norm"] > 0 for line in lines)
    for name in ("loss", "learning_rate", "tokens_per_second", "gradient_norm"):
        assert [(event.step, event.value) for event in board.Scalars(f"sft/{name}")] == [
            (line["step"], pytest.approx(line[name])) for line in lines
        ]
    watched = [(line["step"], pytest.approx(line["validation_loss"])) for line in lines if "validation_loss" in line]
    assert [(event.step, event.value) for event in board.Scalars("sft/validation_loss")] == watched and len(
        watched
    ) == 3


def test_the_summary_has_the_cost_of_the_steps(finished):
    summary = summary_of(finished)
    shares = [summary[f"{name}_share"] for name in PHASES]
    assert 0.8 < sum(shares) <= 1.01 and all(share > 0 for share in shares)
    # Every frame went through the frozen tower before the last step.
    assert metrics_of(finished)[-1]["vision_seconds"] == 0
    assert summary["mfu"] == pytest.approx(summary["model_flops_per_second"] / 1e12)
    assert summary["model_flops"] == pytest.approx(sum(line["model_flops"] for line in metrics_of(finished)))


def test_two_processes_with_zero_3_and_packed_rows_take_the_same_steps(shards, finished, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "train.sft")
    longest = max(line["tokens"] for line in metrics_of(finished))
    done = run_sft(
        shards, tmp_path, a_recipe(max_steps=STEPS, zero_stage=3, packing=True, max_tokens=longest), launcher=launcher
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert losses(tmp_path) == pytest.approx(losses(finished), rel=1e-3)
    one, other = summary_of(tmp_path), summary_of(finished)
    assert one["loss_after"] == pytest.approx(other["loss_after"], rel=1e-3)
    assert one["parameters"] == other["parameters"] and one["processes"] == 2
    assert one["padding_share"] == 0 < other["padding_share"]
    assert one["model_flops"] == pytest.approx(other["model_flops"], rel=0.05)


def test_adapters_are_merged_into_a_plain_checkpoint(shards, tmp_path):
    from transformers import AutoModelForImageTextToText

    recipe = a_recipe(max_steps=2, gradient_checkpointing=True, zero_stage=2)
    recipe = recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"lora_rank": 4})})
    done = run_sft(shards, tmp_path, recipe)
    assert done.returncode == 0, done.stderr[-3000:]
    before, after = (AutoModelForImageTextToText.from_pretrained(tmp_path / name) for name in ("start", "checkpoint"))
    changed = {
        name
        for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert changed == {
        name for name, _ in before.named_parameters() if "language_model.layers" in name and "_proj.weight" in name
    }
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["trained_parameters"] < summary["parameters"] / 4
