"""What the packaged model says is what its passes say, whatever is asked and with whatever else."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx.contracts import BatchBackend
from ragctx.encoders import open_ranker
from ragctx.encoders.extractive.calibration import NOWHERE, sigmoid
from ragctx.encoders.extractive.pairs import OVERLAP, Pass, lead, passes
from ragctx.encoders.extractive.ranking import Ranking
from ragctx.encoders.extractive.stretches import best
from ragctx.encoders.spans import answers
from ragctx.engine import Engine
from ragctx.work import Embed, Failure, Generate, Message, Relevances, Rerank, Score, Stretch

LETTERS = st.characters() | st.sampled_from("ab .,\n\u0301\ud800期한ﬁß🙂")
TEXTS = st.lists(st.text(LETTERS, max_size=60) | st.sampled_from(["word " * 320, "Ada wrote it. " * 70]), max_size=4)
slowly = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


def units_of(text):
    """Roughly its sentences."""
    return tuple(found.span() for found in re.finditer(r"[^\s.][^.]*\.?", text))


def request(query, texts, answers=3, titles=()):
    return Rerank(query, tuple(texts), titles=titles, units=tuple(map(units_of, texts)), answers=answers)


TEXT = "Ada Moss was born in 1871. She wrote the book in Leeds, where lace was made. It sold well."


def test_one_pair_is_read_as_its_pass_says(model, serve):
    [reply] = serve(request("When was Ada Moss born?", [TEXT], titles=("Ada Moss",)))
    words, calibration = model._words, model._weights.card.calibration
    known = words.read([TEXT, "When was Ada Moss born?", "Ada Moss"])
    ranking = Ranking.over(request("When was Ada Moss born?", [TEXT], titles=("Ada Moss",)), known, words.borders, 288)
    [one] = ranking.passes
    outputs = model._opened().run(one)
    slope, offset = calibration.relevance
    assert reply.values == pytest.approx((float(sigmoid(slope * outputs.relevance + offset)),))

    inside = np.arange(one.lead, len(one.ids) - 1)
    looked = answers(outputs.start, outputs.end, inside, count=5)
    tokens, keep = known[TEXT], sigmoid(outputs.keep.astype(float))
    held = set()
    for (start, end), probability in zip(units_of(TEXT), reply.keeps[0], strict=True):
        mine = [one.lead + p for p in range(len(tokens.ids)) if tokens.starts[p] < end and tokens.ends[p] > start]
        within = [calibration.odds(a.score, outputs.relevance) for a in looked if {a.first, a.last} <= set(mine)]
        held.add(max(within, default=NOWHERE))
        assert probability == pytest.approx(calibration.kept(keep[mine].mean(), np.array(max(within, default=NOWHERE))))
    assert len(held) > 1  # it makes a difference which sentence answers

    places = [(a.first - one.lead, a.last - one.lead) for a in looked[:3]]
    assert [(s.start, s.end) for s in reply.answers[0]] == [(tokens.starts[a], tokens.ends[b]) for a, b in places]


@slowly
@given(TEXTS, st.randoms())
def test_company_and_order_change_nothing(serve, texts, chance):
    query = "Who wrote the word?"
    [together] = serve(request(query, texts))
    order = list(range(len(texts)))
    chance.shuffle(order)
    replies = serve(
        Rerank("Something else?", ("Other. " * 50,)),
        request(query, [texts[place] for place in order]),
        Embed(("and this",)),
        *(request(query, [text]) for text in texts),
    )
    shuffled, alone = replies[1], replies[3:]
    for at, place in enumerate(order):
        assert shuffled.values[at] == together.values[place] == alone[place].values[0]
        assert shuffled.keeps[at] == together.keeps[place] == alone[place].keeps[0]
        assert shuffled.answers[at] == together.answers[place] == alone[place].answers[0]
    assert together.tokens == shuffled.tokens == sum(reply.tokens for reply in alone)


@slowly
@given(TEXTS, st.text(LETTERS, max_size=30), st.integers(0, 6))
def test_every_number_is_a_probability_and_every_stretch_is_inside(serve, texts, title, count):
    [reply] = serve(request("Which word is it?", texts, count, titles=(title,) * len(texts)))
    assert all(0 <= value <= 1 for value in reply.values)
    assert [len(keeps) for keeps in reply.keeps] == [len(units_of(text)) for text in texts]
    assert all(0 <= keep <= 1 for keeps in reply.keeps for keep in keeps)
    assert len(reply.answers) == (len(texts) if count else 0)
    for text, found in zip(texts, reply.answers, strict=False):
        assert len(found) <= count
        assert all(0 <= s.start < s.end <= len(text) and 0 <= s.probability <= 1 for s in found)
        assert [s.probability for s in found] == sorted((s.probability for s in found), reverse=True)
        assert all(a.end <= b.start or b.end <= a.start for i, a in enumerate(found) for b in found[:i])


def test_a_blank_that_a_token_reaches_over_is_not_weighed(serve):
    [reply] = serve(Rerank("Which?", ("0" * 15 + "\x85\ua000",), units=(((15, 16), (0, 15)),)))
    assert reply.keeps[0][0] == 0.0 < reply.keeps[0][1]


@slowly
@given(st.text(LETTERS, max_size=80), st.data())
def test_any_units_inside_the_text_are_weighed(serve, text, data):
    places = st.integers(0, len(text))
    units = tuple(tuple(sorted(pair)) for pair in data.draw(st.lists(st.tuples(places, places), max_size=6)))
    [reply] = serve(Rerank("Which?", (text,), units=(units,)))
    assert len(reply.keeps[0]) == len(units)
    for (start, end), keep in zip(units, reply.keeps[0], strict=True):
        assert 0 <= keep <= 1
        assert keep == 0.0 or text[start:end].strip()


def test_threads_change_nothing(serve):
    texts = [TEXT, TEXT * 30, "Lace. " * 7, "", "Leeds"]
    [two] = serve(request("Where?", texts))
    one = open_ranker(threads=1)
    [same] = one.serve([request("Where?", texts)], lambda index, text: None)
    assert (one.close(), same.values, same.keeps, same.answers) == (None, two.values, two.keeps, two.answers)


def test_what_was_not_asked_is_not_answered(serve):
    plain, units, found = serve(
        Rerank("Who?", (TEXT,)), Rerank("Who?", (TEXT,), units=((),)), Rerank("Who?", (TEXT,), answers=1)
    )
    assert (plain.keeps, plain.answers) == ((), ())
    assert (units.keeps, units.answers) == (((),), ())
    assert (found.keeps, len(found.answers)) == ((), 1)
    assert plain.values == units.values == found.values


def test_titles_are_read(serve):
    with_title, without, empty = serve(
        Rerank("Who?", (TEXT,), titles=("Moss",)), Rerank("Who?", (TEXT,)), Rerank("Who?", (TEXT,), titles=("",))
    )
    assert with_title.tokens == without.tokens + 2 == empty.tokens + 2
    assert with_title.values != without.values == empty.values


# Input that is not as one would like it.


def test_nothing_to_read(serve):
    blank = ["", " \n\t", "\x00\x07", "\u200b\ufeff"]
    [reply] = serve(request("Who?", blank, answers=2))
    assert reply == Relevances((0.0,) * 4, keeps=tuple((0.0,) * len(units_of(t)) for t in blank), answers=((),) * 4)
    [none] = serve(Rerank("Who?", ()))
    assert none == Relevances(())


@pytest.mark.parametrize("query", ["", "  \n", "\x00", "\u200b", "?!...", "\U0001f642", "\u16a0\u16c7", "a" * 200])
def test_a_query_without_a_word_is_refused(serve, query):
    refused, served = serve(Rerank(query, (TEXT,)), Rerank("Who?", (TEXT,)))
    assert (refused.kind, "ask in words" in refused.message) == ("bad_request", True)
    assert isinstance(served, Relevances)


def test_a_query_in_letters_that_the_vocabulary_lacks_is_refused(serve):
    strange, mixed = serve(Rerank("谁写了这份报告 1?", (TEXT,)), Rerank("Who wrote 报告?", (TEXT,)))
    assert (strange.kind, "letters" in strange.message) == ("bad_request", True)
    assert isinstance(mixed, Relevances)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"units": (((0, 99),),)}, "has 3 characters"),
        ({"units": (((-1, 2),),)}, "no range"),
        ({"units": (((2, 1),),)}, "no range"),
        ({"units": ((), ())}, "units of 2 texts for 1"),
        ({"titles": ("a", "b")}, "2 titles for 1 texts"),
        ({"answers": -1}, "answers=-1"),
    ],
)
def test_what_does_not_fit_its_texts_is_refused(serve, values, told):
    refused, served = serve(Rerank("Who?", ("abc",), **values), Rerank("Who?", ("abc",)))
    assert isinstance(refused, Failure)
    assert (refused.kind, told in refused.message) == ("bad_request", True)
    assert isinstance(served, Relevances)


def test_units_that_are_empty_touch_or_show_nothing(serve):
    text = "One.  Two."
    [reply] = serve(Rerank("Who?", (text,), units=(((0, 4), (4, 4), (4, 6), (6, 10), (0, 10), (0, 4)),)))
    keeps = reply.keeps[0]
    assert keeps[1] == keeps[2] == 0.0
    assert keeps[0] == keeps[5] > 0
    assert min(keeps[3], keeps[4]) > 0


def test_a_text_of_ten_thousand_tokens(serve):
    filler = "The mill stood by the river and nobody asked about it. "
    text = filler * 390 + "Ada Moss was born in 1871. " + filler * 390
    units = units_of(text)
    [reply] = serve(Rerank("When was Ada Moss born?", (text,), units=(units,), answers=5))
    assert reply.tokens > 9_400
    assert len(reply.keeps[0]) == len(units) == 781
    assert all(text[s.start : s.end].strip() for s in reply.answers[0])
    assert len(set(reply.keeps[0])) > 2


def test_the_likeliest_of_a_long_text_is_what_its_best_window_says(model, serve):
    text, query = "The mill stood by the river. " * 100, "Where did it stand?"
    [reply] = serve(Rerank(query, (text,)))
    words = model._words
    known = words.read([text, query])
    [ranked] = Ranking.over(Rerank(query, (text,)), known, words.borders, 288).texts
    assert len(ranked.passes) > 2
    logits = [model._opened().run(one).relevance for one in ranked.passes]
    assert reply.values == (max(map(model._weights.card.calibration.relevant, logits)),)


def test_a_long_text_says_what_its_windows_say_alone(model, serve):
    words, query = ["mill", "river", "stone", "lace", "book", "year", "house", "road"], "Where was the lace?"
    text = " ".join(words[place * place % 7] for place in range(700))
    known = model._words.read([text, query])
    [ranked] = Ranking.over(Rerank(query, (text,)), known, model._words.borders, 288).texts
    borders = [(int(known[text].starts[p.begin]), int(known[text].ends[p.end - 1])) for p in ranked.passes]
    [alone] = serve(Rerank(query, tuple(text[start:end] for start, end in borders), answers=5))
    found = [
        Stretch(start + s.start, start + s.end, s.probability)
        for (start, _), stretches in zip(borders, alone.answers, strict=True)
        for s in stretches
    ]
    [whole] = serve(Rerank(query, (text,), answers=5))
    assert whole.values == (max(alone.values),)
    assert whole.answers == (best(found, 5),)
    assert any(s.start > borders[0][1] for s in best(found, 15))


def test_one_enormous_sentence(serve):
    text = "and then " * 400
    [reply] = serve(Rerank("Who?", (text,), units=(((0, len(text)),),), answers=1))
    assert 0 < reply.keeps[0][0] < 1
    assert reply.answers[0][0].end <= len(text)


ODD = {
    "table": "| year | sales |\n|------|-------|\n| 1871 | 4.5 % |\n| 1872 | 5.1 % |\n",
    "code": "def born(name: str) -> int:\n\treturn {'Ada': 1871}[name]  # TODO\n",
    "chinese": "通知期为三个月。合同于二〇二四年签订。",
    "japanese": "通知期間は三か月です。",
    "korean": "통지 기간은 삼 개월입니다.",
    "hindi": "सूचना अवधि तीन महीने है।",
    "arabic": "مدة الإشعار ثلاثة أشهر.",
    "thai": "ระยะเวลาแจ้งสามเดือน",
    "control": "Ada\x00 Moss\x1b[31m was\x07 born\u202e in 1871.\r\n",
    "surrogates": "\ud800Ada\udfff Moss \udc80was born.",
    "combining": "e\u0301" * 50 + " a" + "\u0301" * 300,
    "emoji": "👩‍👩‍👧‍👦 🇩🇪 👍🏽 was born 🎂",
    "word": "x" * 20_000,
    "special": "[CLS] [SEP] [PAD] [MASK] [UNK] ##ing",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_read_with_exact_places(serve, name):
    text = ODD[name]
    units = units_of(text)
    [reply] = serve(Rerank("When was Ada Moss born?", (text,), titles=(text,), units=(units,), answers=3))
    assert len(reply.keeps[0]) == len(units)
    assert all(0 < keep < 1 for keep in reply.keeps[0])
    assert reply.answers[0]
    assert all(0 <= s.start < s.end <= len(text) for s in reply.answers[0])
    [asked] = serve(Rerank(text, (text,), answers=1))
    assert isinstance(asked, Failure) or 0 <= asked.values[0] <= 1, "no readable word in it, or an answer"


def test_no_stretch_leaves_a_mark_behind(serve):
    text = "e\u0301te\u0301 caf" + "e\u0301" + " a\u0301\u0301"
    [reply] = serve(Rerank("Where?", (text,), answers=5))
    assert all(s.end == len(text) or text[s.end] != "\u0301" for s in reply.answers[0])


def test_other_requests_fail_in_their_slot(serve):
    ask = Generate((Message("user", "hi"),))
    first, second, third = serve(ask, Rerank("Who?", (TEXT,)), Score("a", "b"))
    assert (first.kind, third.kind) == ("bad_request", "bad_request")
    assert "cannot answer Generate" in first.message
    assert isinstance(second, Relevances)
    assert serve(ask)[0].kind == "bad_request"
    assert serve() == []


# As a backend.


def test_it_is_a_batch_backend(model, serve):
    assert isinstance(model, BatchBackend)
    assert model.facts.kinds == {"Embed", "Rerank", "Prune", "Extract"}
    assert model.facts.window is None
    serve(Rerank("Who?", (TEXT,)))
    assert model.facts.speed.prompt > 0


def test_it_is_read_again_after_it_was_closed(serve):
    opened = open_ranker(threads=2)
    asked = Rerank("Who?", (TEXT,))
    first = opened.serve([asked], lambda index, text: None)
    opened.close()
    opened.close()
    assert opened.serve([asked], lambda index, text: None)[0].values == first[0].values
    opened.close()


def test_it_serves_works_through_the_engine():
    def work(query):
        [ranked] = yield [Rerank(query, (TEXT, "Nothing."), units=(units_of(TEXT), ()), answers=1)]
        [vectors] = yield [Embed((query,), role="ranker")]
        return len(ranked.keeps[0]), vectors.rows.shape

    with Engine({"ranker": open_ranker(threads=2)}) as engine:
        outcomes = [engine.run(work(query)) for query in ("Who?", "Where?")]
    assert [outcome.result() for outcome in outcomes] == [(3, (1, 384))] * 2
    assert {charge.role for charge in outcomes[0].usage.charges} == {"ranker"}


def test_the_longest_question_and_title_leave_room_for_windows_that_go_on():
    class Known:
        ids = np.arange(5000)

    full = lead(Known(), Known(), (1, 2))
    assert 256 - len(full) - 1 > OVERLAP
    made = list(passes(full, Known(), 2, 256, range(0, 5000, 7)))
    assert made[-1].end == 5000
    assert all(isinstance(one, Pass) and len(one.ids) <= 256 for one in made)


def test_the_next_process_knows_the_speed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RAGCTX_CACHE", str(tmp_path / "cache"))
    first = open_ranker(f"extractive:{folder}", threads=1)
    assert first.facts.speed is None
    long = " ".join(["The tower is 62 metres high."] * 600)
    first.serve([Rerank("How high is the tower?", (long,))], lambda place, text: None)
    first.close()
    assert open_ranker(f"extractive:{folder}", threads=1).facts.speed.prompt == pytest.approx(
        first.facts.speed.prompt, rel=0.01
    )
    assert open_ranker(f"extractive:{folder}", threads=2).facts.speed is None
