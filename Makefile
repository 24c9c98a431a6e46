# One virtual environment, made when it is missing or older than what it is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: install demo lint test test-all bench clean

install: $(INSTALLED)

$(INSTALLED): setup.cfg constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[serving,test]'
	touch $@

# The main job: train, evaluate, draw, export and check the export, on data that is always there.
demo: $(INSTALLED)
	$(BIN)/zoo-train --workdir=runs/demo
	$(BIN)/zoo-evaluate --workdir=runs/demo
	$(BIN)/zoo-sample --workdir=runs/demo --mode=sample --out=runs/demo/samples/samples.png
	$(BIN)/zoo-sample --workdir=runs/demo --mode=reconstruct --out=runs/demo/samples/reconstructions.png
	$(BIN)/zoo-sample --workdir=runs/demo --mode=interpolate --out=runs/demo/samples/interpolations.png
	$(BIN)/zoo-export --check=runs/demo/export
	@echo
	@echo "results   runs/demo/results.json"
	@echo "pictures  runs/demo/samples/"
	@echo "curves    $(BIN)/tensorboard --logdir runs/demo/tensorboard"
	@echo "export    runs/demo/export/1 (a SavedModel for TensorFlow Serving)"

lint: $(INSTALLED)
	$(BIN)/ruff check --quiet zoo trainers benchmarks tests

test: lint
	$(BIN)/python -m pytest -q -m "not slow" -n auto --dist loadfile

test-all: lint
	$(BIN)/python -m pytest -q -n auto --dist loadfile
	$(BIN)/python -m tests.support.mutations

# Side by side with PyTorch and with the textbook samplers; an hour or so, on a machine that does nothing else.
bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[benchmarks]'
	$(BIN)/python -m benchmarks.training --out=benchmarks/TRAINING.md --readme=README.md
	$(BIN)/python -m benchmarks.sampling --out=benchmarks/SAMPLING.md --readme=README.md
	$(BIN)/python -m benchmarks.bound --readme=README.md
	$(BIN)/python -m benchmarks.overhead

clean:
	rm -rf $(VENV) build *.egg-info runs/demo
