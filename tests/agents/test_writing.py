"""Long texts: the plan and what is wrong with it, part by part, lengths asked and reached, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragctx.agents import outlines
from ragctx.agents.outlines import EXAMPLE, Step, count, ending, length_score, outline, planned, wanted
from ragctx.agents.writing import AgentWrite
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError, RequestFailed
from ragctx.types import Budget, Question
from ragctx.work import Failure

ASKED = Question("Write a report of 600 words on the clauses.")


@pytest.fixture
def corpus() -> Corpus:
    text = "\n\n".join(f"Clause {n} concerns matter {n % 7}. The parties keep {n} copies of it." for n in range(80))
    return Corpus.of({"lease": text})


def test_the_text_is_its_parts_and_its_length_is_reported(corpus: Corpus, replying) -> None:
    reader = replying(window=4_000)
    answer = reader.answer(AgentWrite(), ASKED, corpus)
    assert [request.purpose for request in reader.requests] == ["plan", "part", "part", "part", "part"]
    assert len(answer.text.split("\n\n")) == 4
    assert answer.notes[0] == "asked for 600 words, wrote 600 in 4 parts: length score 100 of 100"
    assert not any(request.final for request in reader.requests)
    assert any(one.read for one in answer.coverage)


def test_a_part_sees_the_plan_and_the_last_part_but_not_all_text(corpus: Corpus, replying) -> None:
    said = iter(f"Sentence {n} opens it. And more follows for a while. It ends in word{n}." for n in range(1, 5))
    reader = replying(window=4_000, says={"part": lambda request: next(said)})
    reader.answer(AgentWrite(), ASKED, corpus)
    last = reader.requests[-1].messages[-1].content
    assert "1. Matter number 1 (written: Sentence 1 opens it.)" in last
    assert "4. Matter number 4\n" in last
    assert "It ends in word3." in last
    assert "It ends in word2." not in last


def test_passages_are_found_for_every_part_and_cited_by_their_numbers(replying) -> None:
    corpus = Corpus.of({"a": "Rent is due on the first.", "b": "Keys are two. They open the yard."})
    says = {"plan": "1. Rent | 50 words\n2. Keys | 50 words", "part": lambda r: "Keys are two [2]."}
    answer = replying(beside=(), says=says).answer(
        AgentWrite(retriever="bm25"), Question("Write 100 words on keys and rent"), corpus
    )
    assert "[2]" not in answer.text
    assert "Keys are two." in [citation.text for citation in answer.citations]


def test_a_plan_of_too_many_lines_is_sent_back_once(corpus: Corpus, replying) -> None:
    long = "\n".join(f"{n}. Point {n} | 10 words" for n in range(1, 8))
    reader = replying(window=4_000, says={"plan": long})
    answer = reader.answer(AgentWrite(steps=5), ASKED, corpus)
    assert [request.purpose for request in reader.requests[:2]] == ["plan", "plan again"]
    assert "it has 7 lines" in reader.requests[1].messages[-1].content
    assert answer.text
    reader = replying(window=4_000, says={"plan": long, "plan again": long})
    answer = reader.answer(AgentWrite(steps=5), ASKED, corpus)
    assert [request.purpose for request in reader.requests] == ["plan", "plan again", "part"]
    assert any("written in one part" in note for note in answer.notes)


def test_nothing_in_the_documents_is_a_refusal(corpus: Corpus, replying) -> None:
    reader = replying(window=4_000, says={"plan": "Not in the documents."})
    assert not reader.answer(AgentWrite(), ASKED, corpus).answerable
    assert len(reader.requests) == 1


def test_a_failed_part_is_left_out_and_told(corpus: Corpus, replying, sensible) -> None:
    failed: list[object] = []

    def part(request):
        if not failed:
            failed.append(request)
            return Failure("server", "the server is down: try again later")
        return sensible["part"](request)

    answer = replying(window=4_000, says={"part": part}).answer(AgentWrite(), ASKED, corpus)
    assert any("part 1 failed" in note for note in answer.notes)
    assert "in 3 parts" in answer.notes[0]
    reader = replying(window=4_000, says={"part": lambda r: Failure("server", "it is down: try again later")})
    with pytest.raises(RequestFailed, match="down"):
        reader.answer(AgentWrite(), ASKED, corpus)


def test_a_budget_that_ends_midway_leaves_the_parts_so_far(corpus: Corpus, replying) -> None:
    asked = Question(ASKED.text, budget=Budget(calls=3))
    answer = replying(window=4_000, calls=3).answer(AgentWrite(), asked, corpus)
    assert any(note.startswith("2 of 4 parts were written") for note in answer.notes)
    with pytest.raises(LimitError):
        replying(window=4_000, calls=1).answer(AgentWrite(), Question(ASKED.text, budget=Budget(calls=1)), corpus)


def test_a_part_that_is_cut_ends_with_a_whole_sentence(corpus: Corpus, replying) -> None:
    reader = replying(window=4_000, says={"part": "It is kept. " * 400 + "and"})
    answer = reader.answer(AgentWrite(words=100), Question("Report."), corpus)
    assert answer.text.endswith("It is kept.")


@pytest.mark.parametrize("words", [60, 400, 1_500])
def test_estimates_hold(words: int, corpus: Corpus, replying) -> None:
    reader, strategy = replying(window=8_000), AgentWrite(words=words)
    estimate = strategy.estimate(ASKED, corpus, reader.models)
    reader.answer(strategy, ASKED, corpus)
    assert estimate.prompt.low <= reader.prompt_tokens <= estimate.prompt.high
    assert estimate.prompt.expected == pytest.approx(reader.prompt_tokens, rel=0.25)
    assert estimate.calls.expected == len(reader.requests)
    assert estimate.prompt.high <= 4 * estimate.prompt.low


def test_plans_are_read_leniently() -> None:
    reply = "Plan:\n**1. The lease** - 100 words\n2) Its end (about 80-100 words)\n\nPart 3: Keys | 100 words"
    steps, problem = planned(reply, most=5, words=300)
    assert not problem
    assert [step.point for step in steps] == ["The lease", "Its end", "Keys"]
    assert [step.words for step in steps] == [100, 100, 100]
    assert planned("- One\n- Two", most=5, words=90)[0] == (Step("One", 45), Step("Two", 45))
    assert planned("", most=5, words=90)[1]


def test_the_shown_plan_is_nobodys_plan() -> None:
    """Small models wrote it down, and then a text on a mill that no document names."""
    template = (Path(outlines.__file__).parent / "texts" / "writing.toml").read_text("utf-8")
    assert all(point in template for point in EXAMPLE)
    copied = "".join(f"{number}. {point} | 40 words\n" for number, point in enumerate(EXAMPLE, 1))
    assert planned(copied, most=5, words=80) == ((), "it is the plan of another text: plan the text that is asked for")
    cut = '"plan": "1. How the mill came to be built | 133 words\\n2. Who has kept it running since'
    assert not planned(f"1. {cut}\n2. The mill came to be built", most=5, words=80)[0]
    assert planned("1. How the mill was built in 1790 | 80 words", most=5, words=80)[0]
    mixed = planned(copied + "3. The lease | 40 words", most=5, words=80)
    assert mixed == ((Step("The lease", 80),), "")


def test_lengths() -> None:
    assert [length_score(100, y) for y in (0, 100, 400, 50, 33)] == [0.0, 100.0, 0.0, 50.0, 0.0]
    assert [wanted(t) for t in ("in 1,200 words", "a 500-word essay", "In a word?", "0 words")] == [
        1200,
        500,
        None,
        None,
    ]
    assert count("It's 3.5 km.") == 4
    assert ending("One two three. Four five six.", 4) == "Four five six."
    assert outline([Step("A", 1), Step("B", 1)], [""]) == "1. A (left out)\n2. B"


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        AgentWrite(steps=0)


def test_no_plan_makes_more_calls_than_were_planned(corpus: Corpus, replying) -> None:
    long = "\n".join(f"{n}. Point {n} | 10 words" for n in range(1, 40))
    for said in ({"plan": long, "plan again": long}, {"plan": long}):
        reader, strategy = replying(window=4_000, says=said), AgentWrite()
        estimate = strategy.estimate(ASKED, corpus, reader.models)
        answer = reader.answer(strategy, ASKED, corpus)
        assert answer.text
        assert reader.asked("plan again"), "39 lines for 600 words are sent back"
        assert len(reader.requests) <= estimate.calls.high


def test_a_refused_plan_is_within_the_planned_calls(corpus: Corpus, replying) -> None:
    reader = replying(window=4_000, says={"plan": "Not in the documents."})
    estimate = AgentWrite().estimate(ASKED, corpus, reader.models)
    reader.answer(AgentWrite(), ASKED, corpus)
    assert estimate.calls.low <= len(reader.requests)
    assert estimate.output.low <= reader.output_tokens
