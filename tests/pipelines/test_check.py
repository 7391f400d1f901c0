"""What would stop every call is found before anything is decoded or paid for, by the real command and real servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chat_server import ChatServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def call(name: str, recipe: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", name, "-r", str(recipe), *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        timeout=120,
    )


@pytest.fixture
def write(tmp_path):
    def writer(url: str, **changes: object) -> Path:
        (tmp_path / "videos").mkdir(exist_ok=True)
        (tmp_path / "videos" / "a.mp4").write_bytes(b"never read by a check")
        (tmp_path / "q.jsonl").write_text(json.dumps({"video": "a.mp4", "question": "what?", "answer": "this"}))
        recipe = {
            "name": "x",
            "home": "run",
            "sources": [{"name": "films", "videos": "videos", "questions": "q.jsonl"}],
            "teacher": {"base_url": url},
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**recipe, **changes}))
        return path

    return writer


def test_a_server_that_can_be_used_is_asked_once_with_all_frames_of_an_overview(write):
    with ChatServer(max_model_len=65_536) as server:
        result = call("check", write(server.url))
        assert result.returncode == 0 and "ready: videozoomer run" in result.stdout and not result.stderr
        (body,) = server.bodies()
    assert sum(part["type"] == "image_url" for part in body["messages"][0]["content"]) == 64


@pytest.mark.parametrize("arguments", [["check"], ["run"], ["run", "--dry-run"]])
def test_a_context_that_is_too_small_for_the_overview_stops_before_a_call(write, arguments, tmp_path):
    with ChatServer(max_model_len=8192) as server:
        result = call(arguments[0], write(server.url), *arguments[1:])
        assert result.returncode == 1 and "context of rule-player" in result.stderr and "8,192" in result.stderr
        assert "lower protocol.overview_frames" in result.stderr and not server.calls
    assert not (tmp_path / "run" / "tables").exists()


def test_a_context_that_some_episodes_outgrow_is_a_warning(write):
    with ChatServer(max_model_len=14_000) as server:
        result = call("check", write(server.url))
    assert result.returncode == 0 and "warning: the context of rule-player" in result.stderr


TEXT_ONLY = b'{"error": {"message": "At most 0 image(s) may be provided in one prompt."}}'


@pytest.mark.parametrize(
    ("behave", "says"),
    [
        (lambda number, body: (400, {}, TEXT_ONLY), "takes fewer images in a request; raise its limit (vLLM"),
        (lambda number, body: "overflow", "serve the model with a longer context"),
        (lambda number, body: "cut", "raise max_tokens"),
        (lambda number, body: (401, {}, b"{}"), "rejects the API key"),
        (
            lambda number, body: (400, {}, b'{"error": {"message": "unsupported content type"}}'),
            "check that the model takes images",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_server_that_fails_at_an_overview_stops_before_a_video_is_read(write, tmp_path, command, behave, says):
    with ChatServer(behave=behave) as server:
        result = call(command, write(server.url))
        assert len(server.calls) == 1
    assert result.returncode == 1 and says in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "run" / "stamps").exists()


def test_a_server_that_wants_max_tokens_under_its_newer_name_is_fine(write):
    with ChatServer(refuses=("max_tokens",)) as server:
        result = call("check", write(server.url))
        assert result.returncode == 0 and [("max_tokens" in body) for body in server.bodies()] == [True, False]


def test_a_busy_server_is_a_warning(write):
    with ChatServer(behave=lambda number, body: "429") as server:
        result = call("check", write(server.url))
    assert result.returncode == 0 and "does not answer now (rate_limited" in result.stderr


@pytest.mark.parametrize("arguments", [["check"], ["run", "--dry-run"], ["run"]])
def test_the_first_lines_say_what_was_understood_and_how_much_disk_it_takes(write, arguments):
    with ChatServer() as server:
        result = call(arguments[0], write(server.url), *arguments[1:])
    assert "1 rows, all usable" in result.stdout and "disk: the run needs about " in result.stdout


def test_a_paid_server_without_prices_is_a_warning(write, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "x")
    with ChatServer() as server:
        result = call("check", write(server.url, teacher={"base_url": server.url, "api_key_env": "TEACHER_KEY"}))
    assert result.returncode == 0 and "counted at 0 USD; set its prices.input_per_million" in result.stderr


def test_a_server_that_does_not_answer_stops_the_run_before_a_video_is_read(write, tmp_path):
    result = call("run", write("http://127.0.0.1:9/v1"))
    assert result.returncode == 1 and "does not answer" in result.stderr and "check base_url" in result.stderr
    assert not (tmp_path / "run" / "tables").exists()


def test_a_rejected_key_is_named(write):
    with ChatServer(models=(401, {}, b"{}")) as server:
        result = call("run", write(server.url))
    assert result.returncode == 1 and "rejects the API key" in result.stderr


def test_a_model_that_is_not_listed_and_a_budget_without_prices_are_warnings(write):
    with ChatServer() as server:
        recipe = write(server.url, teacher={"base_url": server.url, "model": "other"}, distill={"budget_usd": 5})
        result = call("check", recipe)
    assert result.returncode == 0
    assert "does not list the model 'other'; it lists rule-player" in result.stderr
    assert "has no prices" in result.stderr
