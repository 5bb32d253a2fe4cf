# Every target sets up what it needs: a virtual environment with the pinned dependencies.
VENV ?= .venv
NEWEST ?= .venv-newest
RELEASE ?= .venv-release
# The first Python that the pinned TensorFlow has wheels for.
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
	2>/dev/null && echo $$python && break; done)

export TF_CPP_MIN_LOG_LEVEL ?= 3
# Two processes, each module of tests in one of them, in the order of tests/conftest.py.
PYTEST_OPTIONS ?= -n 2 --dist loadfile --no-loadscope-reorder
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.PHONY: train demo page fuzz test test-slow test-all test-newest docs dist inventory audit tools lint format clean

train: $(VENV)/installed
	$(VENV)/bin/python recipes/train_convtransformer.py --hrf=4

# What a trained model says in Python and on an emulated board: of WAV=file, by MODEL=name or folder
# and BOARD=name if they are given, else light-emodb-4 of a synthetic voice.
demo: tools $(VENV)/installed
	$(VENV)/bin/python tflm/demo.py $(if $(MODEL),--model="$(MODEL)") \
		$(if $(WAV),--wav="$(WAV)") $(if $(BOARD),--board="$(BOARD)")

# A web page that listens, with MODEL=name or folder in it if given, as OUT=file if given.
page: tools $(VENV)/installed
	$(VENV)/bin/python tflm/write_page.py $(if $(MODEL),--model="$(MODEL)") $(if $(OUT),--out="$(OUT)")

# Arbitrary bytes into generated C under sanitizers, for SECONDS, with MODEL=file.tflite if given.
fuzz: tools $(VENV)/installed
	$(VENV)/bin/python tflm/fuzz.py --seconds=$(or $(SECONDS),600) $(MODEL)

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest $(PYTEST_OPTIONS)

test-slow: $(VENV)/installed
	$(VENV)/bin/python -m pytest $(PYTEST_OPTIONS) -m slow

# Both in one run: neither waits for the other's last module.
test-all: $(VENV)/installed
	$(VENV)/bin/python -m pytest $(PYTEST_OPTIONS) -m "slow or not slow"

lint: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

format: $(VENV)/installed
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# The same tests and a fold of a recipe on the newest TensorFlow, but for those of C, boards, files of others,
# corpora, folds, processes, tables, pages, resuming, sound files, the command line, wheels and documents, to which
# TensorFlow is all the same, and of large models, whose layers the light ones have.
SAME := $(addprefix data/test_,acted corpora daic_woz decode distort folds iemocap m3ed odd_files read_table) \
	$(addprefix deploy/test_,border compiler_choices compiler_compact compiler_images compiler_kernels \
	compiler_operators compiler_places compiler_products compiler_state compiler_trained endpoint \
	estimate_cycles firmware foreign frontend fuzz project ranges tflm_operators tflm_sources unsigned web_page) \
	$(addprefix studies/test_,flags package page recipes report resuming stress study tables teachers) \
	test_architecture test_cluster test_dist test_docs test_notebooks test_typing test_workers
test-newest: $(NEWEST)/installed
	rm -rf $(NEWEST)/study
	$(NEWEST)/bin/python recipes/train_convtransformer.py --folds=1 --out=$(NEWEST)/study
	$(NEWEST)/bin/python -m pytest $(PYTEST_OPTIONS) -k "not large and not boards and not complain" \
		$(SAME:%=--ignore=tests/%.py)

# The site of docs/ and the docstrings, in site/; a warning is an error.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build

# Source archive and the wheel that is built from it, in dist/, as an index takes them.
dist: $(VENV)/installed
	rm -rf dist
	$(VENV)/bin/python -m build
	$(VENV)/bin/twine check --strict dist/*

# What the wheel in dist/ brings with it, with all that the recipes need: licences, and a bill of
# materials (CycloneDX). docs/release.md has the audit's findings.
inventory: $(RELEASE)/installed
	$(RELEASE)/bin/pip-licenses --python=$(RELEASE)/wheel/bin/python --format=markdown \
		--ignore-packages tfhrf --output-file=dist/licences.md
	$(RELEASE)/bin/cyclonedx-py environment --output-file=dist/sbom.json $(RELEASE)/wheel/bin/python

# What PyPI knows of weaknesses of these packages; a package that it cannot tell of is an error, too.
# EXPLAINED: the names of findings that docs/release.md explains.
EXPLAINED := CVE-2026-0994 CVE-2026-59890
audit: $(RELEASE)/installed
	$(RELEASE)/wheel/bin/python -m pip --disable-pip-version-check freeze --all --exclude pip --exclude tfhrf \
		> $(RELEASE)/installed.txt
	$(RELEASE)/bin/pip-audit --strict --no-deps --disable-pip \
		$(addprefix --ignore-vuln=,$(EXPLAINED)) --requirement=$(RELEASE)/installed.txt

# Compilers, CMake and the emulators that the tests of the C code use, ffmpeg for sound that libsndfile
# cannot read, and a browser for the tests of the page, from Debian packages. The libraries of clang's
# sanitizers and libFuzzer are in a package of their own on some systems, named by clang's version.
TOOLS := ffmpeg gcc g++ clang lld cmake ninja-build gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm \
	gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
# One at a time: apt gives up on a lock.
APT := $(SUDO) env DEBIAN_FRONTEND=noninteractive flock $(or $(TMPDIR),/tmp)/tfhrf-apt.lock apt-get -qq
INSTALL := $(APT) install --yes --no-install-recommends
BROWSERS := chromium-headless-shell chromium google-chrome
FUZZED := int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return !data && size; }
LINK := out=$$(mktemp) && echo '$(FUZZED)' | \
	clang -fsanitize=address,undefined,fuzzer -x c - -o $$out && rm $$out
tools:
	dpkg -s $(TOOLS) > /dev/null 2>&1 || { $(APT) update && $(INSTALL) $(TOOLS); }
	@for one in $(BROWSERS); do command -v $$one > /dev/null && exit; done; $(APT) update && \
		{ $(INSTALL) chromium-headless-shell || $(INSTALL) chromium || \
		echo "No package has Chromium here: the tests of the page are skipped"; }
	@{ $(LINK); } 2> /dev/null || { $(APT) update && \
		$(INSTALL) libclang-rt-$$(clang -dumpversion | cut -d . -f 1)-dev; }
	@$(LINK)

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(call make_venv,$(VENV))
	$(VENV)/bin/python $(PIP_INSTALL) --constraint constraints.txt --editable ".[recipes,tfmot,ray,docs,dev]"
	touch $@

$(NEWEST)/installed: setup.cfg pyproject.toml
	$(call make_venv,$(NEWEST))
	$(NEWEST)/bin/python $(PIP_INSTALL) --editable ".[recipes,ray,dev]" "tensorflow==2.21.*" "keras>=3.12,<3.16"
	touch $@

# The tools of a release, and what they look at: the wheel in an environment of its own.
$(RELEASE)/installed: setup.cfg pyproject.toml constraints.txt
	$(MAKE) dist
	$(call make_venv,$(RELEASE))
	$(RELEASE)/bin/python $(PIP_INSTALL) pip-licenses==5.5.5 cyclonedx-bom==7.5.0 pip-audit==2.10.1
	$(PYTHON) -m venv --clear $(RELEASE)/wheel
	$(RELEASE)/wheel/bin/python $(PIP_INSTALL) --constraint constraints.txt "$$(ls dist/*.whl)[recipes]"
	touch $@

# Debian and Ubuntu keep the venv module in a package of its own.
define make_venv
	@test -n "$(PYTHON)" || { echo "Python 3.10, 3.11 or 3.12 is needed"; exit 1; }
	$(PYTHON) -m venv --clear $(1) || \
		{ $(APT) update && $(INSTALL) python3-venv && $(PYTHON) -m venv --clear $(1); }
endef

clean:
	rm -rf $(VENV) $(NEWEST) $(RELEASE) build dist site *.egg-info
