"""The lock has a release for all that pyproject.toml asks for, within its range, on every Python that we support."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("build.txt", "locked.txt", "wheel.txt")
NOT_LOCKED = {"torch"}
"""The Makefile's TORCH chooses its build, with the CUDA libraries that the build needs."""
PYTHONS = ("3.11", "3.12", "3.13")


def entries(lock: str) -> list[str]:
    """Each release with its hashes, as pip reads it: comments gone, continued lines joined."""
    lines = (
        line for line in (ROOT / "requirements" / lock).read_text().splitlines() if not line.strip().startswith("#")
    )
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def pinned(lock: str, python: str) -> dict[str, str]:
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    requirements = [Requirement(entry.split("--hash")[0]) for entry in entries(lock)]
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }


def asked(extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What the project asks for with these extras, and with the extras that those name in turn."""
    project = PROJECT["project"]
    for text in [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            yield from asked(tuple(requirement.extras))
        else:
            yield requirement


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("lock", "extras"), [("locked.txt", ("train", "dev")), ("wheel.txt", ())])
def test_lock_has_what_the_project_asks_for(lock, extras, python):
    versions = pinned(lock, python)
    for requirement in asked(extras):
        name = canonicalize_name(requirement.name)
        if name not in NOT_LOCKED:
            assert name in versions, f"{name} is not in requirements/{lock}: run `make lock KEEP=1`"
            assert versions[name] in requirement.specifier, f"{requirement}: run `make lock KEEP=1`"


@pytest.mark.parametrize("python", PYTHONS)
def test_all_locks_agree_on_a_version(python):
    locked = pinned("locked.txt", python)
    for lock in ("build.txt", "wheel.txt"):
        others = pinned(lock, python)
        assert {name: others[name] for name in others.keys() & locked.keys()} == {
            name: locked[name] for name in others.keys() & locked.keys()
        }


def test_lock_has_the_build_backend():
    backends = {canonicalize_name(Requirement(text).name) for text in PROJECT["build-system"]["requires"]}
    assert backends <= pinned("build.txt", "3.11").keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_release_has_hashes_and_nobody_has_an_address(lock):
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries(lock))
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|/opt/", text)


def test_torch_and_cuda_are_left_to_the_machine():
    names = pinned("locked.txt", "3.11")
    assert not [name for name in names if name in NOT_LOCKED or name.startswith(("nvidia-", "cuda-", "triton"))]
