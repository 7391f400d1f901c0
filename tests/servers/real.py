"""Real servers, started from the environments that `make servers` sets up."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VLLM = Path(os.environ.get("VIDEOZOOMER_VLLM", ROOT / ".venv-vllm"))
LITELLM = Path(os.environ.get("VIDEOZOOMER_LITELLM", ROOT / ".venv-litellm"))
START_S = 900.0
"""vLLM is up in under three minutes on two cores, if nothing else runs."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(command: Sequence[str], log: Path, ready: str, more: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A server, once the address `ready` answers; ended at the end."""
    with log.open("a") as out, subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | more) as process:
        try:
            _wait(process, ready, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen, ready: str, log: Path) -> None:
    began_s = time.monotonic()
    while time.monotonic() - began_s < START_S:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(ready, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)
    raise RuntimeError(f"the server is not up after {START_S:g} s: {log.read_text()[-4000:]}")


@contextmanager
def vllm(checkpoint: Path, folder: Path, port: int | None = None) -> Iterator[str]:
    """The base URL of a vLLM that serves the checkpoint as `policy` and takes new weights."""
    port = port or free_port()
    command = [
        *(str(VLLM / "bin" / "vllm"), "serve", str(checkpoint), "--served-model-name", "policy"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager", "--enable-scale-out"),
        *("--max-model-len", "16384", "--max-num-seqs", "16", "--logprobs-mode", "processed_logprobs"),
        *("--limit-mm-per-prompt", '{"image": 128, "video": 0}'),
    ]
    more = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "TORCHDYNAMO_DISABLE": "1",
        "VLLM_SERVER_DEV_MODE": "1",
        "PATH": f"{VLLM / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    with running(command, folder / "vllm.log", f"http://127.0.0.1:{port}/health", more):
        yield f"http://127.0.0.1:{port}/v1"
