"""The whole product offline: `extract` over an indexed folder of documents, from data sets or one's own.

    python benchmarks/answering.py --data DIR [--part dev] [--questions N] [--sure P] [--sentence P] ...
    python benchmarks/answering.py --file QUESTIONS --documents FOLDER

The articles of a set's part become documents without some of their passages: questions about those cannot be answered
from what is left, though the rest of their article stands there. All others are facts. Beside the figures at the
strategy's thresholds, on the dev part alone a grid tells what other thresholds would give: none is chosen on the test
part, where there is no grid.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from testset import NQ, WIKI, answered

from ragctx import Corpus, Pipeline, Questions
from ragctx.encoders import open_ranker
from ragctx.engine import SqliteStore
from ragctx.evaluation.scoring import Score, correct
from ragctx.strategies import Extract
from ragctx.types import Answer, Document, Question
from training.reader.examples import Example, Passage, found, sample, share
from training.reader.sets import read

SETS = (WIKI, "covidqa", "fairytaleqa", NQ)
OUT = 0.35
"""Share of the passages that are left out, so that their questions cannot be answered."""
SURE = tuple(round(step / 20, 2) for step in range(1, 20))
SENTENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MOST_DECLINED = 0.15
"""Of the facts, in the settings that the grid recommends."""
OPTIONS = ("sure", "sentence", "support", "candidates")


@dataclass(frozen=True, slots=True)
class Case:
    """One question of a set; `removed` is whether its passage was left out of the documents."""

    question: Question
    removed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a question.

    Attributes:
        score: of the answer at the thresholds. stretch, sentence: of the answers that no threshold holds back.
        stretch_p, sentence_p: how likely they are.
    """

    id: str
    question: str
    gold: tuple[str, ...]
    answerable: bool
    said: str
    confidence: float | None
    score: Score
    stretch: Score
    stretch_said: str
    stretch_p: float
    sentence: Score
    sentence_said: str
    sentence_p: float


def removed(passage: Passage) -> bool:
    """Whether a passage is left out of the documents: by its text alone, so in every run the same."""
    return share(f"left out: {passage.text}") < OUT


def documents(examples: Sequence[Example]) -> list[Document]:
    """An article each, of all passages that the examples know but those left out; articles of nothing are none."""
    held: dict[tuple[str, str], dict[str, None]] = {}
    for passage in (p for e in examples for p in (e.passage, *e.negatives)):
        texts = held.setdefault((passage.article, passage.title), {})
        if not removed(passage):
            texts[passage.text.strip()] = None
    return [
        Document(f"{number}-{article}", "\n\n".join(texts), title=title)
        for number, ((article, title), texts) in enumerate(held.items())
        if texts
    ]


def cases(examples: Sequence[Example]) -> list[Case]:
    """The questions with a short answer; one whose passage is gone is none if its article says the answer elsewhere."""
    left: dict[str, dict[str, None]] = {}
    for passage in (p for e in examples for p in (e.passage, *e.negatives) if not removed(p)):
        left.setdefault(passage.article, {})[passage.text] = None
    made = []
    for example in (e for e in examples if e.answers):
        gone, answers = removed(example.passage), answered(example)
        if gone and any(found(answers, text) for text in left.get(example.passage.article, ())):
            continue
        asked = Question(example.question, f"{example.source}/{example.id}", answers=tuple(answers))
        made.append(Case(asked, gone))
    return made


def balanced(every: Sequence[Case], count: int) -> list[Case]:
    """At most `count` facts and as many that cannot be answered; all where it is 0."""
    facts, gone = ([case for case in every if case.removed is which] for which in (False, True))
    return [*_some(facts, count), *_some(gone, count)]


def _some(group: Sequence[Case], count: int) -> list[Case]:
    return [group[place] for place in sorted(sample(range(len(group)), count))]


@contextmanager
def asking(sources: Sequence[Document | Path], wanted: argparse.Namespace) -> Iterator[Pipeline]:
    """A pipeline of three ways: as set, and with the stretch or the sentence that is likeliest, however likely."""
    given = {name: getattr(wanted, name) for name in OPTIONS if getattr(wanted, name) is not None}
    ways = {
        "set": Extract(**given),
        "stretch": Extract(**{**given, "sure": 0.0}),
        "sentence": Extract(**{**given, "sure": 1.0, "sentence": 0.0}),
    }
    model = open_ranker(wanted.ranker, threads=wanted.threads)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Corpus.over(*sources, folder=Path(scratch) / "index")
        store = SqliteStore(wanted.replies or Path(scratch) / "replies.sqlite")
        with Pipeline(corpus, {"reader": model, "ranker": model}, strategies=ways, store=store) as pipeline:
            pipeline.prepare()
            yield pipeline


def rows(pipeline: Pipeline, asked: Sequence[Case]) -> Iterator[Row]:
    """Every question asked in the three ways; the model reads for the first alone, the store knows the rest."""
    for case in asked:
        said = {way: pipeline.ask(case.question, strategy=way) for way in ("set", "stretch", "sentence")}
        label = replace(case.question, answerable=not case.removed)
        yield Row(
            case.question.id,
            case.question.text,
            case.question.answers,
            not case.removed,
            said["set"].text,
            said["set"].confidence,
            correct(said["set"], label),
            _against(case, said["stretch"]),
            said["stretch"].text,
            _sure(said["stretch"]),
            _against(case, said["sentence"]),
            said["sentence"].text,
            _sure(said["sentence"]),
        )


def _against(case: Case, answer: Answer) -> Score:
    """The score as if the question could be answered, so that none is right for declining."""
    if case.question.answers:
        return correct(answer, replace(case.question, answerable=True))
    return Score(correct=False, abstained=not answer.answerable)


def _sure(answer: Answer) -> float:
    return answer.confidence or 0.0 if answer.answerable else 0.0


def figures(made: Sequence[Row]) -> dict[str, float]:
    """EM, F1 and shares at the thresholds; shares of what was asked, declined answers included."""
    facts, gone = _divided(made)
    told = {
        "facts": len(facts),
        "em": _share([row.score.em for row in facts]),
        "f1": _share([row.score.f1 for row in facts]),
        "right": _share([row.score.correct for row in facts]),
        "facts_declined": _share([row.score.abstained for row in facts]),
        "unanswerable": len(gone),
        "declined": _share([row.score.abstained for row in gone]),
    }
    return told | {"confidence_gap": _gap(made)}


def _gap(made: Sequence[Row]) -> float:
    """By how much the mean probability of the likeliest stretches is above the share that is right."""
    return _share([row.stretch_p - (row.stretch.correct and row.answerable) for row in made])


def at(made: Sequence[Row], sure: float, sentence: float) -> dict[str, float]:
    """What the strategy would do with other thresholds: the stretch, else the sentence, else nothing."""
    facts, gone = ([_chosen(row, sure, sentence) for row in group] for group in _divided(made))
    return {
        "sure": sure,
        "sentence": sentence,
        "right": _share([said is not None and said.correct for said in facts]),
        "facts_declined": _share([said is None for said in facts]),
        "declined": _share([said is None for said in gone]),
    }


def _chosen(row: Row, sure: float, sentence: float) -> Score | None:
    if row.stretch_p >= sure and not row.stretch.abstained:
        return row.stretch
    return row.sentence if row.sentence_p >= sentence and not row.sentence.abstained else None


def grid(by_set: dict[str, list[Row]]) -> list[dict[str, float]]:
    """Means over the sets for every pair of thresholds, the best first: those that decline few facts lead."""
    every = []
    for sure, sentence in itertools.product(SURE, SENTENCE):
        told = [at(made, sure, sentence) for made in by_set.values()]
        every.append({name: round(fmean(each[name] for each in told), 4) for name in told[0]})
    return sorted(every, key=lambda row: (row["facts_declined"] > MOST_DECLINED, -row["right"] - row["declined"]))


def _divided(made: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    return [row for row in made if row.answerable], [row for row in made if not row.answerable]


def _share(values: Sequence[float]) -> float:
    return round(fmean(values), 4) if values else 0.0


def from_data(wanted: argparse.Namespace) -> dict[str, list[Row]]:
    """Every set of the folder, a corpus of its own each."""
    every, told = read(wanted.data), {}
    for name in wanted.sets:
        examples = [e for e in every if e.source == name and e.part == wanted.part]
        asked = balanced(cases(examples), wanted.questions)
        if asked:
            with asking(documents(examples), wanted) as pipeline:
                told[name] = list(rows(pipeline, asked))
    return told


def from_file(wanted: argparse.Namespace) -> dict[str, list[Row]]:
    """A question file over a folder of documents."""
    asked = [Case(question, question.answerable is False) for question in Questions.read(wanted.file)]
    usable = [case for case in asked if case.removed or case.question.answers]
    with asking([wanted.documents], wanted) as pipeline:
        return {wanted.file.name: list(rows(pipeline, usable))}


def options(said: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RAGCTX_BENCH_DATA"))
    parser.add_argument("--part", choices=["dev", "test"], default="dev")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--file", type=Path, help="question file, instead of data sets")
    parser.add_argument("--documents", type=Path, help="folder that the question file is about")
    parser.add_argument("--questions", type=int, default=60, help="facts of a set, and as many unanswerable; 0 is all")
    parser.add_argument("--sure", type=float, help="probability from which a stretch is the answer")
    parser.add_argument("--sentence", type=float, help="probability from which a sentence stands for it")
    parser.add_argument("--support", type=float, help="what further passages that say the same are worth")
    parser.add_argument("--candidates", type=int, help="chunks that are read")
    parser.add_argument("--ranker", default="extractive", help="`extractive:FOLDER` for weights of one's own")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--replies", type=Path, help="file of the model's replies: asking again reads nothing twice")
    parser.add_argument("--rows", type=Path, help="write a line for every question to this file")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables, with the whole grid")
    wanted = parser.parse_args(said)
    if bool(wanted.file) != bool(wanted.documents) or not (wanted.file or wanted.data):
        parser.error("give --data DIR (or RAGCTX_BENCH_DATA), or --file and --documents")
    wanted.data = Path(wanted.data) if wanted.data else None
    return wanted


def main(said: Sequence[str] | None = None) -> None:
    """Ask, and print."""
    wanted = options(said)
    by_set = from_file(wanted) if wanted.file else from_data(wanted)
    told: dict[str, object] = {"by_set": {name: figures(made) for name, made in by_set.items()}}
    if by_set and not wanted.file and wanted.part == "dev":
        told["grid"] = grid(by_set)
    if wanted.rows:
        lines = (json.dumps({"set": name, **asdict(row)}) for name, made in by_set.items() for row in made)
        wanted.rows.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(json.dumps(told) if wanted.json else "\n".join(tables(told)))


def tables(told: dict[str, object]) -> list[str]:
    """The figures by set, and the first rows of the grid."""
    by_set, best = told["by_set"], told.get("grid", [])
    assert isinstance(by_set, dict)
    assert isinstance(best, list)
    lines = [f"{name}: " + ", ".join(f"{key} {value}" for key, value in row.items()) for name, row in by_set.items()]
    return lines + [", ".join(f"{key} {value}" for key, value in row.items()) for row in best[:12]]


if __name__ == "__main__":
    main()
