# Denizen: everything a newcomer or a contributor runs. `make` alone lists it.
# Needs git, make and Python >= 3.11; whatever else is needed comes from the two hash-locked requirement files.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first Python that is new enough; `make PYTHON=/path/to/python3.13 install` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

VENV := .venv
BIN := $(VENV)/bin
# Wheels only: building a source package would fetch build tools that no hash guards.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PIP_LOCKED := $(PIP) install --only-binary=:all: --require-hashes
LOCK := $(BIN)/uv --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --extra sandbox --extra redis --group build
CODE := idp consent admin keys tests
# Besides English, which stands in the source.
LANGUAGES := fr
# Half the tests wait for Chromium or PostgreSQL, yet one worker a core is still the fastest on small machines.
WORKERS ?= auto

.PHONY: help install demo dev system interop test check format argon2 bench fuzz lock messages clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## the environment in .venv, with the denizen command
	@echo "Denizen is installed: $(BIN)/denizen"

demo: install ## the sample town Riverton, served on this machine
	@exec $(BIN)/denizen demo

test: check system interop ## everything: check, then all tests on SQLite and PostgreSQL
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal $(PYTEST_ARGS)

check: dev ## formatting, lint, types and import contracts, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/lint-imports --no-logo --no-cache --config tests/house/contracts.toml

format: dev ## put the code into its one format and mend what can be mended
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

# The published wheel is built for every x86-64; with AVX2 one password check costs half (docs/operators.md).
argon2: install ## password checks at half the cost: build the Argon2 library for this processor (needs a C compiler)
	CFLAGS="-O3 -march=native" $(PIP) install --force-reinstall --no-deps --no-cache-dir \
		--no-binary argon2-cffi-bindings "$$($(BIN)/python -m pip freeze | grep '^argon2-cffi-bindings==')"

bench: dev ## the workloads, beside node-oidc-provider where npm is there
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

FUZZ_SECONDS ?= 60
fuzz: dev ## whatever reads what strangers send, FUZZ_SECONDS each; FUZZ_ARGS="jose-text" for one
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_ARGS)

lock: dev ## both requirement files anew; LOCK_ARGS=--upgrade takes newer versions
	$(LOCK) $(LOCK_ARGS) pyproject.toml --output-file requirements.txt
	$(LOCK) $(LOCK_ARGS) --group dev --constraint requirements.txt pyproject.toml --output-file requirements-dev.txt

messages: dev ## collect the strings of all packages and update every language
	@mkdir -p .cache
	$(BIN)/pybabel --quiet extract --mapping=pyproject.toml --no-location --sort-output --no-wrap --keyword=_l \
		--project=Denizen --output-file=.cache/messages.pot idp consent admin
	for language in $(LANGUAGES); do $(BIN)/pybabel --quiet update --locale=$$language --init-missing --no-wrap \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
		--input-file=.cache/messages.pot --output-dir=idp/locale || exit; done
	$(BIN)/pybabel compile --directory=idp/locale --statistics

clean: ## remove what can be made again; the demo's data stays
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	rm -rf tests/interop/node_modules tests/bench/node_modules
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the commands above stand on ---

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Denizen needs Python 3.11 or newer, and none was found in PATH." >&2; \
		echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3 install" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Denizen needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@"$(PYTHON)" -m venv --clear $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Denizen needs"
	@$(PIP_LOCKED) --requirement requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing what the tests need"
	@$(PIP_LOCKED) --requirement requirements-dev.txt
	@touch $@

dev: $(VENV)/.installed-dev

system:
	@tests/support/system.sh

interop:
	@tests/support/npm.sh tests/interop
	@tests/support/go.sh
	@tests/support/java.sh
