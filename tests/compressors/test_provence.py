"""Provence's own rules: threshold, floor, headings, order, signals, and what is asked of the ranker."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ragctx.compressors.provence import Provence
from ragctx.compressors.ranks import fused
from ragctx.compressors.units import LINES, LONGEST, MOST, headings_of, sentences, units
from ragctx.corpus.sentences import bounds
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted, WordCounter
from ragctx.types import Context, Passage, Question, Span
from ragctx.work import Failure, Relevances, Rerank, run

COUNTER = Scripted().facts.counter
MODELS = Models({
    "reader": ModelFacts("reader", COUNTER),
    "ranker": ModelFacts("ranker", kinds=frozenset({"Rerank", "Prune"})),
})  # fmt: skip
LEASE = "# Lease\n\n## Rent\nTen crowns a month. Due in May.\n\n## Pets\nDogs are fine. Cats are not."
SENTENCES = ("# Lease", "## Rent", "Ten crowns a month.", "Due in May.", "## Pets", "Dogs are fine.", "Cats are not.")


def passage(text, name="lease", **more):
    return Passage(text, (Span(name, 0, len(text)),), name, **more)


class Bytes:
    """Counts bytes, as a tokenizer does that knows no word."""

    def count(self, text):
        return len(text.encode())


BYTES = Bytes()


class Says:
    """A ranker that says fixed numbers, and keeps what it was asked."""

    def __init__(self, values, keeps):
        self.values, self.keeps, self.asked = values, keeps, []

    def __call__(self, requests):
        [request] = requests
        self.asked.append(request)
        return [Relevances(tuple(self.values), keeps=tuple(map(tuple, self.keeps)))]


def prune(compressor, context, budget, values, keeps, models=MODELS):
    return run(compressor.compress(Question("Q?"), context, budget, models), Says(values, keeps))


def texts(found):
    return [passage.text for passage in found.passages]


def one(text, keeps, *, budget=1000, value=0.9, **options):
    return prune(Provence(**options), Context((passage(text),)), budget, [value], [keeps])


class TestThreshold:
    text = "One is here. Two is here. Three is here."

    def test_what_is_likelier_stays_in_the_order_of_the_text(self):
        found = one(self.text, [0.4, 0.1, 0.8], threshold=0.3)
        assert texts(found) == ["One is here. Three is here."]
        assert [(out.span, out.reason) for out in found.dropped] == [
            (Span("lease", 13, 25), "pruned: 0.10 likely needed")
        ]

    def test_the_threshold_itself_is_kept_and_zero_keeps_all(self):
        assert texts(one(self.text, [0.3, 0.2, 0.3], threshold=0.3, value=0.0)) == ["One is here. Three is here."]
        assert texts(one(self.text, [0.0, 0.0, 0.0], threshold=0.0, value=0.0)) == [self.text]

    def test_the_best_sentence_of_a_relevant_passage_stays(self):
        assert texts(one(self.text, [0.01, 0.03, 0.02], threshold=0.5, value=0.6)) == ["Two is here."]

    def test_nothing_of_an_irrelevant_one_and_a_signal_says_so(self):
        found = one(self.text, [0.01, 0.03, 0.02], threshold=0.5, value=0.4)
        assert found.passages == ()
        assert found.signals["all_pruned"] == 1.0
        assert found.signals["kept_share"] == 0.0
        assert found.signals["relevance_max"] == 0.4
        assert [out.reason for out in found.dropped] == ["pruned: 0.03 likely needed"]

    def test_a_budget_binds_all_the_same(self):
        found = one(self.text, [0.9, 0.8, 0.7], threshold=0.5, budget=8)
        assert texts(found) == ["One is here. Two is here."]
        assert [out.reason for out in found.dropped] == ["over the token budget: 0.70 likely needed"]

    def test_runs_are_apart_where_the_reasons_are(self):
        found = one(self.text, [0.9, 0.6, 0.1], threshold=0.5, budget=4)
        assert [out.reason.partition(":")[0] for out in found.dropped] == ["over the token budget", "pruned"]


class TestBudget:
    def test_the_likeliest_of_all_passages(self):
        context = Context((passage("A one. A two.", "a"), passage("B one. B two.", "b"), passage("C one.", "c")))
        found = prune(Provence(), context, 9, [0.2, 0.2, 0.2], [[0.1, 0.9], [0.8, 0.2], [0.7]])
        assert texts(found) == ["A two.", "B one.", "C one."]
        assert found.signals["sentences"] == 5
        assert found.signals["sentences_pruned"] == 2
        assert found.signals["kept_share"] == pytest.approx(0.6)

    def test_every_relevant_passage_has_its_best_sentence_first(self):
        context = Context((passage("A one. A two. A three.", "a"), passage("B one. B two.", "b")))
        found = prune(Provence(), context, 6, [0.9, 0.6], [[0.9, 0.8, 0.7], [0.1, 0.2]])
        assert texts(found) == ["A one.", "B two."]
        found = prune(Provence(floor=0.7), context, 6, [0.9, 0.6], [[0.9, 0.8, 0.7], [0.1, 0.2]])
        assert texts(found) == ["A one. A two."]

    def test_a_budget_is_filled_where_nothing_is_needed_and_a_signal_tells(self):
        found = one("One is here. Two is here.", [0.01, 0.02], budget=4, value=0.1)
        assert texts(found) == ["Two is here."]
        assert found.signals["all_pruned"] == 1.0
        assert one("One is here.", [0.9], value=0.1).signals["all_pruned"] == 0.0
        assert one("One is here.", [0.1], value=0.9).signals["all_pruned"] == 0.0

    def test_without_a_threshold_nothing_is_pruned_but_for_the_budget(self):
        found = one("One is here. Two is here.", [0.01, 0.9], budget=4)
        assert [out.reason for out in found.dropped] == ["over the token budget: 0.01 likely needed"]

    @pytest.mark.parametrize("text", ["word " * 70 + ".", "| bolt | 10 |\n" * 25, "租金是十元，" * 30])
    def test_what_is_longer_than_the_budget_is_kept_in_part(self, text):
        found = run(
            Provence().compress(Question("Q?"), Context((passage(text),)), 60, MODELS),
            lambda asked: [Relevances((0.9,), keeps=(tuple(n / 99 for n in range(len(asked[0].units[0]))),))],
        )
        assert 20 <= COUNTER.count(found.passages[0].text) <= 60
        assert {out.reason.partition(":")[0] for out in found.dropped} == {"over the token budget"}

    def test_a_line_without_an_end_is_kept_in_pieces(self):
        line = "word " * 2000
        found = one(line, [0.1] * 5 + [0.9] + [0.1] * 20, budget=250)
        assert 190 <= COUNTER.count(texts(found)[0]) <= 250


class TestHeadings:
    # The sentence rules see "## Rent\nTen crowns a month." as one sentence.
    keeps = (0.0, 0.2, 0.9, 0.1, 0.1)

    def test_the_headings_above_what_is_kept_come_along(self):
        assert sentences(LEASE) == list(bounds(LEASE))
        found = one(LEASE, self.keeps, threshold=0.5)
        assert texts(found) == ["# Lease\n\n## Rent Due in May."]

    def test_without_them(self):
        assert texts(one(LEASE, self.keeps, threshold=0.5, keep_title=False)) == ["Due in May."]

    def test_a_budget_that_has_no_room_for_them(self):
        assert texts(one(LEASE, self.keeps, budget=4)) == ["Due in May."]
        assert texts(one(LEASE, self.keeps, budget=9)) == ["# Lease\n\n## Rent Due in May."]

    def test_no_heading_is_kept_for_nothing(self):
        found = one(LEASE, (0.9, 0.1, 0.8, 0.1, 0.1), threshold=0.5, value=0.0)
        assert texts(found) == ["# Lease\n\n## Rent Due in May."]
        assert texts(one("## Rent\nDue in May.\n\n## Pets", (0.1, 0.9), budget=7)) == ["## Rent\nDue in May."]
        assert texts(one("# Lease\n\n## Pets", (0.9, 0.9), threshold=0.5)) == ["# Lease\n\n## Pets"]

    def test_a_first_line_may_be_a_title_and_prose_is_none(self):
        named = [(LEASE[unit.start : unit.end], unit.heading) for unit in units(LEASE)]
        assert [text for text, _ in named] == list(SENTENCES)
        assert [text for text, heading in named if heading] == ["# Lease", "## Rent", "## Pets"]
        for text in ("Rent\nIt is ten.", "総則\n通知は三ヶ月です。"):
            assert units(text)[0].heading
        for text in (
            "Rent is ten.\nDue in May.",
            "- ten\n- may",
            "| a |\n| b |",
            "Rent is\n",
            "x" * 90 + "\nrent",
            "12\n3",
        ):
            assert not any(unit.heading for unit in units(text)), text
            assert not any(unit.heading for unit in units(text.replace("\n", "\r\n"))), text
        text = "Fees\r\nRent is ten."
        assert [text[unit.start : unit.end] for unit in units(text)] == ["Fees", "Rent is ten."]

    @pytest.mark.parametrize("gap", ["\n\n", "\r\n\r\n"])
    def test_a_line_alone_above_a_paragraph_is_a_heading(self, gap):
        text = gap.join(
            ["Dogs are fine.", "Levels of help", "Stroll adds half. Haul adds three.", "Help", "Ring us up."]
        )
        named = {text[unit.start : unit.end]: unit.heading for unit in units(text)}
        assert [name for name, heading in named.items() if heading] == ["Levels of help", "Help"]
        found = one(text, [0.1, 0.2, 0.3, 0.9, 0.2, 0.1], budget=8)
        assert texts(found) == ["Levels of help Haul adds three."]

    @pytest.mark.parametrize(
        "line", ["Rent: ten crowns", "Rent 4,650", "- ten", "Ten it is.", "a b c d e f g h i", "租金，"]
    )
    def test_a_line_that_says_something_is_no_heading(self, line):
        assert not any(unit.heading for unit in units(f"Dogs are fine.\n\n{line}\n\nThe yard is swept by nobody."))

    def test_lines_in_a_list_are_no_headings(self):
        found = units("Dogs are fine.\n\nPears\n\nApples\n\nPlums\n\nThat is all we have.")
        assert [unit.heading for unit in found] == [False, False, False, True, False]

    def test_what_stands_above_what(self):
        assert headings_of(units(LEASE)) == [(), (0,), (0, 1), (0, 1), (0,), (0, 4), (0, 4)]


class TestUnits:
    @pytest.mark.parametrize(
        "text", [LEASE, "| a | b |\n" * 200, "x" * 5000, "rent is ten " * 700, "租金" * 900, "", "\n \n"]
    )
    def test_they_hold_everything_visible_once_and_are_short(self, text):
        for found in (units(text), sentences(text)):
            places = [(unit.start, unit.end) if not isinstance(unit, tuple) else unit for unit in found]
            assert all(first[1] <= then[0] for first, then in pairwise(places))
            held = "".join(text[start:end] for start, end in places)
            assert "".join(held.split()) == "".join(text.split())
            assert all(0 < end - start <= LONGEST for start, end in places)
            assert all(end - start <= LINES for start, end in places if "\n" in text[start:end])

    @pytest.mark.parametrize("room", [16, 20, 60, 300])
    @pytest.mark.parametrize(
        "text", ["x" * 5000, "rent is ten, or so; " * 50, "租金" * 200, "👩\u200d👧" * 90, "a\n" * 99]
    )
    def test_nothing_is_longer_than_its_room(self, text, room):
        found = sentences(text, room, BYTES)
        assert "".join("".join(text[start:end] for start, end in found).split()) == "".join(text.split())
        assert all(BYTES.count(text[start:end]) <= room for start, end in found)
        assert all(first[1] <= then[0] for first, then in pairwise(found))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("1. Rent. It is ten. 2. Pets.", ["1. Rent.", "It is ten.", "2. Pets."]),
            ("Dogs stay. 1.2. Ten crowns. It is due.", ["Dogs stay.", "1.2. Ten crowns.", "It is due."]),
            ("It is ten. 2.\n\nPets are fine.", ["It is ten.", "2.", "Pets are fine."]),
            ("It is ten. 3.", ["It is ten.", "3."]),
            (
                "Report for 2031\n1. The year in brief\nIt rained.",
                ["Report for 2031", "1. The year in brief\nIt rained."],
            ),
        ],
    )
    def test_the_number_of_a_clause_stays_with_it(self, text, said):
        assert [text[start:end] for start, end in sentences(text)] == said

    def test_a_table_is_cut_between_its_rows(self):
        table = "".join(f"| bolt M{n}, short | {n}.50 |\n" for n in range(40))
        found = sentences(table, 30, WordCounter())
        rows = [row for start, end in found for row in table[start:end].splitlines()]
        assert rows == table.splitlines()
        assert len(found) > 10

    def test_long_sentences_are_cut_at_clauses_and_left_whole_in_a_room_of_a_few_tokens(self):
        text = "The rent is ten crowns a month, due on Mondays, and the yard is swept by him who lives there."
        cut = sentences(text, 20, WordCounter())
        assert next(text[start:end] for start, end in cut) == "The rent is ten crowns a month, due on Mondays,"
        assert len(sentences(text, 15, WordCounter())) == len(sentences(text, 90, WordCounter())) == 1

    @pytest.mark.parametrize("budget", [0, 300, 600, 10_000])
    def test_a_table_that_the_budget_holds_twice_is_one_thing(self, budget):
        table = "| bolt | 10 |\n" * 60
        assert len(sentences(table, budget)) == {0: 3, 300: 2, 600: 1, 10_000: 1}[budget]
        longest = max(end - start for start, end in sentences("x " * 5000, budget))
        assert 900 < longest <= max(LONGEST, min(MOST, 2 * budget))


class TestOrder:
    context = Context((passage("B one.", "b"), passage("C one.", "c"), passage("A one.", "a", score=0.3)))

    @pytest.mark.parametrize(
        ("order", "fuse", "names"),
        [
            ("given", True, "bca"),
            ("document", True, "abc"),
            ("relevance", False, "acb"),
            ("relevance", True, "abc"),
        ],
    )
    def test_of_passages(self, order, fuse, names):
        keeps = [[0.5], [0.5], [0.5]]
        found = prune(Provence(order=order, fuse=fuse), self.context, 100, [0.2, 0.3, 0.9], keeps)
        assert [found.source for found in found.passages] == list(names)

    def test_scores_are_relevances_only_where_they_order(self):
        found = prune(Provence(order="relevance"), self.context, 100, [0.2, 0.3, 0.9], [[0.5]] * 3)
        assert found.passages[0].score == 0.9
        found = prune(Provence(), self.context, 100, [0.2, 0.3, 0.9], [[0.5]] * 3)
        assert [passage.score for passage in found.passages] == [None, None, 0.3]

    def test_fused_ranks(self):
        assert fused([]) == []
        assert fused([0.5, 0.5, 0.5]) == [0, 1, 2]
        assert fused([0.1, 0.2, 0.3]) == [2, 0, 1]


def test_one_request_for_all_passages_with_titles_and_the_sentences_of_the_corpus():
    said = Says([0.9, 0.9], [[0.1] * 5, [0.2, 0.2]])
    context = Context((passage(LEASE, "kestrel-wharf_2024.md"), passage("  "), passage("A one. A two.", "")))
    run(Provence().compress(Question("Rent?"), context, 10, MODELS), said)
    [request] = said.asked
    assert request == Rerank(
        "Rent?", (LEASE, "A one. A two."), purpose="prune", titles=("kestrel wharf 2024", ""),
        units=(tuple(bounds(LEASE)), ((0, 6), (7, 13))),
    )  # fmt: skip


def test_without_passages_nobody_is_asked():
    found = run(Provence().compress(Question("Rent?"), Context(), 10, MODELS))
    assert found.signals["all_pruned"] == 0.0
    assert found.signals["kept_share"] == 1.0


def test_a_ranker_that_fails_is_an_error():
    with pytest.raises(RequestFailed, match="gone"):
        run(
            Provence().compress(Question("Rent?"), Context((passage(LEASE),)), 10, MODELS),
            lambda requests: [Failure("crashed", "gone")],
        )


def test_a_model_that_cannot_rank_is_named():
    models = Models({"reader": ModelFacts("reader"), "ranker": ModelFacts("writer")})
    with pytest.raises(ConfigError, match="writer cannot rank"):
        run(Provence().compress(Question("Rent?"), Context((passage(LEASE),)), 10, models))


@pytest.mark.parametrize("numbers", [([float("nan")], [[0.5] * 5]), ([0.5], [[0.5] * 4 + [float("inf")]])])
def test_relevances_that_are_no_numbers_are_an_error(numbers):
    with pytest.raises(RequestFailed, match="no numbers"):
        prune(Provence(), Context((passage(LEASE),)), 10, *numbers)


@pytest.mark.parametrize("options", [{"threshold": 1.5}, {"threshold": -0.1}, {"floor": 2}, {"order": "random"}])
def test_options_that_make_no_sense(options):
    with pytest.raises(ConfigError, match=r"give 0 to 1|there are given"):
        Provence(**options)
