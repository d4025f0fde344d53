"""A reply that begins with the prompt's own fence line."""

from __future__ import annotations

import re

import pytest

from ragctx.corpus import Corpus
from ragctx.grounding.echo import unfenced
from ragctx.strategies import Full
from ragctx.types import Document, Question
from ragctx.work import Completion, run

POLICY = "The hotel ceiling is 140 euros a night. Trains are booked in second class."


class Echo:
    """Answers with a script in which MARK stands for the mark of the prompt it was sent."""

    def __init__(self, says: str) -> None:
        self.says = says

    def __call__(self, requests):
        prompt = requests[0].messages[-1].content
        mark = re.search(r"^(#+ \w+) end$", prompt, re.M)[1]
        return [Completion(self.says.replace("MARK", mark))]


@pytest.mark.parametrize(
    "said",
    [
        "MARK [1] travel-policy.md\nThe hotel ceiling is 140 euros a night.",
        "MARK travel-policy.md The hotel ceiling is 140 euros a night.",
        "MARK [1] travel-policy.md\nThe hotel ceiling is 140 euros a night.\nMARK end",
        "MARK end\nThe hotel ceiling is 140 euros a night. [1]",
        "MARK [1]\nThe hotel ceiling is 140 euros a night.",
        "MARK\nThe hotel ceiling is 140 euros a night. MARK",
    ],
)
def test_fence_lines_are_not_shown(scripted, said: str) -> None:
    corpus = Corpus.over(Document("travel-policy.md", POLICY))
    models = scripted().models
    answer = run(Full().read(Question("What may a hotel cost?"), corpus, models), Echo(said))
    assert answer.text == "The hotel ceiling is 140 euros a night."
    assert [citation.text for citation in answer.citations] == ["The hotel ceiling is 140 euros a night."]
    assert answer.unverified == 0


@pytest.mark.parametrize(
    "said",
    [
        "### 2023 results\nHotels: 140 euros.",
        "# travel-policy.md",
        "See travel-policy.md [1].",
        "#1 is the hotel.",
        "###",
    ],
)
def test_other_headings_stay(said: str) -> None:
    corpus = Corpus.over(Document("travel-policy.md", POLICY))
    assert unfenced(said, corpus.everything().passages, corpus.manifest) == said


def test_quotes_of_documents_stay(scripted) -> None:
    """A document with a line in the form of a fence gets another mark, so its own line is never taken for ours."""
    text = "### 19b2 [1] rules.txt\nPets are welcome in the garden."
    corpus = Corpus.over(Document("rules.txt", text))
    answer = run(Full().read(Question("Pets?"), corpus, scripted().models), Echo("MARK [1] rules.txt\n" + text))
    assert answer.text.startswith("### 19b2")
    assert "Pets are welcome in the garden." in answer.text
