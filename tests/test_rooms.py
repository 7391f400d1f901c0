"""Imports follow the order of the rooms, and importing a room is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS: list[set[str]] = [
    {"videozoomer"},
    {"distill", "filters"},
    {"train", "eval"},
    {"assets"},
    {"pipelines"},
    {"examples"},
    {"experiments"},
    {"benchmarks"},
]
"""From bottom to top: a room imports from its own layer or a lower one."""

LIBRARY: list[set[str]] = [
    {"videozoomer.settings", "videozoomer.lake", "videozoomer.protocol", "videozoomer.places"},
    {"videozoomer.sources", "videozoomer.video", "videozoomer.shards", "videozoomer.reviews"},
]
"""The same inside the library."""

INSIDE: dict[str, list[str]] = {
    "distill": ["distill.storage", "distill.client", "distill"],
    "train": ["train.policy", "train.run", "train.sft", "train.serving", "train.rl"],
}
"""Rooms of rooms: each part imports only parts before it."""


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str, rooms: list[str]) -> str | None:
    """The innermost of the rooms that holds a module."""
    holding = [room for room in rooms if module == room or module.startswith(room + ".")]
    return max(holding, key=len, default=None)


def files_of(room: str) -> list[Path]:
    files = list((ROOT / room.replace(".", "/")).rglob("*.py"))
    assert files, room
    return files


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def runs_up(room: str, order: list[str], allowed: set[str]) -> dict[str, list[str]]:
    """For each file of a room, the rooms of the order that it imports although they are not allowed."""
    wrong = {}
    for path in files_of(room):
        if room_of(module_of(path), order) != room:
            continue
        reached = {found for name in imports_of(path) if (found := room_of(name, order))}
        if reached - allowed:
            wrong[str(path.relative_to(ROOT))] = sorted(reached - allowed)
    return wrong


@pytest.mark.parametrize("layers", [LAYERS, LIBRARY], ids=["rooms", "library"])
def test_no_import_runs_up(layers):
    order = [room for layer in layers for room in sorted(layer)]
    below: set[str] = set()
    for layer in layers:
        below |= layer
        for room in layer:
            assert not runs_up(room, order, below)


@pytest.mark.parametrize("room", INSIDE)
def test_parts_of_a_room_import_only_parts_before_them(room):
    order = INSIDE[room]
    for index, part in enumerate(order):
        assert not runs_up(part, order, set(order[: index + 1]))


def modules_imported_by(path: Path, ours: set[str]) -> set[str]:
    """Our modules that a file imports, inside functions and for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & ours) or {node.module}
    return (found & ours) - {module_of(path)}


def test_no_modules_import_one_another_in_a_circle():
    paths = {module_of(path): path for layer in LAYERS for room in layer for path in files_of(room)}
    imports = {module: modules_imported_by(path, set(paths)) for module, path in paths.items()}
    while leaves := {module for module, others in imports.items() if not others}:
        imports = {module: others - leaves for module, others in imports.items() if module not in leaves}
    assert not imports, "these modules import one another, directly or through each other"


@pytest.mark.parametrize("module", ["pipelines.build", "pipelines.cli"])
def test_the_code_location_loads_nothing_heavy(module):
    heavy = ("torch", "transformers", "deepspeed", "cv2", "av", "scenedetect", "altair", "openai")
    script = f"import sys, {module}; print(sorted(m for m in {heavy} if m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"
