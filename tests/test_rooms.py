"""The house keeps its order: a room imports only rooms above it, and importing one is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = [
    "recipes", "tables", "sources", "video", "zoom", "distill", "filters", "shards", "train", "eval", "viewer",
    "assets", "pipelines", "samples",
]


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found & set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_above_it(room):
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    files = list((ROOT / room).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): sorted(imports_of(path) - allowed) for path in files if imports_of(path) - allowed}
    assert not wrong


@pytest.mark.parametrize("module", ["pipelines.build", "pipelines.cli"])
def test_the_code_location_loads_nothing_heavy(module):
    script = f"import sys, {module}; print(sorted(m for m in ('torch', 'transformers', 'deepspeed', 'cv2', 'av', 'scenedetect', 'altair', 'openai') if m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"
