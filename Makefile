# Two commands: `make repro` builds everything, `make test` checks everything. Both make .venv if it is missing.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
export PATH := $(CURDIR)/$(BIN):$(PATH)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: repro test lint constraints clean

repro: $(VENV)/ready
	dvc repro

test: $(VENV)/ready lint
	pytest --numprocesses auto --dist loadfile

lint: $(VENV)/ready
	ruff format --check .
	ruff check .
	mypy
	lint-imports

# uv fills the environment in seconds; where it can't be had, pip does the same in minutes.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	if $(BIN)/pip install --quiet uv; \
	then $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[train,dask]' --group dev; \
	else $(BIN)/pip install --quiet --upgrade pip && $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,dask]' --group dev; \
	fi
	touch $@

constraints:
	printf 'torch==2.13.0\n' | UV_FIND_LINKS= uv pip compile --quiet --all-extras --group dev --constraint - \
		--no-header --no-annotate --output-file constraints.txt pyproject.toml

clean:
	rm -rf data models reports
