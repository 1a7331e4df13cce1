# Everything runs inside .venv; each target installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RECIPE ?= quickstart-ner
CONSTRAINTS ?= constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-slow test-faults test-oldest test-newest lint types bench bench-prepare bench-scoring bench-strategies bench-curves bench-rank bench-scaling bench-serving docs site journey clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## create .venv and install the project for development

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@

quickstart: setup  ## fine-tune on the embedded data and print the report
	$(BIN)/nlpt finetune --recipe $(RECIPE) --fresh

test: setup  ## the fast tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-slow: setup  ## the slow tests too
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'slow or not slow'

test-faults: setup  ## kill runs at every moment and see how they go on
	$(BIN)/python -m tests.faults.kills $(ARGS)

test-oldest:  ## quickstart and fast tests with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip uv
	$(VENV)-oldest/bin/uv pip compile --quiet --resolution lowest-direct --extra dev \
	  --python $(VENV)-oldest/bin/python pyproject.toml -o $(VENV)-oldest/constraints.txt
	$(MAKE) quickstart test VENV=$(VENV)-oldest CONSTRAINTS=$(VENV)-oldest/constraints.txt

test-newest:  ## the same with the newest
	$(MAKE) quickstart test VENV=$(VENV)-newest CONSTRAINTS=/dev/null

lint: setup  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy
	$(BIN)/mypy

bench: setup  ## measure against the stock way; DATA=FOLDER measures on your data
	$(BIN)/python -m tests.benchmarks.compare $(if $(DATA),--data $(DATA)) $(ARGS)

bench-prepare: setup  ## measure tokenizing against datasets.map, and memory as data grows
	$(BIN)/python -m tests.benchmarks.preparing $(ARGS)

bench-scoring: setup  ## measure figures, slices, intervals and comparing on 100,000 sentences
	$(BIN)/python -m tests.benchmarks.scoring $(ARGS)

bench-strategies: setup  ## measure every way of transferring; DATA=FOLDER holds crossner, wnut17, banking77
	$(BIN)/python -m tests.benchmarks.strategies $(if $(DATA),--data $(DATA)) $(ARGS)

bench-curves: setup  ## measure forecasts of learning curves; DATA=FOLDER holds wnut17, banking77, ...
	$(BIN)/python -m tests.benchmarks.forecasting $(if $(DATA),--data $(DATA)) $(ARGS)

bench-rank: setup  ## measure nlpt rank against fine-tuning; DATA=FOLDER holds crossner, wnut17, banking77
	$(BIN)/python -m tests.benchmarks.ranking $(if $(DATA),--data $(DATA)) $(ARGS)

bench-scaling: setup  ## measure training on 1, 2 and 4 processes: time and bytes a step
	$(BIN)/python -m tests.benchmarks.scaling $(ARGS)

bench-serving: setup  ## measure nlpt serve against the bare Predictor: 1, 8 and 64 clients, memory
	$(BIN)/python -m tests.benchmarks.serving $(ARGS)

docs: setup  ## write docs/recipe.md, migrating.md, auto.md and the schema beside the recipes anew
	$(BIN)/nlpt recipes reference > docs/recipe.md
	$(BIN)/nlpt recipes reference --migrating > docs/migrating.md
	$(BIN)/nlpt recipes reference --auto > docs/auto.md
	$(BIN)/nlpt recipes schema > recipes/recipe.schema.json

site: $(VENV)/.documenting  ## build the pages of docs/ as a site, links checked, into site/
	$(BIN)/mkdocs build --strict

journey: $(VENV)/.documenting  ## run the cells of docs/journey.ipynb, and keep what they print
	$(BIN)/python -m tests.journey

$(VENV)/.documenting: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[docs]'
	@touch $@

clean:  ## delete .venv and caches, not runs
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-newest site .pytest_cache .mypy_cache .ruff_cache .hypothesis
