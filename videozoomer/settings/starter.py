"""The recipe that `videozoomer init` writes: what a first run needs, in some thirty lines that teach."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

STARTER = """\
# A VideoZoomer recipe: from your films and questions to verified zoom trajectories.
#   videozoomer check -r {file}    what would stop a run, each with its remedy
#   videozoomer run -r {file}      everything; run it again, and only what is stale is redone
# Paths are relative to this file. ${{NAME}} and ${{NAME:-default}} are replaced from the environment.
# These are a few of the settings; `videozoomer init --full all.yaml` writes all, each with its meaning and default.
name: {name}
home: {home}  # everything that a run makes: tables, data sets, the report, and each reply that was paid for

sources:
  - name: films
    videos: {videos}  # a folder, a glob, a file, an archive, a .txt list of paths, or a URL (s3://...)
    questions: {questions}  # .jsonl, .json, .csv or .parquet: video, question, answer; options, evidence, ...
    # columns: {{question: problem}}  # for a column whose name `videozoomer sources check` does not know
  # Questions on other films, to measure with and never to train on:
  # - {{name: held_out, videos: test/, questions: test.jsonl, split: evaluation}}

# The vision model that plays the questions, behind any server that speaks OpenAI's chat API: vLLM, Gemini, OpenAI, ...
teacher:
  base_url: {server}
{model}{key}  # concurrency: 16  # calls at once
  # prices: {{input_per_million: 1.25, output_per_million: 10}}  # US dollars, for estimates and the budget

distill:
  samples: {samples}  # times that each question is played: more tell better how hard it is, and cost more
  # budget_usd: 20  # the run stops before it would spend more

# filters: {{evidence: {{}}}}  # ask whether the zoomed frames carry each right answer: fewer guesses, more calls

# Without a policy a run ends with data sets and a report. To train on them too: pip install 'videozoomer[train]', and
# policy: {{checkpoint: Qwen/Qwen2.5-VL-7B-Instruct}}
"""
DEFAULT_NAME = "my-run"


@dataclass(frozen=True)
class Start:
    """What a user may give to `videozoomer init`."""

    name: str = DEFAULT_NAME
    home: str | None = None
    """None: runs/NAME."""
    videos: str = "videos/"
    questions: str = "questions.jsonl"
    server: str = "http://127.0.0.1:8000/v1"
    model: str | None = None
    key_env: str | None = None
    samples: int = 4

    @property
    def folder(self) -> str:
        return self.home or f"runs/{self.name}"


def starter(start: Start, file: str) -> str:
    """The text of a recipe named `file`."""
    model = "  # model: NAME  # default: the first that the server lists\n"
    key = "  # api_key_env: MY_KEY  # the NAME of the environment variable with the key, never the key itself\n"
    return STARTER.format(
        file=file,
        name=start.name,
        home=quoted(start.folder),
        videos=quoted(start.videos),
        questions=quoted(start.questions),
        server=quoted(start.server),
        model=f"  model: {quoted(start.model)}\n" if start.model else model,
        key=f"  api_key_env: {quoted(start.key_env)}\n" if start.key_env else key,
        samples=start.samples,
    )


def quoted(value: object) -> str:
    """A value as YAML on one line, with quotes only where it needs them."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def name_from(path: Path) -> str:
    """A run's name from its recipe's file name; `recipe.yaml` says nothing, so it gives the default."""
    name = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_")
    return DEFAULT_NAME if name in ("", "recipe") else name
