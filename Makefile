# Kaibo. `make run` starts it, `make help` lists the rest.

PYTHON ?= python3
SOAK_MIN ?= 15
WORKERS ?= 2
PY := .venv/bin/python
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help run install dev test lint soak bench screens locks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@echo "Variables: PYTHON=python3.12  HOST=127.0.0.1  PORT=8000  KAIBO_DATA=var  SOAK_MIN=15  WORKERS=2"

run: install ## Install what is needed and serve everything on http://127.0.0.1:8000
	@exec $(PY) -m frontend.run

install:
	@tools/bootstrap.sh run

dev:
	@tools/bootstrap.sh dev

test: dev ## Run all tests (Chromium and OBS are installed by apt where that is allowed)
	@tools/system_parts.sh
	$(PY) -m pytest -m "not obs and not browser" --numprocesses=$(WORKERS) --dist=loadfile
	$(PY) -m pytest -m "obs or browser"

lint: dev ## Check style, types, the staircase of imports, both languages
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PY) -m frontend.catalogs

soak: dev ## Kill and restart everything for SOAK_MIN minutes, with fixed seeds
	SOAK_MIN=$(SOAK_MIN) $(PY) -m pytest tests/soak

bench: dev ## Measure reservations, day page, taps on a real OBS, start, bytes and memory (about 5 minutes, on a quiet machine)
	@tools/system_parts.sh
	$(PY) -m tests.bench

screens: dev ## Take pictures of every page into var/screens, with contact sheets under docs/screens
	@tools/system_parts.sh
	$(PY) tools/screens.py

locks: dev ## Pin all dependencies anew (hashes, no addresses)
	tools/lock.sh

clean: ## Remove what was installed; data in var/ stay
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
