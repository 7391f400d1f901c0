"""The tutorial and every other block marked `run: films` work, in the order of the pages, in one folder.

The films are ten generated ones and the teacher is the local one, on another port so that a demo can run beside it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from doc_pages import PAGES, ROOT, Block, blocks, name_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TUTORIAL = ROOT / "docs/tutorial.md"
DOCUMENTED_PORT = "8173"
NAME = "films"


@dataclass
class Place:
    """The folder in which a reader works through the pages."""

    folder: Path
    port: int
    servers: list[subprocess.Popen[bytes]]

    def do(self, block: Block) -> None:
        kind, _, name = block.mark.partition(": ")
        text = block.text.replace(DOCUMENTED_PORT, str(self.port))
        if kind == "file":
            (self.folder / name).write_text(text)
        elif kind == "run in background":
            self.servers.append(subprocess.Popen(["bash", "-c", f"exec {text}"], **self._options()))
            _wait_for(f"http://127.0.0.1:{self.port}/v1/models")
        else:
            program = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euc"]
            done = subprocess.run([*program, text], text=True, capture_output=True, check=False, **self._options())
            assert done.returncode == 0, f"{block.where}:\n{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    def _options(self) -> dict:
        binaries = Path(sys.executable).parent
        environment = os.environ | {
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.folder / "huggingface"),
        }
        return {"cwd": self.folder, "env": environment}


def _wait_for(address: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=2).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")


def _marked(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.mark.partition(": ")[2] == NAME or block.mark.startswith("file: ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    """A folder in which the tutorial was followed to its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Place(tmp_path_factory.mktemp("docs"), port, [])
    shutil.copytree(ROOT / "examples", found.folder / "examples")
    try:
        for block in _marked(TUTORIAL):
            found.do(block)
        yield found
    finally:
        for server in found.servers:
            server.terminate()
            server.wait(20)


def test_the_tutorial_ends_with_a_page_of_trajectories(place):
    page = (place.folder / "runs/my/report/trajectories.html").read_text(encoding="utf-8")
    assert "film-01.mp4" in page and len(list((place.folder / "films").glob("*.mp4"))) == 10
    assert (place.folder / "exports/my").is_dir()


OTHERS = [page for page in PAGES if page != TUTORIAL and _marked(page)]


@pytest.mark.parametrize("page", OTHERS, ids=name_of)
def test_blocks_run(place, page):
    for block in _marked(page):
        place.do(block)
