"""Training in a process of its own: what it prints goes to a log, and how it failed becomes one sentence."""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import IO

import dagster as dg

from train.run.failure import FAILURE, Failure

LOG = "training.log"
"""File in the training folder with everything that the process printed."""
MORE_MEMORY = (
    "lower sft.micro_batch_size to 1 (RL: rl.episodes_at_once and rl.forward_at_once), set sft.gradient_checkpointing, "
    "raise sft.zero_stage to 3, or train on a larger machine"
)
NO_MEMORY = re.compile(r"out of memory|can.t allocate memory|^MemoryError", re.I)
LAST_ERROR = re.compile(r"^(?:\[rank\d+\]: ?)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b.*)$", re.M)
KILLED = re.compile(r"Signal 9 \(SIGKILL\)|exitcode\s*: -9")
"""What torch's launcher prints where the system killed one of its processes."""


class ProcessFailed(RuntimeError):
    """The process ended with a code other than 0."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the process ended with code {code}")
        self.code = code


class LoggedProcess(dg.PipesSubprocessClient):
    """Dagster's client for a process on this machine, which also writes what it prints to `training.log`.

    The output is shown too, up to a traceback: that is for the log.
    """

    def run(  # type: ignore[override]
        self,
        *,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        extras: dict | None = None,
        command: str | Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> dg.PipesClientCompletedInvocation:
        """Raises:
        ProcessFailed: the process ended with a code other than 0.
        """
        import os

        log = Path(cwd or ".") / LOG
        with (
            log.open("wb") as file,
            dg.open_pipes_session(context, self.context_injector, self.message_reader, extras=extras) as session,
        ):
            environment = {**os.environ, **self.env, **(env or {}), **session.get_bootstrap_env_vars()}
            process = Popen(command, cwd=cwd or self.cwd, env=environment, stdout=PIPE, stderr=STDOUT)
            assert process.stdout is not None
            copying = threading.Thread(target=_copy, args=(process.stdout, file), daemon=True)
            copying.start()
            try:
                code = process.wait()
            except BaseException:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=self.termination_timeout_seconds)
                raise
            finally:
                copying.join(timeout=5)
            if code:
                raise ProcessFailed(code)
        return dg.PipesClientCompletedInvocation(session)


def _copy(source: IO[bytes], log: IO[bytes]) -> None:
    shown = True
    for line in source:
        log.write(line)
        log.flush()
        shown = shown and b"Traceback (most recent call last)" not in line
        if shown:
            sys.stderr.write(line.decode(errors="replace"))
            sys.stderr.flush()


def missing_packages(*, adapters: bool = False) -> list[str]:
    """Packages of the extra `train` that are needed to train or play a policy and are not installed."""
    wanted = ("torch", "transformers", "accelerate", "deepspeed", *(("peft",) if adapters else ()))
    return [name for name in wanted if find_spec(name) is None]


def require_packages(work: str, *, adapters: bool = False) -> None:
    """Raises:
    dagster.Failure: packages of the extra `train` are missing.
    """
    if missing := missing_packages(adapters=adapters):
        raise dg.Failure(f"{work} needs {', '.join(missing)}; run `pip install 'videozoomer[train]'`")


def cause_of(out: Path, error: Exception) -> Failure:
    """Why a training process failed: its own last error, otherwise how it ended and the last error in its log."""
    if (out / FAILURE).is_file():
        told = Failure(**json.loads((out / FAILURE).read_text()))
        if told.kind == "ModuleNotFoundError":
            said = told.message.removeprefix(f"{told.kind}: ")
            return Failure(told.kind, f"{said}; run `pip install 'videozoomer[train]'`")
        if told.kind.endswith("OutOfMemoryError") or NO_MEMORY.search(f"{told.kind}: {told.message}"):
            return Failure(told.kind, f"memory ran out ({_first_line(told.message)}); {MORE_MEMORY}")
        return told
    code = error.code if isinstance(error, ProcessFailed) else 1
    log = (out / LOG).read_text(errors="replace") if (out / LOG).is_file() else ""
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL) or KILLED.search(log):
        return Failure("Killed", f"the system killed it, as it does when memory runs out; {MORE_MEMORY}")
    if code < 0:
        return Failure("Killed", f"it ended by {signal.Signals(-code).name}")
    found = LAST_ERROR.findall(log)
    if found and "ModuleNotFoundError" in found[-1]:
        return Failure("ModuleNotFoundError", f"{found[-1]}; run `pip install 'videozoomer[train]'`")
    return Failure("Unknown", found[-1] if found else _last_line(log) or str(error))


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no more was said"
