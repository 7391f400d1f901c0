"""Training refuses a data set that has changed since it was written, before it loads a model."""

import json
import shutil

import pytest
import torch
from sft_runs import a_recipe

from train.rl.training import train as train_rl
from train.run.process_group import ProcessInfo
from train.sft.training import train as train_sft
from videozoomer.shards.manifest import FILE, ShardError
from videozoomer.shards.read import ShardSet

ALONE = ProcessInfo(0, 1, torch.device("cpu"), False)


@pytest.fixture
def changed(shards, tmp_path) -> ShardSet:
    folder = tmp_path / "data"
    shutil.copytree(shards.path, folder)
    manifest = json.loads((folder / FILE).read_text())
    manifest["counts"]["rows"] += 1
    (folder / FILE).write_text(json.dumps(manifest))
    return ShardSet(folder)


def test_fine_tuning(changed, tmp_path):
    with pytest.raises(ShardError, match="it counts rows 13 instead of 12"):
        train_sft(changed, tmp_path / "out", a_recipe(), ALONE)
    assert not (tmp_path / "out").exists()


def test_reinforcement_learning(changed, tmp_path):
    with pytest.raises(ShardError, match="it counts rows 13 instead of 12"):
        train_rl(changed, "no/checkpoint", tmp_path / "out", a_recipe(), ALONE)
    assert not (tmp_path / "out").exists()
