# Every target sets up what it needs: a virtual environment with the pinned dependencies.
VENV ?= .venv
NEWEST ?= .venv-newest
# The first Python that the pinned TensorFlow has wheels for.
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
	2>/dev/null && echo $$python && break; done)

export TF_CPP_MIN_LOG_LEVEL ?= 3
# Two processes, each module of tests in one of them.
PYTEST_OPTIONS ?= -n 2 --dist loadfile
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.PHONY: train demo fuzz test test-slow test-newest docs tools lint format clean

train: $(VENV)/installed
	$(VENV)/bin/python recipes/train_convtransformer.py

# What the model says in Keras and on an emulated board: of WAV=file, by MODEL=folder and BOARD=name
# if they are given, else of a synthetic utterance by the model of `make train`.
demo: tools $(VENV)/installed
	@test -n "$(MODEL)" || ls -d runs/conv_transformer-synthetic-light-*/deployed > /dev/null 2>&1 \
		|| $(MAKE) train
	$(VENV)/bin/python tflm/demo.py $(if $(MODEL),--model_dir="$(MODEL)") \
		$(if $(WAV),--wav="$(WAV)") $(if $(BOARD),--board="$(BOARD)")

# Arbitrary bytes into generated C under sanitizers, for SECONDS, with MODEL=file.tflite if given.
fuzz: tools $(VENV)/installed
	$(VENV)/bin/python tflm/fuzz.py --seconds=$(or $(SECONDS),600) $(MODEL)

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest $(PYTEST_OPTIONS)

test-slow: $(VENV)/installed
	$(VENV)/bin/python -m pytest -m slow

lint: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

format: $(VENV)/installed
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# The library part on the newest TensorFlow, without tensorflow-io.
test-newest: $(NEWEST)/installed
	$(NEWEST)/bin/python -m pytest $(PYTEST_OPTIONS)

# The site of docs/ and the docstrings, in site/; a warning is an error.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build

# Compilers, CMake and the emulator that the tests of the C code use, and ffmpeg that M3ED's videos
# need, from Debian packages.
TOOLS := ffmpeg gcc clang cmake ninja-build gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
tools:
	dpkg -s $(TOOLS) > /dev/null 2>&1 || { $(SUDO) apt-get update -qq && \
		$(SUDO) apt-get install --yes -qq --no-install-recommends $(TOOLS); }

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(call make_venv,$(VENV))
	$(VENV)/bin/python $(PIP_INSTALL) --constraint constraints.txt --editable ".[recipes,ray,docs,dev]"
	touch $@

$(NEWEST)/installed: setup.cfg pyproject.toml
	$(call make_venv,$(NEWEST))
	$(NEWEST)/bin/python $(PIP_INSTALL) --editable . "tensorflow==2.21.*" "keras>=3.12,<3.16" pytest pytest-xdist hypothesis
	touch $@

# Debian and Ubuntu keep the venv module in a package of its own.
define make_venv
	@test -n "$(PYTHON)" || { echo "Python 3.10, 3.11 or 3.12 is needed"; exit 1; }
	$(PYTHON) -m venv --clear $(1) || \
		{ apt-get update && apt-get install --yes python3-venv && $(PYTHON) -m venv --clear $(1); }
endef

clean:
	rm -rf $(VENV) $(NEWEST) build dist site *.egg-info
