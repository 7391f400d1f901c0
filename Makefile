# make demo   set up, run everything on generated videos, print what came out and where
# make test   set up, run the test suite
# make help   all targets
PYTHON ?= python3
VENV   ?= .venv
# torch is not in the lock: the machine decides which build it needs. On a GPU machine: make demo TORCH=torch
TORCH  ?= torch==2.13.0
UV     := uv==0.13.9
BIN    := $(VENV)/bin
# Two workers by default, one a file, so that a file's fixtures are built once; WORKERS=0 runs the tests in one process.
WORKERS ?= 2
PYTEST  := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
READY  := $(VENV)/.ready
LATEST := .venv-latest
VLLM   ?= $(VENV)-vllm
LITELLM ?= $(VENV)-litellm
LOCK   := requirements/build.txt requirements/locked.txt

PIP_FLAGS := --quiet --disable-pip-version-check
# From the lock: exactly its files, and nothing that a file of it asks for beyond the lock.
LOCKED    := $(PIP_FLAGS) --no-deps --require-hashes --no-build-isolation

# Commas separate a benchmark's arguments.
BENCHES := distill,throughput distill,storm distill,cap video video_shots,--only,adaptive+threshold,content \
	training grpo_round grpo_against_trl,--prompts,2,--steps,3

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-browser test-edits test-servers servers test-latest proof proof-quick ui lint format \
	types docs docs-check wheel wheel-test check lock bench clean distclean

help: ## list all targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS="$$(printf '\t')" read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml Makefile $(LOCK) | $(VENV)/bin/python
	@echo "setting up $(VENV) from the lock (once, a few minutes)"
	@$(BIN)/python -m pip install $(LOCKED) -r requirements/build.txt
	@$(BIN)/python -m pip install $(LOCKED) -r requirements/locked.txt
	@$(BIN)/python -m pip install $(PIP_FLAGS) "$(TORCH)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	@touch $(READY)

install: $(READY) ## set up the virtual environment from the lock

demo: $(READY) ## run the full pipeline on generated videos, in minutes
	@$(BIN)/python -m examples.demo

ui: $(READY) ## open the Dagster UI on the demo's assets
	@$(BIN)/python -m examples.demo --ui

proof: $(READY) ## teach a tiny policy to zoom: three seeds, all stages, under an hour on 2 cores; resumes where it stopped
	@$(BIN)/python -m experiments.proof

proof-quick: $(READY) ## the same with one seed in a smaller world, in five minutes
	@$(BIN)/python -m experiments.proof --quick

test: $(READY) ## run the whole test suite
	@$(PYTEST)

test-fast: $(READY) ## run the tests that are not marked slow, in under two minutes
	@$(PYTEST) -m "not slow"

test-browser: $(READY) ## run the tests of `videozoomer view` in headless Chromium (apt-get install chromium)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-build-isolation -e ".[browser]"
	@VIDEOZOOMER_BROWSER=1 $(BIN)/python -m pytest tests/browser

test-edits: $(READY) ## run long random sequences of edits, each compared with a fresh home (an hour or more)
	@VIDEOZOOMER_LONG_EDITS=1 $(BIN)/python -m pytest tests/pipelines/test_edits.py

test-latest: ## run the suite with the newest releases that pyproject.toml allows, in an environment of its own
	@rm -rf $(LATEST)
	@$(PYTHON) -m venv $(LATEST)
	@$(LATEST)/bin/python -m pip install $(PIP_FLAGS) setuptools wheel "$(TORCH)"
	@$(LATEST)/bin/python -m pip install $(PIP_FLAGS) -e ".[train,dev]"
	@$(LATEST)/bin/python -m pip list --disable-pip-version-check
	@$(LATEST)/bin/python -m pytest -n $(WORKERS) --dist loadfile

servers: ## set up a real vLLM and a real LiteLLM, each in an environment of its own (4 GB, some minutes)
	@$(PYTHON) tests/servers/install.py vllm $(VLLM)
	@$(PYTHON) tests/servers/install.py litellm $(LITELLM)

test-servers: $(READY) servers ## play and train against real servers (a quarter of an hour on 2 cores)
	@VIDEOZOOMER_SERVERS=1 VIDEOZOOMER_VLLM=$(abspath $(VLLM)) VIDEOZOOMER_LITELLM=$(abspath $(LITELLM)) \
		$(BIN)/python -m pytest tests/servers

lint: $(READY) ## check style and format (ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY) ## fix style and format where ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(READY) ## check types (mypy)
	@$(BIN)/mypy

docs: $(READY) ## write the reference pages from the code and build the site (site/index.html)
	@$(BIN)/python -m docs.generate
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

docs-check: $(READY) ## fail if a generated page is stale or the site does not build
	@$(BIN)/python -m docs.generate --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir build/site

wheel: $(READY) ## build the wheel into dist/
	@$(BIN)/python -m pip wheel $(PIP_FLAGS) --no-deps --no-build-isolation --wheel-dir dist .

wheel-test: $(READY) ## build the wheel and use it in an empty environment beside PyTables
	@$(BIN)/python -m pytest tests/packaging/test_wheel.py

check: lint types docs-check wheel-test ## everything that CI checks before the suite

lock: ## resolve the lock anew: the newest releases that pyproject.toml allows (KEEP=1 changes only what it must)
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install $(PIP_FLAGS) $(UV)
	@VENV=$(VENV)-lock KEEP=$(KEEP) requirements/lock.sh

bench: $(READY) ## measure speed as ratios against named alternatives (a quarter of an hour; each file's head says how to measure more)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-build-isolation -e ".[bench]"
	@for what in $(BENCHES); do echo "== $$what"; $(BIN)/python -m benchmarks.$$(echo $$what | tr , ' ') || exit 1; done

clean: ## remove what runs and builds have written (not the environments)
	rm -rf runs dist build site .pytest_cache .ruff_cache .mypy_cache .hypothesis

distclean: clean ## remove the environments too
	rm -rf $(VENV) $(VENV)-lock $(VLLM) $(LITELLM) $(LATEST)
