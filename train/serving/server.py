"""Serve a checkpoint over an OpenAI-compatible API, so that a student plays like any teacher.

    python -m train.serving CHECKPOINT --port 8000 --name student

    with serve("runs/demo/training/sft/checkpoint") as student:      # any free port, in a separate process
        student.base_url, student.model

For small models on one machine. vLLM, which reads the same checkpoints, serves large ones better.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distill.chat_server import ChatServer

__all__ = ["ServeError", "ServerProcess", "serve"]

MAX_TOKENS = 2048
"""Maximum number of tokens per reply; requests cannot raise it."""


class ServeError(RuntimeError):
    """The checkpoint could not be served."""


class ServerProcess:
    """A running server process. Close it, or use it as a context manager; it also ends when this process does."""

    def __init__(self, command: list[str], model: str) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if not line.startswith("http"):
            code = self._process.wait()
            self.close()
            raise ServeError(f"the policy's server did not start (exit code {code}); see its message above")
        self.base_url = line
        """Address for clients, ending in /v1."""
        self.model = model

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> int:
        """Wait for the process to end; returns its exit code.

        Raises:
            subprocess.TimeoutExpired: it is still running.
        """
        return self._process.wait(timeout_s)

    def close(self) -> None:
        """Stop serving. Closing twice is harmless."""
        process = self._process
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    checkpoint: str | Path, port: int = 0, *, name: str = "student", max_batch: int = 16, take_weights: bool = False
) -> ServerProcess:
    """Start the server in a separate process; port 0 uses any free port.

    Raises:
        ServeError: it did not start, because there is no such checkpoint or the port is in use.
    """
    command = [
        sys.executable,
        "-m",
        "train.serving",
        str(checkpoint),
        "--port",
        str(port),
        "--name",
        name,
        "--max-batch",
        str(max_batch),
        "--until-stdin-closes",
        *(["--take-weights"] if take_weights else []),
    ]
    return ServerProcess(command, name)


def run(
    checkpoint: str | Path,
    *,
    host: str,
    port: int,
    name: str,
    max_batch: int,
    take_weights: bool = False,
    until_stdin_closes: bool = False,
) -> int:
    """Serve until interrupted or terminated; prints the address once it is listening. Returns the exit code."""
    from distill.chat_server import ChatServer
    from train.policy.chat_tokens import CheckpointError
    from train.serving.batching import Batcher
    from train.serving.chat_completions import complete, control
    from train.serving.player import load_for_playing

    try:
        policy = load_for_playing(checkpoint)
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1

    def missing_frame(frame_id: str) -> bytes:
        raise KeyError(f"frame {frame_id} did not come with its request")

    with Batcher(policy, missing_frame, max_batch=max_batch) as batcher:
        try:
            card = {"id": name, "object": "model", "created": 0, "owned_by": "videozoomer"}
            extra_paths = (
                {"/collective_rpc": lambda body: control(body, batcher), "/reset_prefix_cache": lambda _: {}}
                if take_weights
                else {}
            )
            server = ChatServer(
                lambda body: complete(body, batcher, name, MAX_TOKENS), card, host=host, port=port, more=extra_paths
            )
        except OSError as error:
            print(f"error: cannot listen on {host}:{port}: {error.strerror}; choose another --port", file=sys.stderr)
            return 1
        _serve_until_stopped(server, until_stdin_closes=until_stdin_closes)
    return 0


def _serve_until_stopped(server: ChatServer, *, until_stdin_closes: bool) -> None:
    def wait_for_stdin() -> None:
        sys.stdin.read()
        server.shutdown()

    # shutdown() waits for the serving loop to end, which it cannot while a signal handler blocks the same thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    if until_stdin_closes:
        threading.Thread(target=wait_for_stdin, daemon=True).start()
    print(server.base_url, flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.serving", description="Serve a checkpoint over an OpenAI-compatible API."
    )
    parser.add_argument("checkpoint", help="folder or Hub name of a Qwen2.5-VL or Qwen3-VL")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 uses any free port (default: 8000)"
    )
    parser.add_argument("--name", default="student", help="model name in requests (default: student)")
    parser.add_argument("--max-batch", type=int, default=16, help="maximum number of requests per pass (default: 16)")
    parser.add_argument(
        "--take-weights",
        action="store_true",
        help="accept requests to load other weights from a folder, from anyone who can reach the port "
        "(POST /collective_rpc, as in vLLM's development mode)",
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input closes")
    given = parser.parse_args()
    return run(
        given.checkpoint,
        host=given.host,
        port=given.port,
        name=given.name,
        max_batch=given.max_batch,
        take_weights=given.take_weights,
        until_stdin_closes=given.until_stdin_closes,
    )
