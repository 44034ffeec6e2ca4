# `make repro` builds everything, `make test` checks everything. Both create .venv if it is missing.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
EXTRAS := hub,dvc,train,dask,report,sign
LOWEST := .venv-lowest
UV := uv==0.13.9
PIP_AUDIT := pip-audit==2.10.1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# The study of docs/results. SIZE is gpu or cpu; MODEL a folder or a name on the hub; MIRROR a folder of real rows.
SIZE ?= gpu
MODEL ?= HuggingFaceTB/SmolLM2-135M-Instruct
MIRROR ?= mirror
RESULTS ?= build/results-$(SIZE)
HOLDOUTS_gpu := nli commonsense
HOLDOUTS_cpu := nli
HOLDOUTS ?= $(HOLDOUTS_$(SIZE))
MIXTURE_gpu := flan2021
MIXTURE_cpu := small
MIXTURE ?= $(MIXTURE_$(SIZE))
TRAIN_gpu := --steps 4000 --batch 64 --seq-length 1024 --completion-length 256 --learning-rate 1e-4 --warmup 100 --log-every 200 --save-every 500
TRAIN_cpu := --steps 356 --batch 2 --seq-length 512 --completion-length 256 --learning-rate 1e-4 --warmup 20 --log-every 89 --save-every 50 --validation-examples 60 --dtype bfloat16
EVALUATE_gpu := --examples 1000 --dev-examples 200 --seen-tasks 8 --seen-examples 100 --batch-tokens 65536 --batch 128
EVALUATE_cpu := --examples 30 --templates 3 --dev-examples 10 --seen-tasks 4 --seen-examples 20
PYTEST := pytest tests flanbuild --doctest-modules --numprocesses auto --dist loadfile

.PHONY: repro study experiments test test-all test-lowest conformance results lint dead-code audit constraints clean

repro: $(VENV)/ready
	dvc repro

# The paper's ablations, each point a DVC experiment: docs/ablations.md. Called again, it goes on where it was stopped.
study: $(VENV)/ready
	python -m flanbuild study

# Experiments without the scores of single tasks and the hashes of code and data, which are most columns: DVC has no setting
# that hides them.
experiments: $(VENV)/ready
	dvc exp show --no-pager --only-changed --drop '^(data|flanbuild|mixtures|models|pipeline|reports)/|^tasks\.' --md

test: $(VENV)/ready lint
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/ready lint
	$(PYTEST)

# The base install at the lowest versions that pyproject.toml allows; tests that need an extra are skipped. Warnings are
# no errors here: a package at its lowest version may warn of the newest version of another.
test-lowest: $(LOWEST)/ready
	$(LOWEST)/bin/python -m pytest tests -m 'not slow' -W default --numprocesses auto --dist loadfile

# Other programs read a mixture, each in an environment that uv makes once; writes docs/conformance.md and the table of
# README.md. It takes eight minutes of a core, and the first time a network and about 6 GB of disk.
conformance: $(VENV)/ready
	python tests/conformance/run.py --write

# Trains on the mirror with each cluster held out, and scores the model before and after. Called again, it goes on where
# it was stopped; what is done is not done again.
results: $(foreach name,$(HOLDOUTS),$(RESULTS)/reports/$(name)/scores.json)
	python -m flanbuild report $(dir $^) --out docs/results/$(SIZE)

$(RESULTS)/reports/%/scores.json: $(RESULTS)/models/%/training.json
	python -m flanbuild evalset --source mirror --mirror $(MIRROR) --missing skip --data $(RESULTS)/data
	python -m flanbuild evaluate $(RESULTS)/models/$* $(RESULTS)/data/mixtures/$(MIXTURE)-without-$* \
		--evaluation $(RESULTS)/data/evaluation --out $(RESULTS)/reports/$* $(EVALUATE_$(SIZE))

$(RESULTS)/models/%/training.json: | $(VENV)/ready
	python -m flanbuild mixture $(MIXTURE) --holdout $* --source mirror --mirror $(MIRROR) --missing skip --data $(RESULTS)/data
	python -m flanbuild train $(RESULTS)/data/mixtures/$(MIXTURE)-without-$* --out $(RESULTS)/models/$* --model $(MODEL) $(TRAIN_$(SIZE))

.PRECIOUS: $(RESULTS)/models/%/training.json

lint: $(VENV)/ready
	ruff format --check .
	ruff check .
	mypy
	lint-imports

# Code that nothing uses. Settings and exceptions are in pyproject.toml.
dead-code: $(VENV)/ready
	vulture

# Known vulnerabilities of the pinned versions, asked of PyPI; needs a network. pip-audit has an environment of its own.
audit: $(VENV)/ready
	uv tool run --from $(PIP_AUDIT) pip-audit --requirement constraints.txt --no-deps --disable-pip

# uv fills the environment in seconds; where it is not available, pip does the same in minutes.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	if $(BIN)/pip install --quiet $(UV); \
	then $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev; \
	else $(BIN)/pip install --quiet --upgrade pip && $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev; \
	fi
	touch $@

$(LOWEST)/ready: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet $(UV)
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable . --group test
	touch $@

constraints:
	printf 'torch==2.13.0\n' | UV_FIND_LINKS= uv pip compile --quiet --all-extras --group dev --constraint - \
		--no-header --no-annotate --output-file constraints.txt pyproject.toml
	sed -i '1i # The versions that flanbuild is tested with; `make constraints` writes this file. A constraint installs nothing by\n# itself: nvidia and triton packages apply where torch is the CUDA build.' constraints.txt

# Hashes for the base install. The train extra has none: torch's wheel differs by platform and by index.
	uv pip compile --quiet --universal --constraint constraints.txt --generate-hashes --no-header --no-annotate \
		--output-file requirements-base.txt pyproject.toml

clean:
	rm -rf data models reports
