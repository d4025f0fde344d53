"""The kernels in Triton's interpreter: right in every call of `cases`, and not right any more with a bug in them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest


def count(name, file):
    """How many calls the tuple `name` of a file holds, told without importing it (and Triton with it)."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return len(node.value.elts)
    raise AssertionError(f"{file.name} has no {name}")


ROOT = Path(__file__).parents[3]
CASES = count("CASES", ROOT / "ragctx/attention/cases.py")
MUTANTS = count("MUTANTS", Path(__file__).parent / "mutants.py")


def test_the_interpreter_is_honest_about_bfloat16_and_addresses(told):
    results = {each["name"]: each["result"] for each in told("interpreting.py", "patches")}
    assert results.pop("dot") <= 1e-5
    assert results.pop("narrowed") == results.pop("widened") == 0
    assert results.pop("NaN") is True
    assert results.pop("in bounds") == ""
    said = {
        "sum of two": "TypeError", "reduction": "TypeError",
        "out of bounds": "IndexError", "store beyond": "IndexError",
        "one address": "a race", "read of another's": "a race",
    }  # fmt: skip
    assert said.keys() == results.keys()
    assert all(said[name] in results[name] for name in said), results


@pytest.mark.parametrize("half", [0, 1])
def test_every_case_is_within_the_limits_and_within_its_tensors(told, half):
    numbers = range(half, CASES, 2)
    results = told("interpreting.py", "cases", *numbers)
    assert len(results) == len(numbers)
    assert [each for each in results if not each["right"]] == []


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_planted_bugs_are_caught(told, half):
    numbers = range(half, MUTANTS, 2)
    results = told("interpreting.py", "mutants", *numbers)
    assert len(results) == len(numbers)
    assert [each for each in results if each["caught"] != each["expected"]] == []


def test_pages_beyond_31_bits_are_found(told):
    results = {each["name"]: each["result"] for each in told("interpreting.py", "far")}
    assert results["as they are"] <= 1e-2
    assert "IndexError" in results["with the bug"]


def test_what_is_timed_on_a_gpu_runs(told):
    results = told("interpreting.py", "times")
    assert [each["name"] for each in results] == ["prefill of 192"] * 4 + ["decoding at 192"] * 2
    assert results[0]["density"] == results[4]["density"] == 1.0
    assert 0.5 < results[3]["density"] < 1.0
    assert all(each["ratio"] == 1.0 for each in results)
