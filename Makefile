# `make` lists what there is. Everything runs in .venv, which is made and kept up to date on the way.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Stages are `python -m ...`: the environment's python must be the first that they find.
IN := PATH="$(CURDIR)/$(BIN):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help install demo test storm mutants lint types check bench clean

help:  ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## Make or update the environment .venv

demo: install  ## Run the recipe (as shipped: on generated pictures) and print the ladder
	@$(IN) wsss run
	@$(IN) wsss ladder

test: install  ## Run the tests
	@$(IN) pytest -q -m "not storm" -n 4 --dist loadscope --no-loadscope-reorder

storm: install  ## Run what `make test` leaves out: kills and full disks at every point drawn, S3
	@$(IN) pytest -q -m storm -n 3 --dist loadscope --no-loadscope-reorder

mutants: install  ## Break every formula once and see a test fail (minutes; not in CI)
	@$(IN) python tests/mutants.py

lint: install  ## Check style and format, of the Dockerfile too
	@$(IN) ruff check .
	@$(IN) ruff format --check .
	@$(IN) hadolint deploy/Dockerfile

types: install  ## Check types with mypy
	@$(IN) mypy

check: lint types  ## lint, then types

bench: install  ## Run the benchmarks; results are CSV files in benchmarks/
	@for file in benchmarks/[a-z]*.py; do $(IN) python -m "$$(echo $${file%.py} | tr / .)" || exit 1; done

clean:  ## Remove the environment, unfinished work and tool caches; data, DVC's cache and the times of runs stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info
	test ! -d .scratch || find .scratch -mindepth 1 -maxdepth 1 -not -name ledger.jsonl -exec rm -rf {} +
	find . -name __pycache__ -not -path './.dvc/*' -prune -exec rm -rf {} +

# torch goes first, so that a CPU build is taken where the configured index offers one.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v git >/dev/null || { echo "error: git is missing; DVC needs it" >&2; exit 1; }
	@command -v $${CXX:-g++} >/dev/null || { echo "error: g++ is missing; pydensecrf2 is compiled" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is missing or older than 3.11; try: make PYTHON=python3.12" >&2; exit 1; }
	@echo "installing into $(VENV); this takes a few minutes, once"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -c constraints.txt torch
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	@touch $@
