"""Reading the written pages: their code blocks with the mark above each, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "examples/README.md",
    ]
)
GENERATED = "docs/reference/"
SHELL = ("sh", "bash", "shell", "console")

_BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<mark>[^\n]*?) -->\n)?"
    r"^(?P<pad>[ ]*)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=pad)```[ ]*$",
    re.M | re.S,
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    page: str
    """Path from the root."""
    line: int
    language: str
    text: str
    mark: str
    """The comment right above it: `run: NAME`, `run in background: NAME`, `file: NAME`, `not run: why`, or none."""

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        pad = len(match["pad"])
        body = "".join(line[pad:] if line.strip() else line for line in match["text"].splitlines(keepends=True))
        line = text.count("\n", 0, match.start("language")) + 1
        found.append(Block(name_of(page), line, match["language"], body, match["mark"] or ""))
    return found


def spans(page: Path) -> Iterator[str]:
    """Inline code of a page, code blocks left out."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for match in _SPAN.finditer(text):
        yield match[1].replace("\\|", "|")


def commands(shell: str) -> list[list[str]]:
    """The commands of a shell block as lists of words: comments and variables set in front of a command are dropped."""
    lines = shell.replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return [_without_variables(words) for words in found if words]


def _without_variables(words: list[str]) -> list[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words
