# make demo   set up, run everything on generated videos, print what came out and where
# make test   set up, run the test suite
# make ui     the Dagster UI on the demo's assets
PYTHON ?= python3
VENV   ?= .venv
# Any torch of pyproject's range will do. On a GPU machine: make demo TORCH=torch
TORCH  ?= torch==2.13.0
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Commas stand for spaces.
BENCHES := distill,throughput distill,storm distill,cap video video_shots,--only,adaptive+threshold,content \
	training grpo_round grpo_against_trl,--prompts,2,--steps,3

.DEFAULT_GOAL := help
.PHONY: help install demo test proof proof-quick ui lint types bench docs docs-check clean

help: ## say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

$(READY): pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make demo PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV) (once, a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check wheel "$(TORCH)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e ".[train,dev]"
	@touch $(READY)

install: $(READY) ## set up the virtual environment

demo: $(READY) ## the whole way on generated videos, in minutes
	@$(BIN)/python -m examples.demo

test: $(READY) ## the test suite
	@$(BIN)/python -m pytest

proof: $(READY) ## a tiny policy learns to zoom: three seeds, all stages (within an hour on 2 cores; goes on where it was stopped)
	@$(BIN)/python -m experiments.proof

proof-quick: $(READY) ## the same with one seed in a smaller world: the direction, in five minutes
	@$(BIN)/python -m experiments.proof --quick

ui: $(READY) ## the Dagster UI on the demo's assets
	@$(BIN)/python -m examples.demo --ui

lint: $(READY) ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## mypy over all rooms
	@$(BIN)/mypy

bench: $(READY) ## speed, as ratios against named alternatives (a quarter of an hour; each file's head says how to measure more)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e ".[bench]"
	@for what in $(BENCHES); do echo "== $$what"; $(BIN)/python -m benchmarks.$$(echo $$what | tr , ' ') || exit 1; done

docs: $(READY) ## write the reference pages from the code and build the site (site/index.html)
	@$(BIN)/python -m videozoomer.lake.typed_rows videozoomer/lake/rows.py
	@$(BIN)/python -m videozoomer.shards.typed_rows videozoomer/shards/rows.py
	@$(BIN)/python -m docs.generate
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

docs-check: $(READY) ## fail if a generated page is stale or the site does not build
	@$(BIN)/python -m docs.generate --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir $$(mktemp -d)

clean: ## remove what runs have written (not the environment)
	rm -rf runs
