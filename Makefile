# Each target sets up its own environment in .venv when it is missing.
PYTHON ?= python3
DATA ?=
ARGS ?=
bin := .venv/bin

.PHONY: demo test test-slow test-oldest lint tables docs clean

demo: .venv/installed  ## train on snapshots and compare; DATA=folder for your own, ARGS=--help
	$(bin)/python examples/plot_quickstart.py $(DATA) $(ARGS)

test: .venv/installed
	$(bin)/python -m pytest -n 2

test-slow: .venv/installed
	$(bin)/python -m pytest -m slow

lint: .venv/installed
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/codespell

tables: .venv/installed  ## the tables and figures of README and docs, from benchmarks/results
	$(bin)/python benchmarks/make_tables.py

docs: .venv/installed  ## HTML in docs/_build
	$(bin)/python -m sphinx -W -b html docs docs/_build

test-oldest: .venv-oldest/installed  ## the oldest supported dependencies
	.venv-oldest/bin/python -m pytest -n 2

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(bin)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

.venv-oldest/installed: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet -c constraints-oldest.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv .venv-oldest docs/_build docs/generated
