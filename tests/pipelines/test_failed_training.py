"""A training that fails ends in one sentence: the cause, the remedy and the log; the traceback is in the log."""

from __future__ import annotations

import sys

import pytest
from edited_home import EditedHome, read_films
from test_asked_training import SMALL, answers, call

from assets import training, training_process
from assets.training_process import LOG, ProcessFailed, cause_of
from train.run.failure import recorded_failure
from videozoomer.video import ingest

RECORDED = "import pathlib; from train.run.failure import recorded_failure\nwith recorded_failure(pathlib.Path('.')):\n"


@pytest.fixture
def edited(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "ingest_many", read_films)
    with answers("A") as server:
        home = EditedHome(tmp_path, server.url)
        for number, film in enumerate("ab"):
            home.film(film).write_text(f"film {film}")
            home.ask(number, film, "A")
        home.settings |= SMALL | {"filters": {"probe_without_video": False, "non_zoom_share": 1.0}}
        home.recipe(tmp_path / "home")
        yield home


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "the system killed it, as it does when memory runs out; lower"),
        ("import os\nos.kill(os.getpid(), 11)", "it ended by SIGSEGV"),
        (f"{RECORDED}    raise MemoryError()", "memory ran out"),
        (
            f"{RECORDED}    import no_such_package",
            "No module named 'no_such_package'; run `pip install 'videozoomer[train]'`",
        ),
        (f"{RECORDED}    raise KeyError('weights')", "KeyError: 'weights'"),
        ("raise OSError(28, 'No space left on device')", "OSError: [Errno 28] No space left on device"),
        ("raise SystemExit('refused by the launcher')", "refused by the launcher"),
    ],
)
def test_the_cause_is_the_sentence(edited, monkeypatch, code, says):
    monkeypatch.setattr(training, "training_command", lambda *_: [sys.executable, "-c", f"print('step 1')\n{code}"])
    result = call("run", "-r", edited.folder / "recipe.yaml")
    log = edited.folder / "home" / "training" / "sft" / LOG
    assert result.exit_code == 1 and f"sft_policy failed: the training stopped: {says}" in result.output
    assert str(log) in result.output and "step 1" in log.read_text() and "step 1" in result.output
    assert "External execution process" not in result.output and "Traceback" not in result.output


@pytest.mark.slow
def test_a_checkpoint_that_is_none_is_named(edited, tmp_path):
    (tmp_path / "empty").mkdir()
    edited.settings |= {"policy": {"checkpoint": str(tmp_path / "empty")}}
    edited.recipe(tmp_path / "home")
    result = call("run", "-r", edited.folder / "recipe.yaml")
    assert (
        result.exit_code == 1 and f"{tmp_path / 'empty'} has no checkpoint that transformers can read" in result.output
    )


@pytest.mark.slow
def test_rows_that_are_all_too_long_are_nothing_to_train_on(edited, tmp_path):
    edited.settings |= {"sft": {**SMALL["sft"], "max_tokens": 3}}
    edited.recipe(tmp_path / "home")
    result = call("run", "-r", edited.folder / "recipe.yaml")
    assert result.exit_code == 3 and "are longer than sft.max_tokens = 3" in result.output
    assert "longer than sft.max_tokens" in (tmp_path / "home" / "report" / "index.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("work", ["training a policy", "playing a policy"])
def test_a_missing_package_names_the_extra(edited, monkeypatch, work):
    missing = ["torch"] if work == "training a policy" else []
    monkeypatch.setattr(training_process, "missing_packages", lambda **_: missing)
    if not missing:
        pytest.importorskip("torch")
        monkeypatch.setattr(training, "train_in_own_process", _trained_elsewhere)
        monkeypatch.setattr(training_process, "missing_packages", lambda **_: ["torch", "transformers"])
    result = call("run", "-r", edited.folder / "recipe.yaml")
    assert result.exit_code == 1 and f"{work} needs torch" in result.output
    assert "run `pip install 'videozoomer[train]'`" in result.output


def _trained_elsewhere(context, workspace, *_, **__):
    return training.finish(context, workspace, "trained")


@pytest.mark.parametrize(
    ("log", "code", "says"),
    [
        ("[rank1]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", 1, "OutOfMemoryError"),
        ("  exitcode  : -9 (pid: 7)\ntorch.distributed.elastic...ChildFailedError:\n", 1, "the system killed it"),
        ("Signal 9 (SIGKILL) received by PID 7", 1, "the system killed it"),
        ("ModuleNotFoundError: No module named 'peft'", 1, "pip install 'videozoomer[train]'"),
        ("", 137, "the system killed it"),
        ("", 4, "the process ended with code 4"),
    ],
)
def test_without_its_own_word_the_log_and_the_code_tell(tmp_path, log, code, says):
    (tmp_path / LOG).write_text(log)
    assert says in cause_of(tmp_path, ProcessFailed(code)).message


def test_the_first_failure_of_several_processes_is_kept(tmp_path):
    for text in ("the first", "the second"):
        with pytest.raises(ValueError), recorded_failure(tmp_path):
            raise ValueError(text)
    assert cause_of(tmp_path, ProcessFailed(1)).message == "ValueError: the first"


def test_a_stop_by_the_user_is_no_failure(tmp_path):
    with pytest.raises(KeyboardInterrupt), recorded_failure(tmp_path):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
