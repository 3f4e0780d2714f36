# make demo   the four paradigms on real digits: figures and a table in runs/demo
# make test   lint, types and the tests that guard every room: minutes
# make test-all   every test there is
# make bench  what it costs, on this machine: runs/bench/report.md (a quarter of an hour or more)
# make bench-device  what this CPU, GPU or TPU does, in minutes: runs/bench-device/report.md
# All make .venv first if it is missing or stale; python3 (3.11 or newer) and make are enough.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Written last, so an interrupted installation leaves none and the next call starts afresh.
# It holds this folder's path: the scripts inside name their interpreter by it, so a checkout that
# was moved or copied needs a new environment.
STAMP := $(VENV)/.complete
USABLE := $(shell [ "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" ] && $(BIN)/python -c 'import platformdirs' 2>/dev/null && echo yes)

.PHONY: demo test test-all bench bench-device lint format clean venv $(VENV) FORCE
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(BIN)/jaxattn compare digits --segments 9 --foreground 0 1 2 3 4 --learning-rates 0.2 \
		--batch-size 128 --seeds 16 --steps 800 --out runs/demo --overwrite

# The tests of a file share what they set up and compile, so one worker runs them all. A worker that
# crashes ends the run: another in its place may wait for ever.
PYTEST = $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# What guards every room, in minutes. What tests bits, speed or memory needs XLA's own options, which
# hold for a whole process: see tests/xla_options.py. Only the files that have such tests are read.
OWN_XLA = JAXATTN_TEST_XLA=default $(PYTEST) $$(grep -rl default_xla tests --include='test_*.py')
test: lint
	$(PYTEST) -m "not slow and not default_xla"
	$(OWN_XLA) -m "not slow and default_xla"

# Everything. With JAXATTN_TEST_X64=0, either runs with JAX's own default of 32 bits, and skips what
# needs 64.
test-all: lint
	$(PYTEST) -m "not default_xla"
	$(OWN_XLA) -m default_xla

# PyTorch is installed for this target alone. A page per run: the last one is kept. Settings that
# guard old releases of OpenBLAS slow today's, so the benchmarks (and nothing else) drop them.
bench: $(STAMP)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -c constraints.txt -e '.[bench]'
	@mkdir -p runs/bench
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/pytest benchmarks -c benchmarks/pytest.ini \
	  --benchmark-json=runs/bench/results.json
	$(BIN)/python benchmarks/report.py runs/bench/results.json runs/bench/report.md

# Runs anywhere, on a CPU in small; an accelerator needs its own jax in .venv (benchmarks/README.md).
bench-device: $(STAMP)
	$(BIN)/python benchmarks/device.py --out runs/bench-device

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find jaxattn tests benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +

# .venv is a folder whose own time means nothing: the stamp inside says how fresh it is.
venv $(VENV): $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(if $(USABLE),,FORCE)
	@rm -f $@
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "got: no '$(PYTHON)' on this machine; expected: Python 3.11 or newer;" \
	    "fix: install it, or say make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "got: $$("$(PYTHON)" --version 2>&1 | head -n 1) from '$(PYTHON)'; expected: Python 3.11 or newer;" \
	    "fix: install it, or say make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "making $(VENV) with $$("$(PYTHON)" --version): about a minute"
	@$(if $(USABLE),:,rm -rf $(VENV) && "$(PYTHON)" -m venv $(VENV)) || { rm -rf $(VENV); \
	  echo "got: '$(PYTHON) -m venv' failed, see above; expected: a Python with venv and pip;" \
	    "fix: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]'
	@echo "$(CURDIR)" > $@

FORCE:
