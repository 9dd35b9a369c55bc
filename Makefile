# Nadi. `make` alone lists what there is.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(PATH):$(CURDIR)/$(BIN)

.DEFAULT_GOAL := help
.PHONY: help setup assets demo test check fmt bench lock messages docs

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## install all that is needed, system packages included; costs little when nothing changed
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Nadi needs Python 3.11 or newer: make PYTHON=...")'
	@$(PYTHON) packaging/setup.py

assets: setup ## build the stylesheet, the script and the catalogues again
	@$(PYTHON) packaging/setup.py assets

demo: setup ## run a clinic and the cloud on this machine (ARGS=--once: show it and stop)
	@$(BIN)/python packaging/demo.py $(ARGS)

test: setup ## run the tests with coverage (ARGS: pytest's)
	@$(BIN)/python packaging/run_tests.py $(ARGS)

check: setup ## format, lint, types, import directions, docs, translations, locks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@$(BIN)/python packaging/check_docs.py
	@$(BIN)/python packaging/catalogue.py check
	@$(BIN)/python packaging/setup.py check
	@$(BIN)/python packaging/check_hosts.py

fmt: setup ## format the code and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

messages: setup ## take new texts into the catalogues, then name those without a translation
	@$(BIN)/python packaging/catalogue.py update

docs: setup ## write the generated parts of the documentation again
	@$(BIN)/python packaging/check_docs.py --write

bench: setup ## measure (ARGS: what)
	@$(BIN)/python tests/bench/run.py $(ARGS)

lock: setup ## resolve the locked versions again
	@$(PYTHON) packaging/setup.py lock
