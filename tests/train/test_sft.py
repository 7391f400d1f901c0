"""The training script, run as a user runs it."""

import json

import pytest
import torch
from training_runs import a_recipe, run_sft

KILLED_AFTER_STEP_5 = """
import os, sys
from train import journal, sft
real = journal.Journal.step
def step(self, facts, *rest, **more):
    real(self, facts, *rest, **more)
    if facts["step"] == 5:
        os._exit(9)
journal.Journal.step = step
sft.main(sys.argv[1:])
"""


def losses(out) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    done = run_sft(shards, out, a_recipe())
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_the_loss_falls_on_held_out_rows(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["loss_rows"] == "validation" and summary["watched"] == 3 and summary["steps"] == 6
    assert summary["loss_after"] < summary["loss_before"] - 0.5
    assert losses(finished)[-1] < losses(finished)[0]
    assert not (finished / "state").exists()


def test_only_the_language_model_is_changed_and_transformers_reads_it(finished):
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    before, after = (AutoModelForImageTextToText.from_pretrained(finished / name) for name in ("start", "checkpoint"))
    changed = {name for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True) if not torch.equal(one, other)}
    assert changed == {name for name, _ in before.named_parameters() if "visual" not in name}
    assert AutoTokenizer.from_pretrained(finished / "checkpoint")("<think>red</think>")["input_ids"]


def test_a_killed_run_goes_on_to_the_same_losses(shards, finished, tmp_path):
    out = tmp_path / "killed"
    killed = run_sft(shards, out, a_recipe(), launcher=("-c", KILLED_AFTER_STEP_5))
    assert killed.returncode == 9 and len(losses(out)) == 5, killed.stderr[-3000:]
    resumed = run_sft(shards, out, a_recipe())
    assert "going on from step 4" in resumed.stderr
    assert losses(out) == pytest.approx(losses(finished), rel=1e-5)
    one, other = (json.loads((folder / "summary.json").read_text()) for folder in (out, finished))
    assert one["loss_before"] == other["loss_before"] and one["tokens"] == other["tokens"]
    assert one["loss_after"] == pytest.approx(other["loss_after"], rel=1e-5)


def test_two_processes_with_zero_3_take_the_same_steps(shards, finished, tmp_path):
    out = tmp_path / "spread"
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "train.sft")
    done = run_sft(shards, out, a_recipe(zero_stage=3), launcher=launcher)
    assert done.returncode == 0, done.stderr[-3000:]
    assert losses(out) == pytest.approx(losses(finished), rel=1e-3)
    one, other = (json.loads((folder / "summary.json").read_text()) for folder in (out, finished))
    assert one["loss_after"] == pytest.approx(other["loss_after"], rel=1e-3)
    assert one["parameters"] == other["parameters"] and one["processes"] == 2


def test_adapters_are_merged_into_a_plain_checkpoint(shards, tmp_path):
    from transformers import AutoModelForImageTextToText

    recipe = a_recipe(max_steps=2, gradient_checkpointing=True, zero_stage=2)
    recipe = recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"lora_rank": 4})})
    done = run_sft(shards, tmp_path, recipe)
    assert done.returncode == 0, done.stderr[-3000:]
    before, after = (AutoModelForImageTextToText.from_pretrained(tmp_path / name) for name in ("start", "checkpoint"))
    changed = {name for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True) if not torch.equal(one, other)}
    assert changed == {name for name, _ in before.named_parameters() if "language_model.layers" in name and "_proj.weight" in name}
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["trained_parameters"] < summary["parameters"] / 4
