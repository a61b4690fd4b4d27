# Each target makes what it needs: on a fresh machine `make demo` alone and `make test` alone work.
# Another interpreter: make PYTHON=python3.12 test.   Fewer or more tests: make test TESTS=tests/core TESTFLAGS='-n 2'

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?=
TESTFLAGS ?=
# A share of the fault campaigns: 1.0 is the whole, CI runs a tenth (tests/conftest.py knows).
SOAK ?= 1.0

# Compositions that must type-check; those that must not are judged by tests/house/test_typing.py.
TYPING := $(filter-out %/must_fail.py,$(wildcard tests/typing/*.py))

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
# Two targets must not install into one environment at the same time.
.NOTPARALLEL:
.PHONY: help demo test check bench soak docs wheel clean

help:  ## say what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 14

demo: $(VENV)/.run  ## simulate a scan, find its axis, reconstruct it, compare with the truth
	@$(BIN)/lightwell demo

test: $(VENV)/.test  ## every test and every doctest, with a small share of the soak
	@$(BIN)/python -m pytest $(TESTFLAGS) $(TESTS)

check: $(VENV)/.check  ## style, types, layers, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(if $(TYPING),$(BIN)/mypy $(TYPING))
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

soak: $(VENV)/.test  ## the long fault campaigns alone (hours; SOAK=0.1 for a tenth)
	@LIGHTWELL_SOAK=$(SOAK) $(BIN)/python -m pytest -m soak $(TESTFLAGS) $(TESTS)

bench: $(VENV)/.bench  ## every benchmark, one after another, alone on the machine
	@set -e; found=; for file in benchmarks/*.py; do \
	  if [ -e "$$file" ]; then found=yes; echo "== $$file"; $(BIN)/python "$$file"; fi; \
	done; [ "$$found" ] || echo "no benchmark yet: see benchmarks/README.md"

docs: $(VENV)/.test  ## links and code examples of README and docs
	@$(BIN)/python -m pytest tests/house/test_links.py $(wildcard tests/docs)

wheel: $(VENV)/.test  ## dist/lightwell-….whl
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean:  ## remove all that make made, the virtual environment too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find core plugins backends tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: made once, completed when pyproject.toml changes, also where somebody made it by hand ---

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: no '$(PYTHON)' here; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: lightwell needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Order-only: an interpreter is often a link to a file older or newer than anything here.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "installing lightwell into $(VENV)"
	@$(PIP) --editable . && touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing lightwell and what its tests need into $(VENV)"
	@$(PIP) --editable '.[test]' && touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	@$(PIP) --editable '.[test,bench]' && touch $@ $(VENV)/.test $(VENV)/.run

$(VENV)/.check: pyproject.toml | $(BIN)/python
	@echo "installing lightwell, its tests and its checks into $(VENV)"
	@$(PIP) --editable '.[test,check]' && touch $@ $(VENV)/.test $(VENV)/.run
