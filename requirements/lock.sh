#!/usr/bin/env bash
# Writes the lock: every release that the suite needs, with the hashes of all its files and without addresses.
# `make lock` calls this with VENV, an environment that has uv, and KEEP, which keeps the versions locked so far.
set -euo pipefail
cd "$(dirname "$0")/.."
upgrade=--upgrade
[ -z "${KEEP:-}" ] || upgrade=
compile() {
    "$VENV/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $upgrade "$@"
}
compile requirements/build.in --output-file requirements/build.txt
compile pyproject.toml requirements/build.in requirements/torch.in --extra train --extra dev \
    --constraints requirements/build.txt --overrides requirements/without-torch.txt \
    --output-file requirements/locked.txt
# The base installation alone, with PyTables beside it, at the same versions.
compile pyproject.toml requirements/wheel.in --constraints requirements/locked.txt \
    --output-file requirements/wheel.txt
