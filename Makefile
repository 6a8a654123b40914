# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test lint native bench clean

setup: $(READY)

# torch first and pinned, so that nothing else pulls another build of it.
$(READY): pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cpu,dev,models,notebook,ray]'
# The official SAM 2, which the tests compare with; its build would fetch another torch.
	SAM2_BUILD_CUDA=0 $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation sam2
	touch $(READY)

demo: $(READY)
	$(BIN)/terradrift demo demo

test: lint
	$(BIN)/pytest -q

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# After an edit of a kernel: compile what changed, in place.
native: $(READY)
	$(BIN)/python setup.py --quiet build_ext --inplace

bench: $(READY)
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) demo build dist *.egg-info
