# These make their own virtual environment first: `make reproduce`, `make ablation`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# Not an editable install: stages run the Python code of the folder they are started in, be
# it this one or a copy of it that DVC makes for an experiment, and the compiled kernels from
# the environment.
KERNELS := CMakeLists.txt $(shell find kernels -name '*.[ch]pp')

.PHONY: reproduce ablation test lint constraints

reproduce: $(INSTALLED)
	$(BIN)/python -m pipeline recover
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@echo
	@echo "Done. Read reports/summary.md"

# No part of `reproduce`: what each ingredient of the recipes buys.
ablation: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro ablation/dvc.yaml
	@echo
	@echo "Done. Read reports/ablation/summary.md"

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# After a change of pyproject.toml's dependencies: resolve them anew and write down the result.
constraints:
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install '.[dev,peers]'
	$(BIN)/python -m pip freeze | grep -v '^binary-network-pipeline' > constraints.txt

$(INSTALLED): pyproject.toml constraints.txt $(KERNELS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt '.[dev,peers]'
	touch $(INSTALLED)
