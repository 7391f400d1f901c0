"""`videozoomer serve`: a trained checkpoint as an OpenAI-compatible server."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.output import stop


def serve(
    checkpoint: Annotated[str, typer.Argument(help="Folder or hub name of a Qwen2.5-VL or Qwen3-VL checkpoint.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8000,
    name: Annotated[str, typer.Option(help="Model name that clients send.")] = "student",
    max_batch: Annotated[int, typer.Option(help="Maximum requests answered in one forward pass.")] = 16,
    take_weights: Annotated[
        bool,
        typer.Option(
            help="Let any client that reaches the port load other weights, as training with `rl.engine: server` does."
        ),
    ] = False,
) -> None:
    """Serve a checkpoint at /v1/chat/completions and /v1/models, for players, evaluation and students.

    Examples:

    - `videozoomer serve runs/demo/training/sft/checkpoint --port 8000 --name student`
    - `videozoomer ledger probe http://127.0.0.1:8000/v1` - in another terminal: see what it can do
    """
    from importlib.util import find_spec

    if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
        raise stop(f"serving a checkpoint needs {' and '.join(missing)}; run `pip install 'videozoomer[train]'`")
    from train.serving.server import run

    raise typer.Exit(run(checkpoint, host=host, port=port, name=name, max_batch=max_batch, take_weights=take_weights))
