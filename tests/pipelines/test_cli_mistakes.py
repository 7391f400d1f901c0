"""Ordinary mistakes at the command line end in a sentence with a remedy, never in a traceback."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-proj-3F9sVeryS3cretKeyThatMustNotBeSeen"


def command(*arguments: object, cwd: Path = ROOT, code: str | None = None) -> subprocess.CompletedProcess:
    """The real command. `code` runs before it, in the same process."""
    start = ["-m", "pipelines.cli"]
    if code:
        start = ["-c", f"{code}\nfrom pipelines.cli import app\napp(prog_name='videozoomer')"]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT)},
        timeout=120,
    )


def refused(*arguments: object, exit_code: int = 1, **options) -> str:
    result = command(*arguments, **options)
    assert result.returncode == exit_code, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    return result.stderr


@pytest.fixture
def write(tmp_path):
    def writer(text: str | None = None, **changes: object) -> Path:
        recipe = {
            "name": "x",
            "home": "run",
            "sources": [{"name": "films", "videos": "videos", "questions": "q.jsonl"}],
            "teacher": {"base_url": "http://127.0.0.1:9/v1"},
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**recipe, **changes}) + (text or ""))
        return path

    return writer


def test_init_into_a_missing_folder_says_how_to_create_it(tmp_path):
    assert f"mkdir -p {tmp_path / 'none'}" in refused("init", tmp_path / "none" / "my.yaml")


@pytest.mark.parametrize("name", ["run", "status", "ui", "trajectories list"])
def test_a_home_under_a_file_is_refused(write, tmp_path, name):
    (tmp_path / "taken").write_text("")
    error = refused(*name.split(), "-r", write(home="taken/run"))
    assert f"{tmp_path / 'taken'} is a file; set home to a folder" in error


def test_serve_without_torch_says_what_to_install(tmp_path):
    error = refused("serve", tmp_path, code="import importlib.util as u; f = u.find_spec\n"
                    "u.find_spec = lambda name, *a: None if name == 'torch' else f(name, *a)")  # fmt: skip
    assert "needs torch; run `pip install 'videozoomer[train]'`" in error


@pytest.mark.parametrize("value", [KEY, "${TEACHER_KEY}", "AbCdEfGhIjKlMnOpQrStUv123456", "sk_live_51Habcdef"])
@pytest.mark.parametrize("name", ["status", "run", "ledger probe"])
def test_a_key_in_place_of_a_variables_name_is_never_printed(write, monkeypatch, value, name):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    path = write(teacher={"base_url": "http://127.0.0.1:9/v1", "api_key_env": value})
    error = refused(*name.split(), "-r", path)
    assert "teacher.api_key_env" in error and "NAME of an environment variable" in error
    assert value not in error and KEY not in error


def test_a_key_given_to_probe_is_never_printed():
    for value in (KEY, "abcdefghijklmnop"):
        error = refused("ledger", "probe", "http://127.0.0.1:9/v1", "--key-env", value)
        assert "NAME of a" in error and value not in error


def test_a_key_twice_is_refused_with_both_lines(write):
    path = write("distill:\n  samples: 2\n  samples: 4\n")
    lines = path.read_text().splitlines()
    first = lines.index("  samples: 2") + 1
    error = refused("status", "-r", path)
    assert f"line {first + 1}: samples was set already in line {first}" in error


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        ({"teacher": {"base_url": "x", "temprature": 1}}, "teacher.temperature"),
        ({"distil": {}}, "distill"),
        ({"sources": [{"name": "f", "video": "v", "questions": "q"}]}, "sources.0.videos"),
        ({"rl": {"server": {"base_ulr": "x"}}}, "rl.server.base_url"),
        ({"budget_usd": 3}, "distill.budget_usd"),
    ],
)
def test_a_misspelt_field_gets_the_one_that_was_meant(write, changes, meant):
    assert f"did you mean {meant}?" in refused("status", "-r", write(**changes))


@pytest.mark.parametrize(
    ("typed", "meant"), [("stauts", "status"), ("ledger sumary", "summary"), ("run --dry-runn", "--dry-run")]
)
def test_a_misspelt_command_or_option_gets_the_one_that_was_meant(typed, meant):
    error = refused(*typed.split(), exit_code=2)
    assert ("Did you mean" in error or "Possible options" in error) and meant in error


@pytest.mark.parametrize("name", ["", "run", "ledger", "ledger probe", "serve"])
def test_h_is_help(name):
    asked = command(*name.split(), "-h")
    assert asked.returncode == 0 and asked.stdout == command(*name.split(), "--help").stdout


def test_help_documents_the_exit_codes():
    assert "Exit codes: 0 done; 1 it could not be done" in command("--help").stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_ui_leaves_no_process_behind(write, tmp_path, number):
    (tmp_path / "videos").mkdir()
    ui = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "ui", "-r", str(write()), "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    started: list[psutil.Process] = []
    deadline = time.monotonic() + 120
    while len(started) < 3:  # dagster dev and its servers
        assert ui.poll() is None and time.monotonic() < deadline
        with contextlib.suppress(psutil.NoSuchProcess):
            started = psutil.Process(ui.pid).children(recursive=True)
        time.sleep(0.1)
    ui.send_signal(number)
    assert ui.wait(60) == 128 + number
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive
