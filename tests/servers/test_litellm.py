"""A real LiteLLM before the sample teacher: trajectories are those of direct play, and a second run asks nobody."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
import yaml
from graph_fixture import write_recipe
from real import LITELLM, ROOT, free_port, running
from typer.testing import CliRunner

from assets.workspace import Workspace
from examples.world import make_world
from pipelines.cli import app
from pipelines.run import run
from videozoomer.settings import load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
KEY = "sk-local"


@contextlib.contextmanager
def sample_teacher() -> Iterator[str]:
    command = [sys.executable, "-m", "examples.teacher", "--port", "0", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout and process.stdin
        yield process.stdout.readline().strip().removesuffix("/v1")
        process.stdin.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[dict[str, str]]:
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    with sample_teacher() as direct:
        entry = {"model": "openai/sample-teacher-pixels-v1", "api_base": f"{direct}/v1", "api_key": "none"}
        config = {
            "model_list": [{"model_name": "teacher", "litellm_params": entry}],
            "general_settings": {"master_key": KEY},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        command = [str(LITELLM / "bin" / "litellm"), "--config", str(folder / "config.yaml")]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        gateway = f"http://127.0.0.1:{port}"
        with running(command, folder / "litellm.log", f"{gateway}/health/liveliness", {"NO_PROXY": "127.0.0.1"}):
            yield {"direct": direct, "gateway": gateway}


@pytest.fixture(scope="module")
def recipes(servers, tmp_path_factory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("play")
    make_world(folder / "world", size="small")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_KEY", KEY)
        for name, url in servers.items():
            (folder / name).mkdir()
            path = write_recipe(folder / name / "recipe.yaml", folder / "world", url, protocol={"overview_fps": 4.0})
            given = yaml.safe_load(path.read_text())
            if name == "gateway":
                given["teacher"] |= {"api_key_env": "GATEWAY_KEY", "model": "teacher"}
            path.write_text(yaml.safe_dump(given))
            found[name] = path
        yield found


def exemplars(path: Path) -> pl.DataFrame:
    lake = Workspace(load_recipe(path)).lake
    return lake.read("trajectories").filter(pl.col("kind") == "exemplar").sort("question_id", "sample")


def without_keys(turns: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Turns without what names the server: the key of the call."""
    return [{name: value for name, value in turn.items() if name != "call_key"} for turn in turns]


def test_exemplars_through_the_gateway_are_those_of_direct_play(recipes):
    for path in recipes.values():
        run(load_recipe(path), only=["exemplars"])
    direct, gateway = exemplars(recipes["direct"]), exemplars(recipes["gateway"])
    assert direct.height == gateway.height > 0 and direct["well_formed"].sum() > 0
    shown = max(len([p for m in row[:2] for p in m["parts"] if p["type"] == "image"]) for row in direct["messages"])
    assert shown == 64
    for one, other in zip(direct.iter_rows(named=True), gateway.iter_rows(named=True), strict=True):
        assert without_keys(one["turns"]) == without_keys(other["turns"]), one["question_id"]
        assert (one["status"], one["answer"], one["well_formed"]) == (
            other["status"],
            other["answer"],
            other["well_formed"],
        )


def test_a_second_run_replays_every_call(recipes):
    run(load_recipe(recipes["gateway"]), only=["exemplars"])
    workspace = Workspace(load_recipe(recipes["gateway"]))
    (batch, *_) = workspace.batches()
    before = workspace.stamps.read("exemplars", batch)
    run(load_recipe(recipes["gateway"]), only=["exemplars"], force=["exemplars"])
    after = workspace.stamps.read("exemplars", batch)
    assert before and after and after.content == before.content
    assert after.facts["calls_made"] == before.facts["calls_made"]


def test_the_probe_tells_what_the_gateway_lets_through(servers, monkeypatch):
    monkeypatch.setenv("GATEWAY_KEY", KEY)
    given = ["ledger", "probe", f"{servers['gateway']}/v1", "--model", "teacher", "--key-env", "GATEWAY_KEY"]
    result = CliRunner().invoke(app, given, env={"COLUMNS": "4000"})
    assert result.exit_code == 0, result.output
    assert "teacher" in result.output
