"""The wheel, as a user installs it: what it holds, and that it works away from this repository and beside PyTables.

Installing needs the package index or pip's cache; torch is not installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from examples.teacher import serve
from examples.world import make_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PACKAGES = {"videozoomer", "distill", "filters", "train", "eval", "assets", "pipelines"}
HDF5 = """
import importlib.metadata, importlib.util, pathlib, sys
import pandas, tables
assert tables.__version__ == importlib.metadata.version("tables"), tables.__file__
assert hasattr(tables, "open_file"), f"not PyTables: {tables.__file__}"
path = pathlib.Path(sys.argv[1])
with tables.open_file(path, "w") as file:
    file.create_array("/", "times", [0.5, 1.5])
with tables.open_file(path) as file:
    assert file.root.times.read() == [0.5, 1.5]
pandas.DataFrame({"zooms": [1, 2]}).to_hdf(path, key="rows")
assert pandas.read_hdf(path, "rows")["zooms"].tolist() == [1, 2]
"""


def pip(python: Path | str, *arguments: object) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip(sys.executable, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("videozoomer-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory, wheel) -> Path:
    """`bin` of a new environment with the base dependencies, PyTables and the wheel; without torch."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip(
        python,
        "install",
        "--quiet",
        "--no-compile",
        "--no-deps",
        "--require-hashes",
        "-r",
        ROOT / "requirements" / "wheel.txt",
    )
    pip(python, "install", "--quiet", "--no-compile", "--no-deps", wheel)
    return folder / "bin"


@pytest.fixture
def call(environment, tmp_path):
    """Runs a program of the new environment in an empty folder, with nothing of this repository on its path."""

    def run(program: str, *arguments: object) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIDEOZOOMER"))}
        command = [str(environment / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_wheel_holds_the_stages_and_their_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
    packed = {name for name in names if not name.startswith(metadata)}
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == sources | {"pipelines/dagster.yaml"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed
    assert f"{metadata}/licenses/LICENSE" in names


def test_wheel_needs_nothing_that_its_metadata_does_not_name(environment):
    pip(environment / "python", "check")


def test_pytables_beside_the_wheel_reads_hdf5(call, tmp_path):
    call("python", "-c", HDF5, tmp_path / "rows.h5")


def test_command_line_works_without_torch(wheel, call, tmp_path):
    call("python", "-c", "import importlib.util; assert importlib.util.find_spec('torch') is None")
    assert "init" in call("videozoomer", "--help")
    assert wheel.name.split("-")[1] in call("videozoomer", "--version")
    call("videozoomer", "init", "mine.yaml")
    assert yaml.safe_load((tmp_path / "mine.yaml").read_text())["sources"]


def test_a_run_goes_to_its_report_from_the_wheel_without_torch(call, tmp_path):
    world = make_world(tmp_path / "world", size="small")
    with serve(port=0) as teacher:
        recipe = {
            "name": "from-the-wheel",
            "home": str(tmp_path / "home"),
            "sources": [
                {"name": "films", "videos": str(world.train_videos), "questions": str(world.train_questions)},
            ],
            "teacher": {"base_url": teacher.base_url, "concurrency": 4},
            "distill": {"samples": 1},
        }
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        call("videozoomer", "run", "--recipe", "recipe.yaml")
    listed = call("videozoomer", "trajectories", "list", "--recipe", "recipe.yaml", "--limit", 1)
    assert "exemplar" in listed
    commits = [json.loads(path.read_text())["stamps"] for path in (tmp_path / "home/tables/log").glob("*.json")]
    assert any(stamps["funnel"]["all"]["facts"] for stamps in commits if "funnel" in stamps)
    assert "No policy was trained" in (tmp_path / "home" / "report" / "index.html").read_text()
    assert (tmp_path / "home" / "dagster" / "dagster.yaml").read_text() == (ROOT / "dagster.yaml").read_text()
