"""Every file and module that the written pages name exists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_pages import GENERATED, PAGES, ROOT, blocks, name_of, spans

ROOMS = (
    *("videozoomer", "distill", "filters", "train", "eval", "assets", "pipelines", "recipes"),
    *("examples", "experiments", "benchmarks", "tests", "docs"),
)
_PATH = re.compile(rf"(?:{'|'.join(ROOMS)})/[\w./*-]*")
_FILE = re.compile(r"[\w.-]+\.(?:py|sql|toml|css|js|html|md|yml)")
_MODULE = re.compile(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+(?:\(.*\))?")
WRITTEN = [page for page in PAGES if not name_of(page).startswith(GENERATED)]


def _paths(page: Path) -> Iterator[str]:
    for span in spans(page):
        for word in re.split(r"[\s,;:]+", span):
            if _PATH.fullmatch(word) and "..." not in word:
                yield word


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_paths_exist(page):
    missing = [path for path in _paths(page) if not any(ROOT.glob(path.rstrip("/")))]
    assert missing == [], f"{name_of(page)} names files that do not exist"


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_a_file_is_named_with_its_folder(page):
    """A bare `rewards.py` cannot be found by a reader nor checked by the test above."""
    near = set() if page.parent == ROOT else {path.name for path in page.parent.rglob("*")}
    written = {block.mark.removeprefix("file: ") for block in blocks(page)}
    known = ALLOWED | near | written | {path.name for path in ROOT.iterdir()}
    bare = [span for span in spans(page) if _FILE.fullmatch(span) and span not in known]
    assert bare == [], f"{name_of(page)} names files without their folder"


ALLOWED = {"README.md", "index.html", "report.html", "trajectories.html", "my_rule.sql"}
"""Files that runs write or users bring."""


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_modules_and_names_exist(page):
    missing = [span for span in spans(page) if _MODULE.fullmatch(span) and not path_exists(span.split("(")[0])]
    assert missing == [], f"{name_of(page)} names modules or attributes that do not exist"


def path_exists(dotted: str) -> bool:
    """Whether a dotted name is a module, something in one, a setting of a recipe, or a file."""
    parts = dotted.split(".")
    if (ROOT / dotted).exists() or _is_setting(parts):
        return True
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def _is_setting(parts: list[str]) -> bool:
    """`distill.samples` is a setting although `distill` is a room too."""
    from docs.generate.settings import setting_names

    return ".".join(parts) in setting_names()


def test_a_wrong_name_is_noticed():
    assert not path_exists("distill.nothing") and not path_exists("videozoomer.video.reader.Nothing")
    assert path_exists("distill.samples") and path_exists("videozoomer.video.reader.ReaderPool")
