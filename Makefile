# Every target does the set-up it needs; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# More for the program behind a target: make test ARGS="-k rounding", make bench ARGS="--help".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test cases impact mutants lint bench dev down clean

help: ## this list
	@echo "make <target>:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## the virtual environment with all packages, in .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Try: make PYTHON=python3.12"; \
		exit 1; }
	@echo "==> Virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python cannot make one. On Debian and Ubuntu: apt-get install python3-venv"; \
		exit 1; }
	@echo "==> Installing packages, once (about a minute)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
		-c constraints.txt -e '.[dev]' > $(VENV)/install.log 2>&1 & pid=$$!; \
	while kill -0 $$pid 2> /dev/null; do \
		if [ -t 1 ]; then \
			printf '\r    %s packages' "$$(grep -c '^Collecting' $(VENV)/install.log)"; \
		fi; \
		sleep 1; \
	done; \
	if [ -t 1 ]; then printf '\n'; fi; \
	wait $$pid || { tail -n 20 $(VENV)/install.log; \
		echo "The packages could not be installed; all of it: $(VENV)/install.log"; exit 1; }
	@touch $@

demo: setup ## a demo month from files to draft invoices
	@$(BIN)/ratehouse demo $(ARGS)

test: lint ## lint, then all tests
	@echo "==> Tests"
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		$(ARGS)

cases: setup ## worked cases through the models: make cases FILE=cases.csv
	@test -n "$(FILE)" || { echo "Which file? make cases FILE=path.csv"; exit 2; }
	@$(BIN)/python -m tests.cases "$(FILE)" $(ARGS)

impact: setup ## what the working tree would change about a month: make impact ARGS="2026-10"
	@$(BIN)/ratehouse shadow $(ARGS)

mutants: setup ## break the code in one place at a time: who notices?
	@$(BIN)/python -m tests.mutation $(ARGS)

lint: setup ## ruff and sqlfluff
	@$(BIN)/python -m tests.lint

bench: setup ## measure: one table of ratios
	@$(BIN)/python -m benchmarks $(ARGS)

dev: setup ## database and Dagster's user interface on 127.0.0.1
	@$(BIN)/ratehouse dev $(ARGS)

down: setup ## stop the embedded database
	@$(BIN)/ratehouse down

clean: ## stop and ERASE the embedded database in .ratehouse, remove build files and caches
	@if [ -d .ratehouse ]; then \
		$(MAKE) --no-print-directory setup && \
		RATEHOUSE_HOME= $(BIN)/ratehouse down --erase --yes && \
		rm -rf .ratehouse; \
	fi
	@rm -rf dbt_project/target dbt_project/logs logs build ratehouse.egg-info
	@rm -rf .pytest_cache .hypothesis .ruff_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
