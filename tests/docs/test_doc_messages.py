"""Every message that the troubleshooting page explains is one that the code prints."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from doc_pages import ROOT

PAGE = ROOT / "docs/troubleshooting.md"
ROOMS = ("videozoomer", "distill", "filters", "train", "eval", "assets", "pipelines", "examples")
HEADINGS = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.M)


@cache
def templates() -> tuple[str, ...]:
    """Every text of the code, with … for each value put into it."""
    found = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Constant(value=str(text)):
                        found.append(text)
                    case ast.JoinedStr(values=parts):
                        found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in parts))
    return tuple(" ".join(text.split()) for text in found)


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_message_is_in_the_code(heading):
    wanted = heading.strip().removeprefix("… ")
    pattern = re.compile(".*?".join(re.escape(part.strip()) for part in wanted.split("…")))
    assert any(pattern.search(text) for text in templates()), f"no message of the code reads {heading!r}"


def test_an_invented_message_is_noticed():
    assert not any("the video is upside down" in text for text in templates())
