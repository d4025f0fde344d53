"""Questions and passages become the very sequences that the model was trained on, and windows lose nothing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ragctx.encoders.extractive.files import PACKAGED, TOKENIZER
from ragctx.encoders.extractive.pairs import OVERLAP, windows
from ragctx.encoders.extractive.ranking import Ranking
from ragctx.models import Counter
from ragctx.work import Rerank

TRAINED = Tokenizer.from_file(str(PACKAGED / TOKENIZER))
TRAINED.no_padding()
TRAINED.enable_truncation(288, strategy="only_second")
WORDS = "Ada Moss wrote “Lace & Leeds”, naïvely, in 1871; it's 4½ % of the 통지 期間. "


def ranking(model, request):
    words = model._words
    return Ranking.over(request, words.read(Ranking.read(request)), words.borders, 288)


@pytest.mark.parametrize("title", ["", "Leeds, a history", "x" * 100])
@pytest.mark.parametrize("query", ["Who wrote it?", "¿Quién? " * 50])
@pytest.mark.parametrize("text", ["Ada.", WORDS, WORDS * 40])
def test_the_first_window_is_what_training_reads(model, query, title, text):
    asked = f"{query[:240]} [SEP] {title[:60]}" if title else query[:240]
    wanted = TRAINED.encode(asked, text)
    first = ranking(model, Rerank(query, (text,), titles=(title,))).passes[0]
    if wanted.sequence_ids.count(0) > 66:  # training never met so long a question; the passage needs the room
        assert first.lead <= 2 + 64 + 61
        return
    assert first.ids.tolist() == wanted.ids
    assert first.types.tolist() == wanted.type_ids


def test_what_looks_special_is_read_as_letters(model):
    first = ranking(model, Rerank("[CLS] who? [SEP]", ("It ends. [SEP] [PAD] New.",))).passes[0]
    before, after = model._words.borders
    assert first.ids.tolist().count(before) == 1
    assert first.ids.tolist().count(after) == 2
    assert 0 not in first.ids


def test_no_pass_is_longer_than_the_model_reads(model):
    texts = (WORDS * 200, "期" * 3000, "word " * 3000, "a" * 5000)
    made = ranking(model, Rerank("a1b2c3 " * 60, texts, titles=("間" * 90,) * 4))
    assert max(len(one.ids) for one in made.passes) == 288
    for ranked in made.texts:
        shown = sorted({place for one in ranked.passes for place in range(one.begin, one.end)})
        assert shown == list(range(len(ranked.tokens.ids)))


@given(st.integers(0, 2000), st.integers(124, 280), st.lists(st.integers(0, 2000), max_size=40))
def test_windows_cover_everything_and_go_on(count, room, starts):
    made = list(windows(count, room, sorted(starts)))
    assert sorted({place for begin, end in made for place in range(begin, end)}) == list(range(count))
    assert all(0 < end - begin <= room for begin, end in made)
    for (begin, end), (following, after) in pairwise(made):
        assert begin < following <= end - OVERLAP
        assert end < after


def test_a_unit_that_a_window_cuts_is_whole_in_the_next():
    made = list(windows(400, 200, [0, 90, 120, 250]))
    assert made[:2] == [(0, 200), (120, 320)]


def test_the_counter_counts_what_is_billed(model, serve):
    counter: Counter = model.facts.counter
    assert (counter.exact, counter.name) == (True, "extractive")
    query, title, text = "Who wrote it?", "Leeds", WORDS
    [reply] = serve(Rerank(query, (text,), titles=(title,)))
    assert reply.tokens == sum(map(counter.count, (query, title, text))) + 4
    assert counter.count("\ud800 [SEP]") > 0


def test_units_touch_their_tokens(model):
    tokens = model._words.read(["one two three"])["one two three"]
    first, last = tokens.within([(0, 3), (0, 5), (3, 4), (4, 4), (5, 6), (8, 13), (0, 13)])
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [
        (0, 1), (0, 2), (1, 1), (1, 1), (1, 2), (2, 3), (0, 3),
    ]  # fmt: skip
    assert tokens.within(())[0].shape == (0,)
    assert tokens.ids.dtype == np.int64
