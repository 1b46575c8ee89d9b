# The targets create .venv/ first and install the pinned packages into it.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
PEERS_INSTALLED := .venv-peers/installed
# The install is not editable. A stage runs the Python code of the folder it is started in, which
# may be a copy that DVC makes for an experiment. The compiled kernels come from the environment.
KERNELS := kernels/CMakeLists.txt $(shell find kernels -name '*.[ch]pp')

.PHONY: reproduce readme ablation frontier peers test lint constraints

# Run the whole pipeline: fetch, train, measure, report.
reproduce: $(INSTALLED)
	$(BIN)/python -m pipeline recover
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	$(BIN)/python -m pipeline readme
	@echo
	@echo "Done. Read reports/summary.md"

# Copy the result into README.md, after `dvc repro` has written reports/summary.md.
readme: $(INSTALLED)
	$(BIN)/python -m pipeline readme

# Measure what each part of a recipe buys. `make reproduce` leaves this out.
ablation: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro ablation/dvc.yaml
	@echo
	@echo "Done. Read reports/ablation/summary.md"

# Measure what an accuracy costs each method. `make reproduce` leaves this out, too.
frontier: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro frontier/dvc.yaml
	@echo
	@echo "Done. Read reports/frontier/summary.md. make reproduce brings it into the report"

# Train and measure Larq in turns with our methods. `make reproduce` leaves this out.
peers: $(INSTALLED) $(PEERS_INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro frontier/peers/dvc.yaml
	@echo
	@echo "Done. Read reports/peers.md"

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Resolve the dependencies again after a change in pyproject.toml, and pin the result.
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

# TensorFlow and torch need different versions of what both need.
$(PEERS_INSTALLED): frontier/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --requirement frontier/peers.txt
	touch $(PEERS_INSTALLED)
