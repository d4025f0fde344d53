"""Summaries of any length: levels, limits, what is valid, what takes the place of what is not, what was read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pytest

from ragctx.agents.hierarchical import grouped, grown
from ragctx.agents.summaries import ended
from ragctx.agents.summarising import Summarise
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, ConfigError, DoesNotFit, RequestFailed
from ragctx.types import Budget, Question
from ragctx.work import Failure, Generate

ASKED = Question("What do the clauses say?")


def clauses(count: int = 120) -> str:
    return "\n\n".join(f"Clause {n} concerns matter {n % 7}. The parties keep {n} copies of it." for n in range(count))


def numbered() -> Callable[[Generate], str]:
    """A model whose every summary is another sentence."""
    said: list[str] = []

    def says(request: Generate) -> str:
        said.append(request.purpose)
        return f"Summary number {len(said)} of the clauses is this sentence."

    return says


def shares(answer) -> list[float]:
    return [one.share for one in answer.coverage]


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.of({"lease": clauses()})


@pytest.mark.parametrize("workflow", ["hierarchical", "incremental"])
def test_everything_is_read_once_and_coverage_says_so(workflow: str, corpus: Corpus, replying) -> None:
    reader = replying(window=1_000, says=numbered())
    answer = reader.answer(Summarise(workflow, part=300), ASKED, corpus)
    assert shares(answer) == [pytest.approx(1.0, abs=0.02)]
    prompts = "\n".join(request.messages[-1].content for request in reader.requests)
    assert all(prompts.count(f"Clause {n} concerns") == 1 for n in range(120))
    assert answer.text == f"Summary number {len(reader.requests)} of the clauses is this sentence."


def test_a_level_goes_out_in_one_go_and_levels_follow_each_other(corpus: Corpus, replying) -> None:
    reader = replying(window=600, says=numbered())
    answer = reader.answer(Summarise(part=200, length=120), ASKED, corpus)
    sizes = [len(batch) for batch in reader.batches]
    assert len(sizes) >= 3
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    [last] = reader.batches[-1]
    assert last.final
    assert not any(request.final for batch in reader.batches[:-1] for request in batch)
    assert f"{sizes[0]} parts" in answer.notes[0]


def test_limits_grow_to_the_top(corpus: Corpus, replying) -> None:
    reader = replying(window=600, says=numbered())
    reader.answer(Summarise(part=200, length=120), ASKED, corpus)
    limits = [batch[0].sampling.max_tokens for batch in reader.batches]
    assert limits == sorted(limits)
    assert limits[-1] == 120
    assert limits[-2] == int(120 * 0.65)


def test_a_tree_always_ends_in_one() -> None:
    for parts in (1, 2, 3, 7, 100, 5_000):
        for fan in (0, 2, 5, 40):
            tree = grown(parts, 400, lambda child, own, fan=fan: fan)
            assert tree.counts[0] == parts
            assert tree.counts[-1] == 1
            assert tree.limits[-1] == 400
            sizes = [len(g) for a, b in zip(tree.counts, tree.counts[1:], strict=False) for g in grouped(range(a), b)]
            assert max(sizes, default=0) <= max(2, fan)


def test_a_summary_that_does_not_end_is_asked_for_again_with_fewer_words(replying) -> None:
    corpus = Corpus.of(clauses(20))
    replies = iter(["The clauses concern", "The clauses concern matters."])
    reader = replying(window=2_000, says=lambda request: next(replies))
    answer = reader.answer(Summarise(), ASKED, corpus)
    assert answer.text == "The clauses concern matters."
    first, second = reader.requests
    words = [int(re.search(r"at most (\d+) words", r.messages[-1].content)[1]) for r in (first, second)]  # type: ignore[index]
    assert words[1] == pytest.approx(0.9 * words[0], abs=1)
    assert (first.sampling.temperature, second.sampling.temperature) == (0.0, 0.5)
    assert (first.final, second.final) == (True, False)


def test_what_never_ends_is_cut_after_its_last_whole_sentence(replying) -> None:
    corpus = Corpus.of(clauses(40))
    reader = replying(window=2_000, says=lambda request: "It concerns matters. " + "and so on " * 500)
    answer = reader.answer(Summarise(tries=2), ASKED, corpus)
    assert answer.text == "It concerns matters."
    assert len(reader.requests) == 2
    assert any("cut after its last whole sentence" in note for note in answer.notes)


def test_a_summary_longer_than_its_source_gives_place_to_it(replying) -> None:
    corpus = Corpus.of("Rent is due monthly.")
    reader = replying(says=lambda request: "The document says that the rent of the tenant is due each month.")
    answer = reader.answer(Summarise(), ASKED, corpus)
    assert answer.text == "Rent is due monthly."
    assert len(reader.requests) == 1
    assert any("longer than its source" in note for note in answer.notes)
    assert shares(answer) == [1.0]


def test_a_part_that_failed_is_told_dropped_and_not_covered(corpus: Corpus, replying) -> None:
    sentence = "It concerns several matters."

    def says(request: Generate) -> str | Failure:
        down = "Clause 5 concerns" in request.messages[-1].content
        return Failure("server", "the server is down: try again later") if down else sentence

    answer = replying(window=1_000, says=says).answer(Summarise(part=300), ASKED, corpus)
    assert answer.text == sentence
    assert answer.dropped
    assert shares(answer)[0] < 0.9
    assert any(note.startswith("1 of ") for note in answer.notes)


def test_where_every_part_fails_the_failure_is_raised(corpus: Corpus, replying) -> None:
    reader = replying(window=1_000, says=lambda request: Failure("server", "the server is down: try again later"))
    with pytest.raises(RequestFailed, match="down"):
        reader.answer(Summarise(part=300), ASKED, corpus)


@pytest.mark.parametrize("workflow", ["hierarchical", "incremental"])
def test_nothing_in_any_part_is_a_refusal_that_has_read_everything(workflow: str, corpus: Corpus, replying) -> None:
    reader = replying(window=1_000, says=lambda request: "Not in the documents.")
    answer = reader.answer(Summarise(workflow, part=300), ASKED, corpus)
    assert not answer.answerable
    assert shares(answer) == [pytest.approx(1.0, abs=0.02)]


def test_unfocused_never_shows_the_question(corpus: Corpus, replying) -> None:
    reader = replying(window=1_000, says=numbered())
    reader.answer(Summarise(focused=False, part=300), ASKED, corpus)
    assert not any(ASKED.text in message.content for request in reader.requests for message in request.messages)


def test_a_question_without_a_topic_leaves_no_way_out(corpus: Corpus, replying) -> None:
    reader = replying(window=1_000, says=numbered())
    answer = reader.answer(Summarise(part=300), Question("Please summarize the whole document."), corpus)
    assert answer.answerable
    shown = [request.messages[-1].content for request in reader.requests]
    assert not any("reply only" in prompt or "Please summarize" in prompt for prompt in shown)


def test_an_update_over_its_limit_shortens_the_summary_and_is_asked_again(replying) -> None:
    corpus = Corpus.of(clauses(60))
    long = "The clauses concern many matters " + "and many more of them " * 25 + "too."

    def says(request: Generate) -> str:
        told = {"first summary": long, "shorten": "Many matters.", "update": "This has no end and goes on"}
        return told.get(request.purpose, "All of it concerns many matters.")

    reader = replying(window=1_000, says=says)
    answer = reader.answer(Summarise("incremental", part=300, length=200), ASKED, corpus)
    purposes = [request.purpose for request in reader.requests]
    assert purposes[:4] == ["first summary", "update", "shorten", "update again"]
    assert "The summary so far: Many matters." in reader.requests[3].messages[-1].content
    assert answer.text == "All of it concerns many matters."


def test_an_update_that_adds_nothing_leaves_the_summary(replying) -> None:
    corpus = Corpus.of(clauses(60))
    reader = replying(window=1_000, says=lambda r: "A sentence." if r.purpose == "first summary" else "Nothing new.")
    answer = reader.answer(Summarise("incremental", part=300), ASKED, corpus)
    assert answer.text == "A sentence."
    assert shares(answer) == [pytest.approx(1.0, abs=0.02)]


@pytest.mark.parametrize("workflow", ["hierarchical", "incremental"])
def test_a_budget_that_does_not_hold_all_calls_is_refused_before_the_first(
    workflow: str, corpus: Corpus, replying
) -> None:
    reader = replying(window=1_000, says=numbered())
    for budget in (Budget(tokens=2_000), Budget(calls=2)):
        with pytest.raises(BudgetSpent):
            reader.answer(Summarise(workflow, part=300), Question("Sum up.", budget=budget), corpus)
    assert not reader.requests


@pytest.mark.parametrize("workflow", ["hierarchical", "incremental"])
@pytest.mark.parametrize("count", [3, 30, 200])
def test_the_first_level_is_estimated_to_the_token(workflow: str, count: int, replying) -> None:
    corpus, strategy = Corpus.of(clauses(count)), Summarise(workflow, part=300, tries=1)
    reader = replying(window=1_000, says=numbered())
    estimate = strategy.estimate(ASKED, corpus, reader.models)
    reader.answer(strategy, ASKED, corpus)
    assert estimate.prompt.low <= reader.prompt_tokens <= estimate.prompt.high
    assert estimate.prompt.high <= 4 * estimate.prompt.low
    assert estimate.calls.low <= len(reader.requests) <= estimate.calls.high
    if workflow == "hierarchical":
        parts = estimate.lines[0]
        assert parts.prompt.expected == sum(reader.counter.render(r.messages) for r in reader.batches[0])


def test_the_worker_sums_up_parts_within_its_own_window(corpus: Corpus, replying) -> None:
    reader = replying(window=4_000, roles={"worker": 700}, says=numbered())
    reader.answer(Summarise(length=100), ASKED, corpus)
    assert {request.role for request in reader.batches[0]} == {"worker"}
    assert reader.requests[-1].role == "reader"


def test_what_cannot_be_is_refused_with_what_to_do(corpus: Corpus, replying) -> None:
    with pytest.raises(ConfigError, match="hierarchical, incremental"):
        Summarise("upwards")  # type: ignore[arg-type]
    with pytest.raises(DoesNotFit, match="100"):
        replying(window=100).answer(Summarise(), ASKED, corpus)


def test_a_sentence_ends_in_many_scripts() -> None:
    assert all(map(ended, ("Done.", "Is it?", '"Yes!"', "通知期间为三个月。", "*Done.*", "(It is.)")))
    assert not any(map(ended, ("Done", "a, b,", "", "1) x")))


@pytest.mark.parametrize("workflow", ["hierarchical", "incremental"])
@pytest.mark.parametrize("tries", [1, 2, 3])
def test_the_high_end_holds_where_no_try_is_valid(workflow: str, tries: int, replying) -> None:
    text = "\n\n".join(f"Clause {n} concerns matter {n % 7}. The parties keep {n} copies of it." for n in range(40))
    reader = replying(window=4_000, says=lambda request: "word " * 5_000)
    strategy = Summarise(workflow=workflow, tries=tries, part=2_048)
    estimate = strategy.estimate(Question("What is kept?"), Corpus.of(text), reader.models)
    with contextlib.suppress(RequestFailed):
        reader.answer(strategy, Question("What is kept?"), Corpus.of(text))
    assert len(reader.requests) == tries
    assert reader.prompt_tokens <= estimate.prompt.high
    assert reader.output_tokens <= estimate.output.high
    assert len(reader.requests) <= estimate.calls.high
