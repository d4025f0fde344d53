"""Long-context sets by the form of their released files: LongBench, L-Eval, LaRA and RULER."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.datasets.rows import Row, content, lines
from ragctx.types import Document, Question

_LONGBENCH: Final[Mapping[str, str]] = {
    "trec": "longbench-classification",
    "lsht": "longbench-classification",
    "triviaqa": "longbench-f1-first-line",
    "samsum": "longbench-rouge-l-first-line",
    "gov_report": "longbench-rouge-l",
    "qmsum": "longbench-rouge-l",
    "multi_news": "longbench-rouge-l",
    "passage_count": "longbench-count",
    "passage_retrieval_en": "longbench-retrieval",
    "passage_retrieval_zh": "longbench-retrieval",
    "lcc": "longbench-code",
    "repobench-p": "longbench-code",
    "multifieldqa_zh": "longbench-f1-zh",
}
_LONGBENCH_ASKS: Final[Mapping[str, str]] = {
    "gov_report": "Summarise the report.",
    "multi_news": "Summarise the articles.",
    "vcsum": "总结会议内容。",
    "passage_count": "How many different paragraphs are there, repetitions left out? Answer with the number alone.",
    "lcc": "Write the next line of the code.",
}
# These two are scored over jieba's words, for which no measure here stands in: `correct` is not theirs.
_LONGBENCH_OTHER: Final = frozenset({"dureader", "vcsum"})
_LEVAL: Final[Mapping[str, str]] = {"exam": "leval-option", "f1": "squad-f1", "rouge": "rouge-l"}
_LARA_UNANSWERABLE: Final = frozenset({"hallu", "hallucination"})
_PARTS = 2


def longbench(path: Path) -> Iterator[Example]:
    """LongBench (arXiv 2308.14508): `context`, `input`, `answers`, `dataset`, `all_classes`, `_id`.

    A task that is the same for every row comes with an empty `input`; it is asked in words of ours.

    Raises:
        InputError: a field cannot be used.
    """
    for number, row in enumerate(lines(path)):
        dataset = row.text("dataset", default=path.stem)
        name = dataset.removesuffix("_e")
        identity = row.text("_id", "id", default=f"{dataset}-{number}")
        document = Document(identity, row.filled("context"))
        asked = row.text("input", default="").strip() or _LONGBENCH_ASKS.get(name) or row.filled("input")
        classes = row.texts("all_classes") if row.values.get("all_classes") else ()
        question = Question(
            asked,
            id=identity,
            answers=row.texts("answers"),
            kind=dataset,
            metadata={"classes": "\n".join(classes)} if classes else {},
        )
        metric = "" if name in _LONGBENCH_OTHER else _LONGBENCH.get(name, "longbench-f1")
        yield Example(question, (document,), (), document.id, metric)


def leval(path: Path) -> Iterator[Example]:
    """L-Eval (arXiv 2307.11088): a document as `input`, its questions as `instructions`, their `outputs`.

    Raises:
        InputError: a field cannot be used, or there are more questions than answers.
    """
    for number, row in enumerate(lines(path)):
        document = Document(f"{path.stem}-{number}", row.filled("input"))
        asked, answers = row.texts("instructions"), row.texts("outputs")
        if len(asked) != len(answers):
            row.wrong("outputs", f"has {len(answers)} answers for {len(asked)} instructions")
        metric = "leval-options" if path.stem == "coursera" else _LEVAL.get(row.text("evaluation", default=""), "")
        for turn, (text, answer) in enumerate(zip(asked, answers, strict=True)):
            if not text.strip():
                row.wrong("instructions", f"number {turn + 1} is empty")
            question = Question(text, id=f"{document.id}-{turn}", answers=(answer,), kind=path.stem)
            yield Example(question, (document,), (), document.id, metric)


def lara(path: Path) -> Iterator[Example]:
    """LaRA (arXiv 2502.09977): `32k_book_location.jsonl` in `query/`, its texts in `../32k/book/FILE`.

    A question of the hallucination type has no answer in its text: declining is right.

    Raises:
        InputError: a field cannot be used, the file's name says neither length nor domain, or a text is not there.
    """
    parts = path.stem.split("_")
    root = path.parent.parent.joinpath(*parts[:_PARTS])
    texts: dict[str, Document] = {}
    for number, row in enumerate(lines(path)):
        file, kind = row.filled("file"), row.text("type", default=parts[-1])
        if file not in texts:
            if Path(file).name != file:
                row.wrong("file", f"{file!r} is not the name of a file")
            texts[file] = Document("/".join((*parts[:_PARTS], file)), content(root / file), source=file)
        answerable = parts[-1] not in _LARA_UNANSWERABLE and kind not in _LARA_UNANSWERABLE
        question = Question(
            row.filled("question"),
            id=f"{path.stem}-{number}",
            answers=row.texts("answer", "ground_truth") if answerable else (),
            kind=parts[-1],
            answerable=answerable,
        )
        yield Example(question, (texts[file],), (), texts[file].id, "lveval-recall")


def ruler(path: Path) -> Iterator[Example]:
    """RULER (arXiv 2404.06654): `input`, whose last line asks, `outputs`, `index`; or `context` and `question` apart.

    Raises:
        InputError: a field cannot be used, or `input` has one line only.
    """
    for number, row in enumerate(lines(path)):
        identity = f"{path.parent.name}-{row.text('index', default=str(number))}"
        context, asked = _prompt(row)
        answers = row.texts("outputs", "answers")
        metric = "ruler-any" if path.parent.name.startswith("qa") or path.stem.startswith("qa") else "ruler-all"
        question = Question(asked, id=identity, answers=answers, kind=row.text("task", default=path.parent.name))
        yield Example(question, (Document(identity, context),), (), identity, metric)


def _prompt(row: Row) -> tuple[str, str]:
    if "question" in row.values:
        return row.filled("context", "input"), row.filled("question")
    context, line, asked = row.filled("input").rstrip().rpartition("\n")
    return (context, asked) if line else row.wrong("input", "has no line of its own that asks")
