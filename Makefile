# make demo: install, then build and verify firmware from simulated sound, on an emulated board
# make test: install what tests need, then run the whole test suite
# make lint: style, types, layers
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# Two tests at a time; PYTEST_ARGS=-n0 runs one after the other, as a debugger needs it.
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

.PHONY: demo test fast lint install install-dev clean

demo: install
	$(BIN)/ongen build --task fan/06/6dB --board stm32f746 --budget budgets.toml

test: install-dev
	$(PYTEST) $(PYTEST_ARGS)

fast: install-dev
	$(PYTEST) -m "not emulator and not slow" $(PYTEST_ARGS)

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

# Both stamps depend on what is to be installed, so a second run installs nothing.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[zig,unicorn,search]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[zig,unicorn,dev]'
	touch $@

clean:
	rm -rf build
