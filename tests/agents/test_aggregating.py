"""Map-extract: items with quotes from every portion, computed over by code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from ragctx.agents.aggregating import MapExtract
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, ConfigError, RequestFailed
from ragctx.evaluation.scoring import correct
from ragctx.questions import Questions
from ragctx.types import Budget, Document, Question
from ragctx.work import Failure, Generate

EXAMPLES = Path(__file__).parents[2] / "examples"


def shown(request: Generate) -> list[str]:
    """The texts of the passages that a prompt shows."""
    text = request.messages[1].content
    mark = re.match(r"### \w+", text).group()
    return [block.partition("\n")[2].strip() for block in text.split(mark)[1:-1]]


def items(*quotes: str, **more: str) -> str:
    return json.dumps({"items": [{"name": "", "quote": quote, **more} for quote in quotes]})


def copying(pattern: str) -> Callable[[Generate], str]:
    """A model that copies every sentence or line in which something stands, asked for or not."""

    def says(request: Generate) -> str:
        if request.purpose != "extract items":
            return "count\nItem: one of them"
        pieces = [
            p.strip() for text in shown(request) for p in re.split(r"(?<=[.!?])\s+(?=[A-Z])|\n\n|\n(?=\w+: )", text)
        ]
        return "\n".join(f"- {' '.join(p.split())}" for p in pieces if re.search(pattern, p)) or "none"

    return says


@pytest.mark.parametrize(
    ("asked", "pattern", "number"),
    [
        ("q13", r"(?i)\bmeeting\b", "three"),
        ("q14", "Garrow|kickstand", "eleven"),
        ("q15", "tonne", "48"),
        ("q16", "Marigold (brought|landed|came|could not)", "six"),
        # A small model: one of a kind is listed, others are passed over, and much that was not asked for is listed.
        ("q13", r"approved|cheaper|Apologies|chair", "three"),
        ("q14", "RW-110|RW-105|brakes", "eleven"),
        ("q15", "tonne|night|hotel|crowns", "48"),
        ("q16", "Marigold brought coal|Marigold landed|came with diesel|Supplies|anemometer|kitchen garden", "six"),
    ],
)
def test_counting_questions_of_the_examples(asked: str, pattern: str, number: str, replying) -> None:
    question = next(q for q in Questions.read(EXAMPLES / "questions.jsonl") if q.id == asked)
    answer = replying(says=copying(pattern), window=32_768).answer(
        MapExtract(), question, Corpus.over(EXAMPLES / "documents")
    )
    assert correct(answer, question).correct, answer.text
    assert re.search(rf"\b{number}\b", answer.text, re.IGNORECASE)
    assert len(answer.citations) == (1 if asked == "q15" else answer.data["result"])


def test_every_citation_is_the_sentence_of_an_item(replying) -> None:
    corpus = Corpus.of({"log": "The boat came. It rained. The boat came again.", "notes": "A third boat sank."})
    says = {
        "extract items": lambda request: items("boat came again", "The boat came", "A third boat sank", "a 4th boat")
    }
    answer = replying(says=says).answer(MapExtract(), "How many boats are told of?", corpus)
    assert answer.data["result"] == 3
    assert [c.text for c in answer.citations] == ["The boat came.", "The boat came again.", "A third boat sank."]
    for item in answer.data["items"]:
        assert corpus.document(item["document"]).text[item["start"] : item["end"]] == item["quote"]
    assert "1 of 4 quotes (25 %) stand nowhere in the documents" in answer.notes
    assert all(one.share == 1 for one in answer.coverage)


def test_no_items_is_not_in_the_documents(replying) -> None:
    answer = replying(says=lambda request: "none").answer(MapExtract(), "How many cats?", Corpus.of("Dogs bark."))
    assert (answer.answerable, answer.citations) == (False, ())
    assert answer.text == "The documents do not answer this question."


def test_a_thousand_tiny_documents(replying) -> None:
    corpus = Corpus.of(*(f"Visitor {n} came from {'Garrow' if n % 4 == 0 else 'Emmer'}." for n in range(1000)))
    reader = replying(says=copying("Garrow"), window=4000)
    answer = reader.answer(MapExtract(), "How many visitors came from Garrow?", corpus)
    assert answer.data["result"] == 250
    assert answer.text.startswith("250: ")
    assert len(answer.text.split()) < 100
    assert len(reader.batches) == 2, "one plan, then all portions at once"


def test_portions_that_give_nothing_of_use_are_told(replying) -> None:
    failures = iter([Failure("timeout", "it took too long"), "", *[items("A cat sat")] * 50])
    says = {"extract items": lambda request: next(failures), "repair items": ""}
    corpus = Corpus.of(*(f"A cat sat on mat {n}. " + "It slept and slept. " * 20 for n in range(4)))
    answer = replying(says=says).answer(MapExtract(tokens=120), "How many cats sat?", corpus)
    told = next(note for note in answer.notes if "portions gave nothing of use" in note)
    assert told.startswith("2 of 4 portions")
    assert answer.data["result"] == 2
    assert [d.span.document for d in answer.dropped] == ["text-1", "text-2"]
    assert [one.read > 0 for one in answer.coverage] == [False, False, True, True]


def test_one_repair_try(replying) -> None:
    says = {"extract items": '{"items": [{"quote": 3, "name": ["x"]}]}', "repair items": items("A cat sat")}
    reader = replying(says=says)
    assert reader.answer(MapExtract(), "How many cats sat?", Corpus.of("A cat sat.")).data["result"] == 1
    [again] = reader.asked("repair items")
    assert "Input should be a valid" in again.messages[-1].content
    with pytest.raises(RequestFailed, match="larger model"):
        replying(says={"extract items": "{}", "repair items": "{}"}).answer(
            MapExtract(), "How many cats sat?", Corpus.of("A cat sat.")
        )


class Sale(BaseModel):
    """a sale of the shop"""

    buyer: str
    crowns: float


def test_a_schema_of_ones_own(replying) -> None:
    corpus = Corpus.of("Ada paid 30 crowns for a lamp. Bo paid 12.50 crowns for a rug.", "Cy paid 7 crowns.")

    def says(request: Generate) -> str:
        found = [
            {"buyer": who, "crowns": float(paid), "quote": f"{who} paid {paid} crowns"}
            for who, paid in re.findall(r"(\w+) paid ([\d.]*\d) crowns", request.messages[-1].content)
        ]
        return json.dumps(found)

    reader = replying(says=says)
    answer = reader.answer(MapExtract(schema=Sale), "How much did they pay all together?", corpus)
    assert answer.data["result"] == 49.5
    assert [item["buyer"] for item in answer.data["items"]] == ["Ada", "Bo", "Cy"]
    assert [request.purpose for request in reader.requests] == ["extract items"], "no plan is needed"
    assert "a sale of the shop" in reader.requests[0].messages[-1].content
    most = replying(says=says).answer(MapExtract(schema=Sale), "Who paid the highest price?", corpus)
    assert most.text == "Ada: 30."
    mean = replying(says=says).answer(MapExtract(schema=Sale), "What was paid on average?", corpus)
    assert mean.data["result"] == 16.5


def test_contradictory_documents_are_told(replying) -> None:
    def says(request: Generate) -> str:
        found = re.findall(r"The (\w+) costs (\d+) crowns", request.messages[-1].content)
        return "\n".join(
            json.dumps({"name": what, "value": cost, "quote": f"The {what} costs {cost} crowns"})
            for what, cost in found
        )

    corpus = Corpus.of(
        {"old": "The lamp costs 30 crowns. The rug costs 12 crowns.", "new": "The lamp costs 35 crowns."}
    )
    reader = replying(says={"extract items": says, "plan items": "sum\nItem: a price"})
    answer = reader.answer(MapExtract(), "How much do the goods cost all together?", corpus)
    assert answer.data["result"] == 42
    assert any("disagree about lamp: 30 (old) and 35 (new)" in note for note in answer.notes)


def test_groups_by_the_column_that_is_asked_for(replying) -> None:
    rows = [Document(f"parts#{n}", f"part: P-{n}\nwarehouse: {'Emmer' if n % 3 else 'Garrow'}") for n in range(9)]
    says = {
        "extract items": lambda request: "\n".join(
            f"- {line}" for line in re.findall(r"part: P-\d", str(shown(request)))
        )
    }
    answer = replying(says=says).answer(MapExtract(), "How many parts are there for each warehouse?", Corpus.of(*rows))
    assert answer.data["result"] == {"Garrow": 3, "Emmer": 6}


def test_a_row_is_named_by_its_number_alone(replying) -> None:
    rows = [Document(f"parts#{n}", f"part: P-{n}\nwarehouse: {'Emmer' if n % 3 else 'Garrow'}") for n in range(9)]
    answer = replying(says={"extract items": "[1]\n[4]"}).answer(
        MapExtract(), "Which parts lie in Garrow?", Corpus.of(*rows)
    )
    assert answer.data["result"] == ["P-0 Garrow", "P-3 Garrow", "P-6 Garrow"]
    assert "1 item added: rows that say the same as those the model listed" in answer.notes


def test_the_check_leaves_items_out(replying) -> None:
    corpus = Corpus.of("A cat sat. A dog sat. A cat ran.")
    says = {
        "extract items": items("A cat sat", "A dog sat", "A cat ran"),
        "check item": lambda request: "no" if "Text: A dog" in request.messages[-1].content else "Yes",
    }
    answer = replying(says=says).answer(MapExtract(check=True), "How many cats are there?", corpus)
    assert answer.data["result"] == 2
    assert "1 of 3 items were left out by the check" in answer.notes


def test_refuses_before_the_first_call(replying) -> None:
    corpus = Corpus.of(*(f"A cat sat on mat {n}. " + "It slept and slept. " * 20 for n in range(9)))
    for budget in (Budget(tokens=900), Budget(calls=3)):
        reader = replying()
        with pytest.raises(BudgetSpent):
            reader.answer(MapExtract(tokens=100), Question("How many cats?", budget=budget), corpus)
        assert not reader.requests


def test_an_answer_type_of_one_field(replying) -> None:
    class Total(BaseModel):
        total: int

    class Two(BaseModel):
        one: int
        other: int

    corpus, says = Corpus.of("A cat sat."), {"extract items": items("A cat sat")}
    asked = Question("How many cats sat?", answer_type=Total)
    assert replying(says=says).answer(MapExtract(), asked, corpus).data == {"total": 1}
    with pytest.raises(ConfigError, match="one field"):
        replying(says=says).answer(MapExtract(), Question("How many?", answer_type=Two), corpus)


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="no operation is called"):
        MapExtract(operation="median")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="needs room"):
        MapExtract(tokens=0)
    with pytest.raises(ConfigError, match="no pydantic model"):
        MapExtract(schema="Sale")  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["How many meetings were held?", "List the roofs."])
def test_the_estimate_is_near(asked: str, replying) -> None:
    corpus = Corpus.over(EXAMPLES / "documents" / "minutes-tessel-library.txt")
    reader = replying(window=8000, says=copying("meeting"))
    guess = MapExtract().estimate(Question(asked), corpus, reader.models)
    reader.answer(MapExtract(), asked, corpus)
    assert abs(guess.prompt.expected - reader.prompt_tokens) <= 0.1 * reader.prompt_tokens
    assert guess.prompt.low <= reader.prompt_tokens <= guess.prompt.high <= 4 * guess.prompt.low


@pytest.mark.parametrize("said", ["4", "- 4\n- 4\n- 4"])
def test_a_figure_in_place_of_items_is_no_item(said: str, replying) -> None:
    """A model that counts by itself writes a figure, which stands in some text or other."""
    corpus, asked = Corpus.of("Garrow kept 4 boats. Emmer kept 4 more of them."), Question("How many boats are there?")
    reader = replying(says={"extract items": said, "repair items": said})
    with pytest.raises(RequestFailed, match="holds no item"):
        reader.answer(MapExtract(item="a boat", operation="count"), asked, corpus)
    assert reader.asked("repair items"), "it is asked once more"


def test_what_was_shortened_keeps_its_dots(replying) -> None:
    signed = "Signed for the landlord by Ilse Marrow, managing partner, and for the tenant by Tomas Reeve and Ada Lund."
    reader = replying(says={"extract items": f"- {signed}"})
    answer = reader.answer(MapExtract(item="a lease", operation="count"), Question("How many?"), Corpus.of(signed))
    assert answer.text.startswith("One: Signed for the landlord")
    assert answer.text.endswith(" ...")
    assert " ." not in answer.text.removesuffix(" ...")
