"""The check for GPUs: without one it says so and is no success; with one it has to succeed."""

from __future__ import annotations

import importlib
import json

import pytest

torch = pytest.importorskip("torch", reason="needs the extra local")
check = importlib.import_module("ragctx.attention.gpu_check")
cases = importlib.import_module("ragctx.attention.cases")


@pytest.mark.skipif(check.absent() == "", reason="there is a GPU")
def test_without_a_gpu_nothing_was_checked_and_that_is_told(capsys):
    assert check.main([]) == 77
    assert capsys.readouterr().out.startswith("nothing was checked: ")
    assert check.main(["--json"]) == 77
    assert json.loads(capsys.readouterr().out)["checked"] is False


@pytest.mark.skipif(check.absent() != "", reason="needs a GPU and the extra gpu")
def test_with_a_gpu_every_case_is_right():
    assert check.main(["--no-times"]) == 0


@pytest.mark.parametrize(
    ("output", "lse", "alike", "right"),
    [(9e-6, 1e-5, True, True), (2e-5, 1e-5, True, False), (0.0, 1e-3, True, False), (0.0, 0.0, False, False),
     (float("inf"), 0.0, True, False)],
)  # fmt: skip
def test_a_wrong_result_fails_the_check(monkeypatch, capsys, output, lse, alike, right):
    whole = next(case for case in cases.CASES if case.dtype == "float32")
    monkeypatch.setattr(check, "absent", lambda: "")
    monkeypatch.setattr(check, "checked", lambda device: [cases.Compared(whole, output, lse, alike)])
    monkeypatch.setattr(check, "_machine", lambda name: (name, {"device": name}))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "some GPU")
    assert check.main(["--no-times", "--json"]) == (0 if right else 1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1]["right"] is right
    assert lines[-1]["wrong"] == (not right)


def test_the_cases_reach_every_layout_dtype_and_kernel():
    assert {case.layout for case in cases.CASES} == {"rows", "kv-first", "pages-first", "packed", "transposed"}
    assert {case.dtype for case in cases.CASES} == set(cases.LIMITS)
    assert any(all(queries == 1 for queries, _ in case.extents) for case in cases.CASES)
    assert {case.page for case in cases.CASES if case.layout != "rows"} == {16, 32, 64, 128}
