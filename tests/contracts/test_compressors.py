"""Every registered compressor obeys the same contract: budget, exact spans, nothing lost, odd input, determinism."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx import registry
from ragctx.contracts import Compressor, Costed, Recovering
from ragctx.corpus import Corpus
from ragctx.encoders import open_ranker
from ragctx.errors import BadQuestion, ConfigError
from ragctx.models import EstimatedCounter, ModelFacts, Models
from ragctx.readers.scripted import Rule, Scripted
from ragctx.types import Context, Document, Dropped, Passage, Question, Span
from ragctx.work import run

# The llmlingua package chooses with a model of its own; what ragctx does around it is in test_llmlingua_package.py.
NAMES = [name for name in registry.names("compressors") if name != "llmlingua"]
LEASE = (
    "# Lease of Kestrel Wharf\n\n## Rent\nThe rent is ten crowns a month. It is due on the first day. "
    "Rent that is late bears interest.\n\n## Pets\nDogs are welcome in the yard. Cats are not mentioned.\n"
)
TABLE = "| part | price |\n|---|---|\n" + "".join(f"| bolt {n} | {n} crowns |\n" for n in range(120))
TEXTS = {
    "lease.md": LEASE,
    "报告.txt": "合同的通知期间为三个月。双方同意每年五月付款。租金为十元。",
    "契約.txt": "契約の通知期間は三ヶ月です。家賃は五月に支払います。",
    "line.txt": "rent of ten crowns " * 900,
    "wide.txt": "租金" * 1500,
    "table.md": TABLE,
    "control.txt": "Rent\x00 is \x1b[31mten\x07. \x85\u2028Late\x1f rent\ufeff bears \u200binterest. \x7f\x01",
    "code.py": "def rent():\n    return 10  # crowns\n\n\nclass Pets:\n    pass\n",
}
QUESTIONS = ("What is the rent a month?", "租金是多少", "???", "😀", "rent " * 500)
BUDGETS = (0, 1, 2, 7, 30, 200, 100_000)


# What the reader writes where a compressor asks it to: beginnings of tasks, and replies that fit them.
WRITES = (
    Rule("Sum the text up", "The rent is due. Dogs are welcome."),
    Rule("Write an outline", "Scope: what is let\nRent: 1"),
)
SAYS = "What is paid?\nWhen is it paid?\nWho lives there?"
# Those that tell by the question's own words what to keep, also with models that only count words.
BY_WORDS = {"provence", "bm25-sentences", "embedding-sentences"}
# Those that keep or leave out single words.
BY_TOKENS = {"longllmlingua", "perception", "llmlingua2", "tcra-semantic"}
# Those that ask no model, and those that need no ranker that weighs parts of a text.
ALONE = {"bm25-sentences"}


@dataclass
class Rig:
    """A compressor, the models it may ask in any role, and the counter it is held to."""

    compressor: Compressor
    counter: object = field(default_factory=lambda: Scripted().facts.counter)
    ranker: Scripted = field(default_factory=Scripted)
    other: Scripted = field(default_factory=lambda: Scripted(WRITES, default=SAYS))
    kinds: frozenset[str] | None = None

    @property
    def models(self):
        facts = self.ranker.facts if self.kinds is None else replace(self.ranker.facts, kinds=self.kinds)
        reader = replace(self.other.facts, name="reader", counter=self.counter)
        return Models({"reader": reader, "ranker": facts, "encoder": self.other.facts, "scorer": self.other.facts})

    def serve(self, requests):
        """Replies to requests of every role, in their order."""
        replies = {}
        for backend, mine in ((self.ranker, True), (self.other, False)):
            places = [i for i, request in enumerate(requests) if (request.role == "ranker") is mine]
            asked = [requests[i] for i in places]
            replies |= zip(places, backend.serve(asked, lambda i, text: None) if asked else (), strict=True)
        return [replies[i] for i in range(len(requests))]

    def __call__(self, question, context, budget) -> Context:
        asked = Question(question) if isinstance(question, str) else question
        return run(self.compressor.compress(asked, context, budget, self.models), self.serve)


@pytest.fixture(params=NAMES)
def rig(request):
    return Rig(registry.make("compressors", request.param))


def whole(**texts: str) -> Context:
    return Context(tuple(Passage(text, (Span(name, 0, len(text)),), name) for name, text in texts.items()))


def visible(spans, texts) -> set[tuple[str, int]]:
    """Places of all characters in spans that are no blanks."""
    places = ((span.document, at) for span in spans for at in range(span.start, span.end))
    return {(name, at) for name, at in places if not texts[name][at].isspace()}


def is_sound(rig: Rig, given: Context, found: Context, budget: int, texts: dict[str, str]) -> None:
    assert rig.counter.count("\n\n".join(passage.text for passage in found.passages)) <= max(0, budget)
    for passage in found.passages:
        assert passage.text.strip()
        if not passage.derived:
            document = Document(passage.spans[0].document, texts[passage.spans[0].document])
            assert Passage.cut(document, passage.spans).text == passage.text
            assert list(passage.spans) == sorted(passage.spans)
    kept, left = visible(found.spans, texts), visible((out.span for out in found.dropped), texts)
    assert kept | left == visible(given.spans, texts)
    assert not kept & left
    assert all(out.reason for out in found.dropped)


def test_registered():
    assert "provence" in NAMES


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_any_question_and_any_budget(rig, question, budget):
    context = whole(**TEXTS)
    is_sound(rig, context, rig(question, context, budget), budget, TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_alone(rig, name):
    context = whole(**{name: TEXTS[name]})
    for budget in (1, 12, 60):
        is_sound(rig, context, rig(QUESTIONS[0], context, budget), budget, TEXTS)


def test_an_estimated_counter_is_held_to_as_well(rig):
    rig.counter = EstimatedCounter()
    context = whole(**TEXTS)
    for budget in BUDGETS:
        is_sound(rig, context, rig(QUESTIONS[0], context, budget), budget, TEXTS)


def test_the_budget_is_used(rig):
    context = whole(**{"lease.md": LEASE, "table.md": TABLE, "契約.txt": TEXTS["契約.txt"]})
    found = rig(QUESTIONS[0], context, 240)
    if not any(passage.derived for passage in found.passages):  # what is written is as long as the reader makes it
        assert rig.counter.count("\n\n".join(p.text for p in found.passages)) > 180


@pytest.mark.parametrize("name", sorted({*BY_TOKENS, "llmlingua"}))
def test_compressors_of_words_put_back_what_an_answer_lost(name):
    found = registry.make("compressors", name)
    before = whole(**{"lease.md": "The rent is ten whole crowns a month."})
    kept = before.with_passages([before.passages[0].narrowed([(12, 15), (22, 28)])])
    assert isinstance(found, Recovering)
    assert found.recover("It is ten crowns.", before, kept) == "It is ten whole crowns."


@pytest.mark.parametrize("budget", [200, 350, 700])
@pytest.mark.parametrize("name", sorted(BY_TOKENS & set(NAMES)))
def test_compressors_of_words_fill_95_percent(name, budget):
    rig = Rig(registry.make("compressors", name))
    given = whole(**{key: TEXTS[key] for key in ("lease.md", "table.md", "line.txt", "code.py", "报告.txt")})
    found = rig(QUESTIONS[0], given, budget)
    assert rig.counter.count("\n\n".join(p.text for p in found.passages)) >= 0.95 * budget


@pytest.mark.parametrize("name", sorted(BY_WORDS & set(NAMES)))
def test_the_question_decides_what_is_kept(name):
    rig = Rig(registry.make("compressors", name))
    found = rig("Are dogs welcome?", whole(**{"lease.md": LEASE}), 8)
    assert "Dogs are welcome" in found.passages[0].text
    found = rig("How late is rent that bears interest?", whole(**{"lease.md": LEASE}), 8)
    assert "bears interest" in found.passages[0].text


def test_what_fits_comes_back_as_it_was(rig):
    context = whole(**{"lease.md": LEASE, "契約.txt": TEXTS["契約.txt"]})
    assert rig(QUESTIONS[0], context, 10_000).passages == context.passages


def test_a_blank_question_cannot_be_asked():
    with pytest.raises(BadQuestion):
        Question(" ")


def test_no_context_and_blank_passages(rig):
    assert rig("rent?", Context(), 10).passages == ()
    blank = whole(a=" \n ", b="", c="\u3000")
    assert rig("rent?", blank, 10).passages == ()
    mixed = whole(a=" ", b="The rent is ten.")
    assert [passage.source for passage in rig("rent?", mixed, 10).passages] == ["b"]


def test_the_same_again(rig):
    context = whole(**TEXTS)
    assert rig(QUESTIONS[0], context, 50) == rig(QUESTIONS[0], context, 50)


def test_what_was_known_before_stays(rig):
    before = Dropped(Span("x", 0, 3), "rank 9")
    context = replace(whole(**{"lease.md": LEASE}), dropped=(before,), notes=("BM25 alone",), signals={"gap": 0.5})
    found = rig(QUESTIONS[0], context, 12)
    assert found.dropped[0] == before
    assert found.notes[0] == "BM25 alone"
    assert found.signals["gap"] == 0.5


def test_a_passage_of_several_spans_keeps_their_places(rig):
    document = Document("lease.md", LEASE)
    cut = [Span("lease.md", 34, 65), Span("lease.md", 65, 94), Span("lease.md", 137, 166)]
    context = Context((Passage.cut(document, cut),))
    for budget in (3, 8, 14, 22):
        found = rig(QUESTIONS[0], context, budget)
        is_sound(rig, context, found, budget, TEXTS)


def test_derived_passages_keep_their_spans_or_lose_all(rig):
    spans = (Span("lease.md", 0, 40), Span("table.md", 5, 60))
    summary = Passage("The rent is ten crowns a month. The yard is paved.", spans, "summary", derived=True)
    for budget in (1, 9, 90):
        found = rig("What is the rent?", Context((summary,)), budget)
        assert rig.counter.count("\n\n".join(p.text for p in found.passages)) <= budget
        assert all(passage.derived and passage.spans == spans for passage in found.passages)
        assert {out.span for out in found.dropped} == (set() if found.passages else set(spans))


def test_passages_cut_by_a_corpus(rig, tmp_path):
    documents = [Document(name, text) for name, text in TEXTS.items()]
    corpus = Corpus.of(*documents, folder=tmp_path / "corpus")
    context = Context(tuple(corpus.passage(corpus.chunks[i]) for i in range(len(corpus.chunks))))
    found = rig(QUESTIONS[0], context, 60)
    is_sound(rig, context, found, 60, {name: str(corpus.document(name).text[:]) for name in TEXTS})


def test_a_ranker_that_weighs_no_sentences_will_do_and_is_told_of():
    rig = Rig(registry.make("compressors", "provence"), kinds=frozenset({"Rerank"}))
    context = whole(**{"lease.md": LEASE, "table.md": TABLE})
    found = rig("Are dogs welcome?", context, 12)
    is_sound(rig, context, found, 12, TEXTS)
    assert "Dogs are welcome" in found.passages[0].text
    assert any("ranks texts only" in note for note in found.notes)
    assert not any(request.units for call in rig.ranker.calls for request in call)


@pytest.mark.parametrize("budget", [1, 40, 300])
def test_with_the_model_that_comes_along(rig, budget):
    rig.ranker = open_ranker("extractive", threads=1)
    context = whole(**TEXTS)
    found = rig(QUESTIONS[0], context, budget)
    is_sound(rig, context, found, budget, TEXTS)
    assert found == rig(QUESTIONS[0], context, budget)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_model_that_it_needs_the_remedy_is_named(name):
    mute = Models({"reader": ModelFacts("reader", kinds=frozenset())})
    work = registry.make("compressors", name).compress(Question("rent?"), whole(a="Rent is due. " * 9), 5, mute)
    if name in ALONE:
        assert run(work).passages
        return
    with pytest.raises(ConfigError, match="name one"):
        run(work)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_beforehand_whom_it_asks(name):
    rig = Rig(registry.make("compressors", name))
    if not isinstance(rig.compressor, Costed):
        pytest.skip("it does not tell its price")
    lines = rig.compressor.estimate(800, 3, 8, 100, rig.models)
    rig(QUESTIONS[0], whole(**{key: TEXTS[key] for key in ("lease.md", "table.md", "契約.txt")}), 100)
    asked = {request.role for backend in (rig.ranker, rig.other) for call in backend.calls for request in call}
    assert {line.role for line in lines} == asked
    assert all(low.low <= low.expected <= low.high for line in lines for low in (line.prompt, line.output, line.calls))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    texts=st.lists(
        st.text(st.sampled_from("ab .!?\n#|-。租金きAñ\x00\t\u3000😀\"'("), max_size=200), min_size=1, max_size=4
    ),
    budget=st.integers(0, 60),
    keep=st.sampled_from([None, 0.0, 0.3, 1.0]),
)
@pytest.mark.parametrize("name", NAMES)
def test_random_texts(name, texts, budget, keep):
    options = {"threshold": keep} if "threshold" in registry.options("compressors", name) else {}
    rig = Rig(registry.make("compressors", name, **options))
    named = {f"d{n}": text for n, text in enumerate(texts)}
    context = whole(**named)
    is_sound(rig, context, rig("a b 租金 A", context, budget), budget, named)
