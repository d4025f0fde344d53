"""The attention benchmark: its rules are what it says, cells are kept, and it runs at toy sizes."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "attention.py"
pytest.importorskip("torch", reason="needs the extra local")
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import attention  # noqa: E402
import attention_cells  # noqa: E402
import attention_clock  # noqa: E402
import attention_errors  # noqa: E402
import attention_fixed  # noqa: E402
import attention_kernels  # noqa: E402
import attention_positions  # noqa: E402
import attention_prefill  # noqa: E402
import attention_table  # noqa: E402
import parts  # noqa: E402
import table  # noqa: E402

from ragctx.attention.kernels.cpu import libraries  # noqa: E402


def test_a_cell_is_measured_once_under_its_settings(tmp_path):
    measured = []

    def measure():
        measured.append(1)
        return {"value": len(measured)}

    cells = attention_cells.Cells(tmp_path, resume=True, stamp={"command": "c", "seed": 3, "machine": "m"})
    assert [cells.cell("p", "n", {"size": 1}, measure)["value"] for _ in range(2)] == [1, 1]
    assert cells.known("p", "n", {"size": 1})
    assert not cells.known("p", "n", {"size": 2})
    assert cells.cell("p", "n", {"size": 2}, measure) == {"value": 2}  # a toy's cell is never taken for another's
    [kept] = [json.loads(file.read_text()) for file in tmp_path.glob("p-n-*.json") if '"size": 1' in file.read_text()]
    assert kept["found"] == {"value": 1}
    assert {"command", "seed", "machine", "date", "settings", "wall_s"} <= set(kept)
    assert cells.measured == kept["date"]


def test_what_is_taken_from_a_kept_cell_has_the_day_it_was_measured_on(tmp_path):
    attention_cells.Cells(tmp_path).cell("p", "n", {}, dict)
    [file] = tmp_path.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"date": "2026-01-02"}))
    later = attention_cells.Cells(tmp_path, resume=True)
    later.cell("p", "n", {}, dict)
    assert later.measured == "2026-01-02"
    later.dates.add("2026-01-05")
    assert later.measured == "2026-01-02 to 2026-01-05"


def test_without_resume_a_cell_is_measured_again_and_without_a_folder_none_is_kept(tmp_path):
    turns = iter(range(9))
    again = attention_cells.Cells(tmp_path)
    assert [again.cell("p", "n", {}, lambda: {"value": next(turns)})["value"] for _ in range(2)] == [0, 1]
    nowhere = attention_cells.Cells(None, resume=True)
    assert [nowhere.cell("p", "n", {}, lambda: {"value": next(turns)})["value"] for _ in range(2)] == [2, 3]
    assert not nowhere.known("p", "n", {})


def test_a_cell_that_fails_leaves_nothing(tmp_path):
    cells = attention_cells.Cells(tmp_path, resume=True)
    with pytest.raises(ZeroDivisionError):
        cells.cell("p", "n", {}, lambda: {"value": 1 // 0})
    assert not list(tmp_path.iterdir())


def test_ratios_are_of_a_round_and_the_median_is_told():
    times = attention_clock.Times({"ours": [1.0, 2.0, 1.0], "theirs": [2.0, 8.0, 3.0]}, 1.0)
    assert times.times("ours", "theirs") == {"median": 3.0, "least": 2.0, "most": 4.0}
    assert times.told() == {"seconds": {"ours": 1.0, "theirs": 3.0}, "rounds": 3, "threads": 1.0}


def test_everything_runs_in_each_round_and_begins_with_another():
    order: list[str] = []
    runs = {name: lambda name=name: order.append(name) or sum(range(10_000)) for name in "abc"}
    times = attention_clock.taken(runs, 2)
    assert "".join(order) == "abc" + "abc" + "bca"
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in times.seconds.values())


@pytest.mark.parametrize(("length", "chunk", "last"), [(2048, 0, 0), (4096, 1024, 64), (3000, 512, 64), (1000, 0, 0)])
def test_a_fixed_policy_has_the_density_that_it_tells(length, chunk, last):
    import torch

    from ragctx.attention import BlockIndex, Extent
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    made = attention_fixed.fixed(length, 0.3, chunk=chunk, last_rows=last)
    assert abs(made.density - 0.3) < 0.05
    query, keys = torch.randn(length, 2, 16), torch.randn(length, 1, 16)
    ends = [min(end, length) for end in range(chunk or length, length + (chunk or length), chunk or length)]
    extents = [Extent(end - begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
    computed = 0
    for extent in extents:
        seen = Evidence(extent, query[extent.first : extent.keys], TensorKeys(keys[: extent.keys]))
        index = made.policy.index([seen]) or BlockIndex.dense([extent], 1)
        computed += len(index.blocks)
    assert computed / sum(extent.pairs() for extent in extents) == pytest.approx(made.density)


def test_the_density_that_is_asked_for_at_full_size_is_met():
    assert attention_fixed.fixed(32768, 0.12).density == pytest.approx(0.12, abs=0.002)
    assert attention_fixed.fixed(131072, 0.03).density == pytest.approx(0.03, abs=0.0005)
    assert attention_fixed.fixed(16384, 0.12, chunk=2048, last_rows=64).density == pytest.approx(0.12, abs=0.004)


@pytest.mark.parametrize("module", [attention_clock, attention_fixed, attention_prefill])
def test_examples_in_docstrings_are_right(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_the_ceiling_is_reached_where_only_attention_got_faster_by_the_kernels_own_factor():
    found = {
        "dense": {"seconds": 100.0, "clock": {"stock": 60.0}, "density": 1.0},
        "fixed": {"seconds": 46.0, "clock": {"own": 4.0, "selection": 2.0}, "density": 0.12},
        "auto": {"seconds": 50.0, "density": 0.2},
        "kernel": {"times": 10.0},
    }
    made = attention_prefill.compared(found)
    assert made["ceiling"] == pytest.approx(1 / 0.46, rel=1e-3)
    assert made["share_of_ceiling"] == pytest.approx(1.0, rel=1e-3)
    assert made["auto_speedup"] == 2.0
    found["fixed"]["seconds"] = 60.0  # whatever else it took is lost
    assert attention_prefill.compared(found)["share_of_ceiling"] == pytest.approx(46 / 60, rel=1e-3)


def test_density_counts_the_layers_that_stayed_dense():
    from ragctx.attention.vllm.counts import Counts

    counts = Counts(sparse=1, computed=20, possible=100)
    assert attention_prefill.told(counts, 200)["density"] == pytest.approx((20 + 100) / 200)


def test_rounds_are_put_together_by_their_medians():
    row = {"auto_density": 0.2, "auto_speedup": 2.0, "fixed_speedup": 2.5, "ceiling": 3.0, "share_of_ceiling": 0.9}
    rows = {"16384": [row, row | {"share_of_ceiling": 0.8}, row | {"share_of_ceiling": 0.95}], "4096": [row]}
    found = attention_prefill.figures(rows)
    assert found["ttft_16k_share_of_ceiling"] == 0.9
    assert found["auto_16k_speedup"] == 2.0
    assert set(found["auto_by_length"]) == {"16384", "4096"}
    assert "ttft_32k_share_of_ceiling" not in found


def test_errors_are_small_for_every_instruction_set_here():
    if not libraries.running():
        pytest.skip("no compiled kernel here")
    found = attention_errors.measure(attention_cells.Cells(), attention_errors.TOY, 0)
    assert 0 < found["max_error_f32"] <= 1e-5
    assert 0 < found["max_error_bf16"] <= 1e-2
    assert {row["instructions"] for row in found["error_rows"]} == set(libraries.running())


def test_dual_chunks_are_told_as_a_share_of_the_models_own_score():
    def row(way, length, *scores):
        return {"way": way, "length": length, "answers": [{"score": score} for score in scores]}

    found = attention_positions.figures(
        [row("plain", 7168, 1, 1, 1, 0), row("plain", 7168, 1, 0, 1, 1), row("dual:4", 16384, 1, 1, 0, 1)]
    )
    assert found["positions_by_length"] == {"plain": {"7168": 0.75}, "dual:4": {"16384": 0.75}}
    assert found["dual_16k_share"] == 1.0
    assert found["dual_32k_share"] is None
    assert "dual_32k_share" in found["why_null"]


def test_every_figure_of_the_kernels_has_its_cell():
    assert all(name in attention_kernels.CELLS for name, _ in attention_kernels.FIGURES.values())
    small = attention_kernels.CELLS["sparse-32k"].smaller(1024, 3)
    assert (small.length, small.sampled, small.rounds, small.density) == (1024, 3, 2, 0.12)


def test_a_part_that_cannot_run_tells_why_and_quick_takes_it_from_the_stored_run():
    wanted = attention.options(["--quick"])
    assert attention.lacking("quality", wanted)
    nulls = attention.measure("quality", wanted, attention_cells.Cells())
    assert set(attention.PROMISED["quality"]) == set(nulls["why_null"])
    stored = {
        "date": "2026-02-02",
        "kept_mass_p5": 0.97,
        "parts": {"quality": {"date": "2026-01-01", "figures": ["kept_mass_p5"]}},
    }
    told = parts.with_stored(nulls, stored)
    assert told["kept_mass_p5"] == 0.97
    assert told["stored"] == {"kept_mass_p5": "2026-01-01"}  # the part's own day
    assert "policy_quality_gap" in told["why_null"]


def test_the_command_is_told_without_paths():
    wanted = attention.options(["--model", "/a/b", "--rows", "/c", "--only", "prefill", "--seed", "2"])
    told = attention.command(wanted)
    assert told == "python benchmarks/attention.py --model MODEL --rows ROWS --only prefill --seed 2"


def test_parts_that_are_not_asked_for_stay_in_the_store(tmp_path):
    store = tmp_path / "attention.json"
    known = {"max_error_f32": 1e-7, "parts": {"errors": {"date": "2026-01-01", "figures": ["max_error_f32"]}}}
    store.write_text(json.dumps(known))
    only = attention.begun(attention.options(["--only", "kernels", "--store", str(store)]))
    assert only["max_error_f32"] == 1e-7
    assert "errors" in only["parts"]
    assert not attention.begun(attention.options(["--only", "errors", "--store", str(store)]))["parts"]
    assert not attention.begun(attention.options(["--store", str(store)]))["parts"]


def test_tables_hold_what_was_measured_and_nothing_else():
    times = {"median": 11.5, "least": 11.0, "most": 12.0}
    result = {
        "parts": {"kernels": {"date": "2026-01-01", "command": "c"}},
        "sparse_32k_width_64_vs_vllm": 11.5,
        "auto_16k_speedup": None,
        "kernel_rows": {
            "sparse-32k": {
                "densities": {"prompt": 0.12},
                "vs_vllm": {"selected": times},
                "vs_own_dense": {"selected": times | {"median": 6.0}},
            }
        },
    }
    text = "\n".join(attention_table.lines(result))
    assert "| sparse-32k, selected | 0.12 | 11.5 | 11 to 12 | 6 |" in text
    assert "auto" not in text
    assert "attention" in table.TABLES


def test_the_script_runs_at_toy_sizes(tmp_path):
    if not libraries.running():
        pytest.skip("no compiled kernel here")
    store = tmp_path / "result.json"
    command = [sys.executable, str(SCRIPT), "--toy", "--json", "--only", "errors", "--store", str(store)]
    done = subprocess.run([*command, "--rows", str(tmp_path)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["max_error_bf16"] <= 1e-2
    part = result["parts"]["errors"]
    assert {"command", "seed", "date", "machine", "figures"} <= set(part)
    assert json.loads(store.read_text())["parts"].keys() == {"errors"}
    assert list(tmp_path.glob("errors-*.json"))


def test_quick_names_every_figure_that_it_promises_null_or_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(attention_errors, "QUICK", attention_errors.TOY)
    monkeypatch.setattr(attention, "STORED", tmp_path / "none.json")
    monkeypatch.setattr(sys, "argv", ["attention.py", "--quick", "--json"])
    monkeypatch.setattr(attention, "find_spec", lambda name: None if name == "vllm" else object())
    if not libraries.running():
        pytest.skip("no compiled kernel here")
    attention.main()
    result = json.loads(capsys.readouterr().out)
    names = {name for each in attention.PROMISED.values() for name in each}
    assert names <= set(result)
    assert result["max_error_f32"] <= 1e-5
    absent = {name for name in names if result[name] is None}
    assert absent == set(result["why_null"]) == names - {"max_error_f32", "max_error_bf16"}
