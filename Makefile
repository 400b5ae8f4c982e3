# make demo    pictures of digits from a DCGAN trained here, in minutes
# make lab     the figures of docs/lab, in under ten minutes on two cores
# make gallery docs/gallery.md, of the cards and pictures in zoo/
# make test    the test suite, without the slow tests
# make slow    the slow tests
# make lint    ruff
# make wheel   a wheel, from a clean build folder

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# TensorFlow's start-up lines about missing GPUs tell a reader nothing.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo lab gallery test slow lint wheel clean

demo: $(VENV)/installed
	$(BIN)/python -m keras_gans.demo --out demo

lab: $(VENV)/installed
	$(BIN)/python -m keras_gans.lab --out docs/lab

gallery: $(VENV)/installed
	$(BIN)/python docs/gallery.py

test: $(VENV)/tested
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

slow: $(VENV)/tested
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

wheel: $(VENV)/tested
	rm -rf build dist
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist demo *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Expected Python 3.11 to 3.13. Received: %d.%d. Name another one: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: setup.cfg | $(BIN)/python
	$(BIN)/python -m pip install --editable .
	touch $@

$(VENV)/tested: setup.cfg | $(BIN)/python
	$(BIN)/python -m pip install --editable '.[test]'
	touch $@ $(VENV)/installed
