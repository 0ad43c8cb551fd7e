# Everything runs in .venv, which the first target builds with the versions of constraints.txt.
PYTHON ?= python3
DEMO_ARGS ?=
TEST_ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check docs clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

demo: $(INSTALLED)  ## train, evaluate and report on the emoji world; DEMO_ARGS="--seed 1" adds options
	$(BIN)/weclip demo --out runs/demo $(if $(wildcard runs/demo),--overwrite) $(DEMO_ARGS)

test: $(INSTALLED)  ## all tests and docstring examples; TEST_ARGS="tests/data -x" narrows them
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

test-long: $(INSTALLED)  ## the tests that take minutes each: many kills, fuzzing
	@$(BIN)/python -m pytest -m long --numprocesses 2 --dist worksteal $(TEST_ARGS)

check: $(INSTALLED)  ## lint, format, types and the layout rules of the repository
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layout.py tests/test_doors.py tests/test_repository.py

docs: $(INSTALLED)  ## the documentation site, strict, into site/; search needs a server: python -m http.server -d site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove .venv, caches and site/; runs/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first and alone: whichever build of the pinned version it finds, the rest accepts it.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "weclip needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (once; some minutes where torch is downloaded)"
	@$(PIP) install -c constraints.txt torch
	@$(PIP) install -c constraints.txt -e ".[dev,docs]"
	@touch $@
