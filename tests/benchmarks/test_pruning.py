"""The reading model's benchmark: its rules are what it says, and it runs on a small data folder."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "pruning.py"
pytest.importorskip("sklearn", reason="needs the extra training")
pytest.importorskip("torch", reason="needs the extra local")
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import keeping  # noqa: E402
import parts  # noqa: E402
import pruning  # noqa: E402
import pruning_table  # noqa: E402
import reranking  # noqa: E402
import table  # noqa: E402
import testset  # noqa: E402
import weighers  # noqa: E402

from ragctx.corpus.sentences import bounds  # noqa: E402
from ragctx.types import Span  # noqa: E402
from ragctx.work import Relevances, Rerank  # noqa: E402
from training.reader.examples import Example, Passage  # noqa: E402

TOWNS = ["Velburg", "Tordale", "Hasford", "Brenwick", "Kilmouth", "Marstad"]


def passage(town: str) -> Passage:
    text = f"The mayor of {town} is Ada {town[:3]}y. Farmers sell cheese in {town}. The river of {town} is long."
    return Passage(town.lower(), town, text)


def example(town: str = TOWNS[0]) -> Example:
    gold = passage(town)
    start = gold.text.index("Ada")
    answer = (start, gold.text.index("."))
    others = tuple(passage(other) for other in TOWNS if other != town)
    return Example(town, testset.WIKI, f"Who is the mayor of {town}?", gold, (answer,), (answer,), others, "test")


def run(*arguments: str, quick: bool = True) -> dict[str, object]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAGCTX_BENCH")}
    command = [sys.executable, str(SCRIPT), *["--quick"] * quick, "--json", "--threads", "1", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_without_data_a_figure_is_null_with_its_reason() -> None:
    parts = ["reading", "declining", "keeping", "reranking", "int8", "embedding", "downstream", "holdout"]
    result = run("--only", *parts, quick=False)  # a quick one would take them from the stored run
    names = {"reader_f1", "reader_em", "null_auc", "kept_at_20", "kept_at_10", "baseline_kept_at_20", "rerank_mrr"}
    assert names | {"int8_f1_loss"} <= set(result["why_null"])
    assert all(result[name] is None for name in result["why_null"])
    assert "RAGCTX_BENCH_DATA" in result["why_null"]["reader_f1"]
    assert "--holdout" in result["why_null"]["holdout_right"]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_the_share_of_words_is_never_exceeded_and_the_better_weights_keep_the_answer(share: float) -> None:
    asked = example()
    words = testset.Words([asked.passage, *asked.negatives])
    right, left = keeping.kept([asked], words, share, oracle(asked), floor=keeping.FLOOR)
    wrong, _ = keeping.kept([asked], words, share, oracle(asked, best=0.0), floor=keeping.FLOOR)
    assert left <= share
    assert (right, wrong) == (1.0, 0.0)


def oracle(asked: Example, best: float = 1.0) -> weighers.Weigh:
    """Weighs the sentence of the answer as `best`, all others as a half."""
    answer = asked.passage.text[slice(*asked.answers[0])]

    def weigh(request: Rerank) -> Relevances:
        keeps = tuple(
            tuple(best if answer in text[start:end] else 0.5 for start, end in units)
            for text, units in zip(request.texts, request.units, strict=True)
        )
        return Relevances(tuple(map(max, keeps)), keeps=keeps)

    return weigh


def test_an_answer_is_kept_only_whole() -> None:
    asked = example()
    start, end = asked.answers[0]
    assert keeping.holds(asked, [Span("0", 0, end)], 0)
    assert keeping.holds(asked, [Span("0", 0, start + 3), Span("0", start + 4, end)], 0)  # but for the blank
    assert not keeping.holds(asked, [Span("0", 0, end - 1)], 0)
    assert not keeping.holds(asked, [Span("1", 0, end)], 0)  # the same place of another passage


def test_where_no_answer_is_marked_one_sentence_of_the_evidence_is_wanted() -> None:
    asked = example()
    sentences = list(bounds(asked.passage.text))
    marked = Example("e", "selqa", asked.question, asked.passage, (), ((sentences[1][0], sentences[2][1]),))
    assert testset.wanted(marked) == sentences[1:3]


def test_the_gold_passage_does_not_always_come_first() -> None:
    asked = example()
    words = testset.Words([asked.passage, *asked.negatives])
    question = Example("q", "s", f"Who sells cheese in {TOWNS[3]}?", asked.passage, negatives=asked.negatives)
    assert testset.candidates(asked, 4, words)[0] == asked.passage
    assert testset.candidates(question, 4, words)[0].title == TOWNS[3]


@pytest.mark.parametrize(
    ("scores", "expected"), [([3, 2, 1], 1), ([1, 2, 3], 1 / 3), ([1, 1, 1], 1 / 2), ([2, 2], 2 / 3)]
)
def test_reciprocal_ranks_share_ties(scores: list[float], expected: float) -> None:
    assert reranking.reciprocal(scores) == pytest.approx(expected)


def test_of_equals_the_gold_one_does_not_stand_first_for_being_gold() -> None:
    assert reranking.placed([1, 2, 1], ["b", "c", "a"]).tolist() == [1, 2, 0]


def test_the_strategys_own_fusion_is_measured() -> None:
    lexical, dense = np.array([1, 0, 2]), np.array([1, 2, 0])
    assert np.argsort([-x for x in reranking.shipped([0.5] * 3, lexical, dense)]).tolist() == [1, 0, 2]  # as found
    sure = reranking.shipped([0.9, 0.1, 0.1], lexical, dense)
    assert np.argsort([-x for x in sure]).tolist() == [0, 1, 2]
    # First by the model, second as hybrid retrieval found them: the scores of both, not the places.
    told = [1.5 / 12 + 1 / 13, 1.5 / 11 + 1 / 11, 1.5 / 13 + 1 / 12]
    ahead = (told[0] - np.mean(told)) / np.std(told)
    assert sure[0] == pytest.approx(2**0.5 + 0.75 * ahead)


def test_sentences_weigh_by_their_words() -> None:
    asked = example()
    words = testset.Words([asked.passage, *asked.negatives])
    units = tuple(bounds(asked.passage.text))
    reply = weighers.bm25(words)(Rerank(asked.question, (asked.passage.text,), units=(units,)))
    assert max(reply.keeps[0]) == reply.keeps[0][0] == reply.values[0] < 1


def test_tables_are_written_between_their_marks_alone() -> None:
    page = "a\n<!-- core-table -->\nold\n<!-- end -->\nb\n<!-- pruning-table -->\nc\n"
    told = pruning_table.lines({"date": "d", "command": "c", "reader_f1": 0.7, "int8_f1_loss": None})
    after = table.placed(page, "pruning", told)
    assert after == table.placed(after, "pruning", told)
    assert after.startswith("a\n<!-- core-table -->\nold\n<!-- end -->\nb\n")
    assert "| 0.700 | at least 0.68 |" in after
    assert after.endswith("<!-- end -->\nc\n")
    older = {"questions": 5, "model": 0.5, "bm25": 0.4, "cosine": 0.3, "with_bm25": 0.5, "with_cosine": 0.6}
    rows = pruning_table.lines({"date": "d", "command": "c", "rerank_mrr_by_set": {"a set": older}})
    assert rows[-1] == "| a set | 5 | 0.500 | 0.400 | 0.300 | 0.500 | 0.600 |"
    newer = pruning_table.lines({"date": "d", "command": "c", "rerank_mrr_by_set": {"s": older | {"retrieve": 0.7}}})
    assert newer[-1].endswith("| 0.600 | 0.700 |")


def test_quick_takes_what_it_cannot_measure_from_the_stored_run_and_says_so() -> None:
    nulls = {"int8_f1_loss": "needs --full", "downstream": "without --quick", "holdout_right": "needs --holdout"}
    result = {"weights": "new", "reader_f1": 0.7, **dict.fromkeys(nulls), "why_null": nulls}
    stored = {"date": "2026-01-02", "weights": "new", "reader_f1": 0.1, "int8_f1_loss": 0.0, "holdout_right": None}
    told = parts.with_stored(result, stored)
    assert (told["reader_f1"], told["int8_f1_loss"], told["holdout_right"]) == (0.7, 0.0, None)
    assert told["stored"] == {"int8_f1_loss": "2026-01-02"}
    assert set(told["why_null"]) == {"downstream", "holdout_right"}
    older = parts.with_stored(result, stored | {"weights": "old"})
    assert older["stored"] == {"int8_f1_loss": "2026-01-02, with other weights"}


def test_a_part_that_fails_leaves_its_figures_null_and_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pruning.py", "--only", "speed", "int8"])
    monkeypatch.delenv("RAGCTX_BENCH_DATA", raising=False)

    def broken(_: object) -> pruning.Figures:
        raise OSError("no room")

    monkeypatch.setitem(pruning.PARTS, "speed", broken)
    result = pruning.measured(pruning.options())
    assert result["why_null"]["passages_per_s_256"] == "OSError: no room"
    assert result["passages_per_s_256"] is None
    assert result["int8_f1_loss"] is None
    assert result["parts"] == {}


def test_rivals_that_training_saw_are_no_test_rivals() -> None:
    asked = example()
    trained = Example("t", testset.MULTIHOP, "Who?", passage(TOWNS[1]), negatives=(passage(TOWNS[2]),), part="train")
    [left] = testset.unseen([asked, trained])
    assert {p.title for p in left.negatives} == {p.title for p in asked.negatives} - set(TOWNS[1:3])


def test_dslr_sees_every_sentence_with_its_title_and_no_other_sentence() -> None:
    seen: list[Rerank] = []

    class Backend:
        def serve(self, requests: list[Rerank], _: object) -> list[Relevances]:
            seen.extend(requests)
            return [Relevances(tuple(map(float, range(len(request.texts))))) for request in requests]

    texts = ("Ann came. Bo left.", "Cy sat.")
    units = tuple(tuple(bounds(text)) for text in texts)
    reply = weighers.dslr(Backend())(Rerank("Who?", texts, titles=("One", "Two"), units=units))
    assert [text.strip() for text in seen[0].texts] == ["Ann came.", "Bo left.", "Cy sat."]
    assert seen[0].titles == ("One", "One", "Two")
    assert reply.keeps == ((0.0, 1.0), (2.0,))


def test_a_small_folder_is_measured_in_one_json_object_and_a_part_once(tmp_path: Path) -> None:
    folder = tmp_path / testset.NQ
    folder.mkdir()
    chance = random.Random(0)
    rows = []
    for town in [f"{town}{end}" for town in TOWNS for end in ("", "en", "holm")]:
        text, answer = passage(town).text, f"Ada {town[:3]}y"
        context = {"title": town, "text": text + " It is " + chance.choice(["old", "new"]) + "."}
        rows.append(
            {"id": town, "question": f"Who is the mayor of {town}?", "answers": [answer], "contexts": [context]}
        )
    rows = [row | {"group": row["id"]} for row in rows]
    (folder / "normalized.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run("--data", str(tmp_path), "--only", "declining", "keeping", "--questions", "3")
    assert set(result["null_auc_by_set"]) == {testset.NQ}
    assert {"bm25", "dslr"} <= set(result["baseline_kept_at_20"])
    assert result["kept_words_at_20"] <= 0.2
    assert result["why_null"] == {}

    store = tmp_path / "store.json"
    again = ("--data", str(tmp_path), "--questions", "3", "--store", str(store), "--resume", "--only", "declining")
    first = run(*again)
    assert json.loads(store.read_text())["parts"]["declining"]["figures"] == ["null_auc", "null_auc_by_set"]
    store.write_text(json.dumps(first | {"null_auc": 0.123}))
    assert run(*again)["null_auc"] == 0.123  # not measured again
    assert run(*again, "--questions", "2")["null_auc"] != 0.123  # other questions
