"""Serve a checkpoint as an OpenAI-compatible server, so that a student plays as any teacher does.

    python -m train.serving CHECKPOINT --port 8000 --name student

    with serve("runs/demo/training/sft/checkpoint") as student:      # any free port, a process of its own
        student.base_url, student.model

For small models and one machine; a large one is served better by vLLM, which reads the same checkpoint.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import threading
from pathlib import Path

__all__ = ["ServeError", "ServerProcess", "serve"]

MOST_TOKENS = 2048
"""Most tokens of one reply, whatever a request asks for."""


class ServeError(RuntimeError):
    """The checkpoint could not be served."""


class ServerProcess:
    """A running server; close it, or use it in a `with`. It also ends when this process does, however that ends."""

    def __init__(self, command: list[str], model: str) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if not line.startswith("http"):
            code = self._process.wait()
            self.close()
            raise ServeError(f"the policy's server did not start (exit code {code}); its message is above")
        self.base_url = line
        """Address to give to a client, ending in /v1."""
        self.model = model

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
    """Start the server in a process of its own; port 0 takes any free one.

    Raises:
        ServeError: it did not start: no such checkpoint, or the port is taken.
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
    """Serve until interrupted or terminated; prints the address once it listens. Returns the exit code."""
    from distill.chat_server import ChatServer
    from train.policy.chat_tokens import CheckpointError
    from train.serving.batching import Batcher
    from train.serving.chat_completions import complete, control
    from train.serving.player import load_for_playing

    try:
        policy = load_for_playing(checkpoint)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 1

    def not_brought(frame_id: str) -> bytes:
        raise KeyError(f"frame {frame_id} did not come with its request")

    with Batcher(policy, not_brought, max_batch=max_batch) as batcher:
        try:
            card = {"id": name, "object": "model", "created": 0, "owned_by": "videozoomer"}
            more = (
                {"/collective_rpc": lambda body: control(body, batcher), "/reset_prefix_cache": lambda _: {}}
                if take_weights
                else {}
            )
            server = ChatServer(
                lambda body: complete(body, batcher, name, MOST_TOKENS), card, host=host, port=port, more=more
            )
        except OSError as error:
            print(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port", file=sys.stderr)
            return 1
        # shutdown() waits for the serving loop, which a signal handler of the same thread would keep from ending.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        if until_stdin_closes:
            threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
        print(server.base_url, flush=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.serving", description="Serve a checkpoint as an OpenAI-compatible server."
    )
    parser.add_argument("checkpoint", help="folder or hub name of a Qwen2.5-VL or Qwen3-VL")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 takes any free one (default: 8000)"
    )
    parser.add_argument("--name", default="student", help="model name that clients give (default: student)")
    parser.add_argument("--max-batch", type=int, default=16, help="most requests answered by one pass (default: 16)")
    parser.add_argument(
        "--take-weights",
        action="store_true",
        help="let whoever reaches the port have other weights loaded from a folder (POST /collective_rpc, as vLLM's development mode does)",
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
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
