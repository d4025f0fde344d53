import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.retrievers.tokens import Vocabulary, fingerprint, stem, terms, words


def test_words_without_spaces_become_pairs():
    assert words("日本語とEnglish") == ["日本", "本語", "語と", "english"]
    assert words("猫") == ["猫"]
    assert words("한국어 문서") == ["한국", "국어", "문서"]


def test_chinese_question_shares_terms_with_its_answer():
    asked, text = set(terms("合同的通知期间是多久?")), set(terms("双方约定,通知期间为三个月。"))
    assert {"通知", "知期", "期间"} <= asked & text


def test_accents_case_and_plurals_meet():
    assert terms("Cafés") == terms("CAFE") == ["cafe"]
    assert terms("Policies of companies") == terms("policy, company")


def test_function_words_are_left_out():
    assert terms("What is it of the?") == []
    assert terms("???") == []


@pytest.mark.parametrize("word", ["s", "is", "as", "gas", "bus", "less", "analysis"])
def test_endings_that_are_no_plural_stay(word):
    assert stem(word) == word


@given(st.text())
def test_any_text_gives_the_same_terms_by_both_ways(text):
    vocabulary = Vocabulary()
    numbered = [vocabulary.terms[vocabulary[word]] for word in words(text)]
    assert [term for term in numbered if term] == terms(text)
    assert all(0 <= fingerprint(term) < 2**64 for term in numbered)
