# make quickstart   install, run the quickstart's study, and write reports/quickstart/index.html
# make test         install, and run the whole test suite in two processes
# make test-fast    install, and run in a minute the tests of the folders that have changed
# make check        ruff, ruff format --check and mypy --strict
# make bench        how much faster than the tools it is made of, as ratios
# make docs         write the methods' pages and the networks' tables again

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# Installed again only when what is to be installed has changed; what only tests and checks need comes with them.
STAMP := $(VENV)/.installed
TESTED := $(VENV)/.installed-for-tests
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: quickstart test test-fast check docs bench clean

quickstart: $(STAMP)
	$(BIN)/python -m kdsweep launch search_spaces/quickstart.yaml

test: $(TESTED)
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

test-fast: $(TESTED)
	$(BIN)/python -m tests.fast

check: $(TESTED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/packs.py

docs: $(STAMP)
	$(BIN)/python docs/make_methods.py
	$(BIN)/python docs/make_networks.py

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	touch $(STAMP)

$(TESTED): $(STAMP)
	$(INSTALL) -e '.[test]'
	touch $(TESTED)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
